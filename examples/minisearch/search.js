// Search as you type. MiniSearch finds articles that share words with the question, and Ranklet puts them in order.
import MiniSearch from "minisearch";
import { Reranker } from "ranklet";
import "ranklet/default-model";

import articles from "./articles.json";

const [input, list, status] = ["#query", "#results", "#status"].map((selector) => document.querySelector(selector));

// The first stage may find too much: any word counts, also its beginning or with a typing error. The order is Ranklet's work.
const keywords = new MiniSearch({
  fields: ["title", "text"],
  searchOptions: { combineWith: "OR", prefix: true, fuzzy: 0.2, boost: { title: 2 } },
});
keywords.addAll(articles.map((article, id) => ({ id, ...article })));

let collection;

async function search() {
  const query = input.value;
  const candidates = keywords
    .search(query)
    .slice(0, 20)
    .map(({ id }) => id);
  // Keyword order is there at once, and stays until the ranking is complete.
  show(candidates.slice(0, 5));
  if (collection === undefined) return;
  try {
    // `latest` ends the ranking for the key press before, also if there are no candidates now.
    for await (const { results, done, total } of collection.rank(query, { candidates, topN: 5, latest: true })) {
      const best = results.map(({ index }) => index);
      if (done === total) show(best, "Ranked by meaning.");
    }
  } catch (error) {
    if (error.code !== "aborted") throw error;
  }
}

function show(indices, message = "Ranking…") {
  if (collection !== undefined) status.textContent = input.value.trim() === "" ? "" : indices.length > 0 ? message : "Nothing found.";
  list.replaceChildren(
    ...indices.map((index) => {
      const item = document.createElement("li");
      const [title, text] = ["h2", "p"].map((name) => item.appendChild(document.createElement(name)));
      title.textContent = articles[index].title;
      text.textContent = articles[index].text;
      return item;
    }),
  );
}

input.addEventListener("input", search);
input.form.addEventListener("submit", (event) => event.preventDefault());

try {
  const reranker = await Reranker.load();
  // The articles are tokenized once, not at each key press.
  collection = await reranker.prepare(articles.map(({ title, text }) => `${title}. ${text}`));
  status.textContent = "";
  await search();
} catch (error) {
  status.textContent = `Ranking by keywords only: ${error.message}`;
}
