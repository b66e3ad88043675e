/// <reference lib="esnext.disposable" preserve="true" />

// The entry for browsers and bundlers; its types are the package's.
import { rerankerOn } from "./api/reranker-on.js";
import { browser } from "./platform/browser.js";

export * from "./exports.js";

/** A cross-encoder: reads a query and a document together and scores how well the document answers the query. */
export class Reranker extends rerankerOn(browser) {}
