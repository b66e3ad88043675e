export const dimensions = 256;

/**
 * Returns a vector of counts of three-letter parts, hashed to `dimensions` numbers. It finds words that are spelled alike and
 * needs no download. Put your embedding model in its place.
 */
export function embed(text) {
  const counts = new Array(dimensions).fill(0);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    const padded = ` ${word} `;
    for (let at = 0; at + 3 <= padded.length; at++) {
      let hash = 7;
      for (const letter of padded.slice(at, at + 3)) hash = (hash * 31 + letter.codePointAt(0)) % 1_000_003;
      counts[hash % dimensions]++;
    }
  }
  return counts;
}
