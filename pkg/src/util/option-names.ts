/** Further names of options: those of other libraries, and the two names of one option, of which a call lists one. */
const synonyms: Readonly<Record<string, string>> = {
  topK: "topN",
  topN: "topK",
  maxTokensPerDoc: "maxTokensPerDocument",
  cacheDir: "cache",
};

/** Max length of a name that suggestions are searched for. */
const maxSuggestedLength = 40;

/**
 * Returns the name in `known` that a caller's spelling stands for: the same name, its snake_case form, or a synonym.
 * Returns `undefined` if there is none.
 */
export function optionName(spelling: string, known: readonly string[]): string | undefined {
  const name = camelCase(spelling);
  return [spelling, name, synonyms[name]].find((candidate) => candidate !== undefined && known.includes(candidate));
}

/** Returns the known name that differs least from an unknown one, or `undefined` if none is similar. */
export function similarName(spelling: string, known: readonly string[]): string | undefined {
  if (spelling.length > maxSuggestedLength) return undefined;
  const name = plain(spelling);
  const distances = known.map((candidate) => ({ candidate, distance: editDistance(name, plain(candidate)) }));
  const [best] = distances.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.floor(name.length / 3) ? best.candidate : undefined;
}

function camelCase(name: string): string {
  return /^[a-z\d]+(_[a-z\d]+)+$/.test(name) ? name.replace(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase()) : name;
}

/** Returns a name without the differences between spellings. */
function plain(name: string): string {
  return name.replaceAll(/[_-]/g, "").toLowerCase();
}

/** Returns the Levenshtein distance, computed row by row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [at, letter] of [...from].entries()) {
    const next = [at + 1];
    for (let column = 1; column < row.length; column++) {
      const replaced = (row[column - 1] as number) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    row = next;
  }
  return row.at(-1) as number;
}
