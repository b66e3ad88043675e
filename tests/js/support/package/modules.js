// The package's separate modules, which its entries are bundled from: their engine can be reached, that of the entries not.
import { dist } from "../paths.js";

const { rerankerOn } = await import(new URL("api/reranker-on.js", dist));
const { node } = await import(new URL("platform/node.js", dist));

/** The engine's glue, of which `Reranker` uses the same instance. */
export const glue = await import(new URL("wasm/ranklet.js", dist));
/** The class of the entry for Node. */
export const Reranker = rerankerOn(node);
