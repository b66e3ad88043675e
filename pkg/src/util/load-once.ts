/** Returns a function that loads in its first call and gives the same result to all others. After a failure, it loads again. */
export function loadOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    if (loading === undefined) {
      const attempt = (loading = load());
      attempt.catch(() => (loading = undefined));
    }
    return loading;
  };
}
