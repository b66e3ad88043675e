// The search of a static site. Pagefind's index finds pages that share words with the question, and Ranklet puts them in order.
import { Reranker } from "ranklet";
import "ranklet/default-model";

const [input, list, status] = ["#query", "#results", "#status"].map((selector) => document.querySelector(selector));

// Pagefind writes this file into the built site.
const pagefind = await import(/* @vite-ignore */ `${import.meta.env.BASE_URL}pagefind/pagefind.js`);
let loading;

/** Loads the model when someone begins to type. A failure is not kept. */
function load() {
  status.textContent = "Loading the model…";
  return Reranker.load().catch((error) => {
    loading = undefined;
    throw error;
  });
}

/** Pagefind finds the pages that have all words of a search, so a question is searched for word by word. */
async function findPages(query) {
  const words = query.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 1);
  const searches = await Promise.all(words.map((word) => pagefind.search(word)));
  const found = new Map();
  for (const { id, score, data } of searches.flatMap(({ results }) => results)) {
    found.set(id, { data, score: score + (found.get(id)?.score ?? 0) });
  }
  const best = [...found.values()].sort((a, b) => b.score - a.score).slice(0, 20);
  return Promise.all(best.map(({ data }) => data()));
}

let typing = new AbortController();

async function search() {
  // A key press ends the ranking for the one before.
  typing.abort();
  typing = new AbortController();
  const { signal } = typing;
  const query = input.value.trim();
  try {
    const reranker = await (loading ??= load());
    const pages = await findPages(query);
    if (signal.aborted) return;
    // The content begins with the title.
    const documents = pages.map(({ content }) => content);
    const { results } = await reranker.rerank({ query, documents, topN: 5, signal });
    if (signal.aborted) return;
    status.textContent = query === "" || results.length > 0 ? "" : "Nothing found.";
    list.replaceChildren(...results.map(({ index }) => item(pages[index])));
  } catch (error) {
    if (error.code !== "aborted") status.textContent = error.message;
  }
}

function item({ url, meta, content }) {
  const element = document.createElement("li");
  const link = element.appendChild(document.createElement("h2")).appendChild(document.createElement("a"));
  link.href = url;
  link.textContent = meta.title;
  element.appendChild(document.createElement("p")).textContent = content.replace(`${meta.title}. `, "");
  return element;
}

input.addEventListener("input", search);
input.form.addEventListener("submit", (event) => event.preventDefault());
