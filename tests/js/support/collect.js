/** Returns all items of an async iterable. */
export async function collect(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Returns the last item of an async iterable. */
export async function lastOf(items) {
  return (await collect(items)).at(-1);
}
