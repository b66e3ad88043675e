/** Formats a number with its noun: "1 passage", "2 passages". */
export function count(n: number, singular: string, plural = `${singular}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? singular : plural}`;
}

/** Formats a size: "812 B", "38 kB", "23.5 MB". */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${Math.round(size / 1000)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

/** Formats a time: "640 ms", "2.1 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Formats a score with enough digits to distinguish neighbors. */
export function scoreText(score: number): string {
  return Math.abs(score) >= 10 ? score.toFixed(2) : score.toFixed(4);
}

/** Formats a contribution with its sign: "+1.20", "−0.05". */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

/** Cuts a text to `maxCharacters`, an ellipsis included. */
export function shorten(text: string, maxCharacters: number): string {
  const characters = [...text];
  return characters.length <= maxCharacters
    ? text
    : `${characters
        .slice(0, maxCharacters - 1)
        .join("")
        .trimEnd()}…`;
}
