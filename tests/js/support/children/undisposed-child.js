// A separate process that loads, ranks and prepares, and ends without dispose.
import { checkpoint } from "../models/fixtures.js";
import { dist } from "../paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const reranker = await Reranker.load(checkpoint((labels) => labels === 1).url);
await reranker.rerank({ query: "q", documents: ["d"] });
await reranker.prepare(["d"]);
