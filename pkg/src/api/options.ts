import { RankletError } from "../errors.js";
import type { PrepareProgress, ScoreProgress } from "../types.js";
import { abortSignal, array, boolean, callback, iterable, oneOf, positiveInteger, string, wrongType } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

const scoringChecks = {
  scores: oneOf(["model", "raw", "sigmoid"]),
  signal: abortSignal,
};

const callChecks = { ...scoringChecks, onProgress: callback<ScoreProgress> };

/** Checks of `DocumentOptions`. */
const documentChecks = {
  rankFields: fieldNames,
  maxTokensPerDocument: tokenCount,
  longDocuments: oneOf(["truncate", "chunk"]),
};

/** Options of all calls with one query that cannot be applied. */
export const queryRefusals = { instruction: "put the instruction into the query" };

/** Options of other rerankers' APIs (Cohere, Jina, Voyage) that cannot be applied. */
export const rerankRefusals = {
  ...queryRefusals,
  model: "the model is the one that Reranker.load has loaded; leave it out",
  maxChunksPerDoc: 'use longDocuments: "chunk", which scores all chunks, or maxTokensPerDocument to limit them',
  truncation: 'documents that do not fit are cut off, or with longDocuments: "chunk" scored in chunks; leave it out',
  returnEmbeddings: "a cross-encoder has no embeddings; leave it out",
  priority: "calls take turns; leave it out",
};

/** Options of sentence-transformers' `CrossEncoder.rank` that cannot be applied. */
export const rankRefusals = {
  ...queryRefusals,
  batchSize: "the engine divides documents into micro-batches itself, and scores do not depend on it; leave it out",
  showProgressBar: "use onProgress",
  numWorkers: "give workers to Reranker.load",
  activationFn: 'use scores, with "raw" or "sigmoid"',
  activationFct: 'use scores, with "raw" or "sigmoid"',
  applySoftmax: "a softmax needs several labels, and rank needs a model with one; use score()",
  convertToNumpy: "scores are numbers; leave it out",
  convertToTensor: "scores are numbers; leave it out",
};

export const rerankChecks = {
  ...callChecks,
  ...documentChecks,
  query: string,
  documents: array,
  topN: positiveInteger,
  returnDocuments: boolean,
};

export const streamChecks = {
  ...scoringChecks,
  ...documentChecks,
  query: string,
  documents: iterable,
  returnDocuments: boolean,
};

export const scoreChecks = callChecks;

export const rankChecks = { ...callChecks, topK: positiveInteger, returnDocuments: boolean };

export const prepareChecks = { ...documentChecks, signal: abortSignal, onProgress: callback<PrepareProgress> };

export const collectionChecks = {
  ...scoringChecks,
  topN: positiveInteger,
  candidates: documentIndices,
  returnDocuments: boolean,
  latest: boolean,
};

/** Checks a number of tokens, and caps it at the largest that WebAssembly can count, more than any document has. */
function tokenCount(value: unknown, name: string): number {
  return Math.min(positiveInteger(value, name), 0xffff_ffff);
}

function fieldNames(value: unknown, name: string): readonly string[] {
  const names = array(value, name);
  if (names.length === 0) throw new RankletError("input", `${name} must name at least one field`);
  return Array.from(names, (field, position) => string(field, `${name}[${position}]`));
}

function documentIndices(value: unknown, name: string): Uint32Array {
  const values = typeTag(value) === "Uint32Array" ? (value as Uint32Array) : array(value, name);
  return Uint32Array.from(values, (index, position) => {
    if (Number.isInteger(index) && (index as number) >= 0 && (index as number) <= 0xffff_ffff) return index as number;
    throw wrongType(`${name}[${position}]`, "the index of a document in the collection", index);
  });
}
