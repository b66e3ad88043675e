export type * from "./types/collection.js";
export type * from "./types/documents.js";
export type * from "./types/explain.js";
export type * from "./types/load.js";
export type * from "./types/model.js";
export type * from "./types/rerank.js";
export type * from "./types/results.js";
export type * from "./types/scoring.js";
