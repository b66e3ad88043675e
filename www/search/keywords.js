// @ts-check
// The keyword search before the reranking. JavaScript, so that Node's tests run the very file that the page runs.
import MiniSearch from "minisearch";

/** How many hits a search hands on. */
const maxHits = 50;

/** Words that say nothing of what a text is about; in questions they would outweigh those that do. */
const stopWords = new Set(
  `a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on or
  s should so than that the their them then there these they this to was were what when where which who whom whose why
  will with would you your`.split(/\s+/),
);

/** Short words are taken as they are: too many others begin like them or are a letter away. @param {string} word */
const isLong = (word) => word.length > 3;

/**
 * Indexes passages for search by keywords: BM25+, with the beginnings of words and with small misspellings.
 * @param {readonly { readonly text: string }[]} passages
 * @returns {(query: string) => { index: number, score: number }[]} the best hits for a query, best first; `index` is
 *   the place in `passages`
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
  return (query) => search.search(query).slice(0, maxHits).map(({ id, score }) => ({ index: id, score }));
}
