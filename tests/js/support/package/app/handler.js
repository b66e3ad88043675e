// A function of a server, as a user of the package writes it; the tests of bundlers for servers build it.
import { Reranker } from "ranklet";

const query = "What is the capital of France?";
const documents = ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."];

export async function handler(model, options) {
  const reranker = await Reranker.load(model, options);
  const [{ corpus_id }] = await reranker.rank(query, documents);
  const { backend, warnings } = reranker.info;
  reranker.dispose();
  return { best: corpus_id, workers: backend.workers, warnings };
}
