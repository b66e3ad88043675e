// @ts-check
// The keyword search that finds passages for Ranklet. JavaScript, so that tests in Node run the same file as the page.
import MiniSearch from "minisearch";

/** The maximum number of hits. */
const maxHits = 50;

/** Words without a subject of their own; in questions they would outweigh the others. */
const stopWords = new Set(
  `a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on or
  s should so than that the their them then there these they this to was were what when where which who whom whose why
  will with would you your`.split(/\s+/),
);

/**
 * Short words match exactly, because many other words begin with them or differ by one letter.
 * @param {string} word
 */
const isLong = (word) => word.length > 3;

/**
 * Indexes passages for keyword search: BM25+ with prefixes and small misspellings.
 * @param {readonly { readonly text: string }[]} passages
 * @returns {(query: string) => { index: number, score: number }[]} a function that returns the hits for a query, best
 *   first; `index` is the index in `passages`
 */
export function keywordIndex(passages) {
  const search = new MiniSearch({
    fields: ["text"],
    processTerm: (term) => {
      const word = term.toLowerCase();
      return stopWords.has(word) ? null : word;
    },
    searchOptions: { prefix: isLong, fuzzy: (word) => isLong(word) && 0.2 },
  });
  search.addAll(passages.map(({ text }, id) => ({ id, text })));
  return (query) =>
    search
      .search(query)
      .slice(0, maxHits)
      .map(({ id, score }) => ({ index: id, score }));
}
