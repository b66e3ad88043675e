/// <reference lib="esnext.disposable" preserve="true" />

// The entry for browsers and bundlers; its types are the package's.
import type { LoadedReranker } from "./api/reranker.js";
import { rerankerOn } from "./api/reranker-on.js";
import { browser } from "./platform/browser.js";

export * from "./exports.js";

/** A cross-encoder: reads a query and a document together and scores how well the document answers the query. */
export const Reranker = rerankerOn(browser);
export type Reranker = LoadedReranker;
