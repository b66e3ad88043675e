// Code as a user of the package writes it; the tests of bundlers build it.
import { Reranker } from "ranklet";
import "ranklet/default-model";

const documents = [
  "France is a country in Western Europe.",
  "Berlin is the capital of Germany.",
  "Paris is the capital of France and its largest city.",
  "The Eiffel Tower is located in Paris.",
];

// A reranker that nothing refers to is freed, with its workers.
const reranker = (globalThis.reranker = await Reranker.load());
const { results } = await reranker.rerank({ query: "What is the capital of France?", documents, returnDocuments: true });
for (const { document: text } of results) {
  const item = document.createElement("li");
  item.textContent = text;
  document.querySelector("#results").append(item);
}
const shared = await Reranker.shared();
const sharing = document.createElement("p");
sharing.textContent = `shared: ${shared.info.backend.shared}, ${shared.info.warnings.length} warnings`;
document.body.append(sharing);
shared.dispose();
