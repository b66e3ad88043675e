import { RankletError } from "../errors.js";
import type { CompareProgress, DocumentSource, ExplainProgress, PrepareProgress, ScoreProgress } from "../types.js";
import {
  abortSignal,
  array,
  boolean,
  type Check,
  callback,
  maxUint32,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  string,
  wrongType,
} from "../util/check.js";
import { typeTag } from "../util/type-tag.js";
import { explainedTextsValues, longDocumentsValues, scoresValues, structuredTextValues, textUnitValues } from "../util/union-values.js";
import { fuseOptions } from "./fusion.js";

const scoringChecks = {
  scores: oneOf(scoresValues),
  signal: abortSignal,
};

const callChecks = { ...scoringChecks, onProgress: callback<ScoreProgress> };

/** Checks of `TextOptions`. */
export const textChecks = { rankFields: fieldNames, structured: oneOf(structuredTextValues) };

/** Checks of `DocumentOptions`. */
const documentChecks = { ...textChecks, maxTokensPerDocument: capped(positiveInteger), longDocuments: oneOf(longDocumentsValues) };

/** Checks of `ResultOptions`. */
const rankingChecks = {
  topN: positiveInteger,
  minScore: finiteNumber,
  deadlineMs: positiveNumber,
  fuse: fuseOptions,
  highlights: positiveInteger,
};

/** Options of all calls with one query that cannot be applied. */
export const queryRefusals = { instruction: "put the instruction into the query" };

/** Options of other libraries, most of them of sentence-transformers and transformers, that calls which score cannot apply. */
export const scoringRefusals = {
  batchSize: "the engine divides documents into micro-batches itself, and scores do not depend on it; leave it out",
  numWorkers: "give workers to Reranker.load",
  maxLength: "give maxLength to Reranker.load",
  normalize: 'use scores, with "raw" or "sigmoid"',
  activationFn: 'use scores, with "raw" or "sigmoid"',
  activationFct: 'use scores, with "raw" or "sigmoid"',
  applySoftmax: 'compute it from the logits of all labels, which score() returns with scores: "raw"',
  convertToNumpy: "scores are numbers; leave it out",
  convertToTensor: "scores are numbers; leave it out",
};

/** Options of other libraries that calls which rank cannot apply. */
export const rankingRefusals = { ...queryRefusals, ...scoringRefusals, threshold: "use minScore" };

const useTopN = "use topN";

/** Options of other libraries that `collection.rank` cannot apply. */
export const collectionRefusals = { ...rankingRefusals, limit: useTopN };

const bestAtEnd = "the best results are known at the end; use rerank, or collection.rank, which yields the best so far";

/** Options of other calls that `stream` cannot apply. */
export const streamRefusals = {
  ...rankingRefusals,
  limit: bestAtEnd,
  topN: bestAtEnd,
  deadlineMs: "leave the loop when the time is up",
  fuse: "ranks are known at the end; use rerank or collection.rank",
};

/** Options of other calls that `score` cannot apply. */
export const scoreRefusals = {
  ...scoringRefusals,
  minScore: "score returns the scores of all pairs; use rerank",
  deadlineMs: "score returns the scores of all pairs; use rerank",
  fuse: "score has no ranking; use rerank",
  highlights: "score has no results; use rerank",
};

/** Options of other rerankers' APIs (Cohere, Jina, Voyage) that cannot be applied. */
export const rerankRefusals = {
  ...rankingRefusals,
  limit: useTopN,
  model: "the model is the one that Reranker.load has loaded; leave it out",
  maxChunksPerDoc: 'use longDocuments: "chunk", which scores all chunks, or maxTokensPerDocument to limit them',
  truncation: 'documents that do not fit are cut off, or with longDocuments: "chunk" scored in chunks; leave it out',
  returnEmbeddings: "a cross-encoder has no embeddings; leave it out",
  priority: "calls take turns; leave it out",
};

/** Options of other calls, and of sentence-transformers' `CrossEncoder.rank`, that `rank` cannot apply. */
export const rankRefusals = {
  ...rankingRefusals,
  limit: "use topK",
  showProgressBar: "use onProgress",
  deadlineMs: "use rerank, which lists the documents that were not scored",
  fuse: "use rerank, which returns both scores",
  highlights: "use rerank",
  rankFields: "use rerank",
  structured: "use rerank",
};

export const rerankChecks = {
  ...callChecks,
  ...documentChecks,
  ...rankingChecks,
  query: string,
  documents: array,
  returnDocuments: boolean,
};

export const streamChecks = {
  ...scoringChecks,
  ...documentChecks,
  query: string,
  documents: documentSource,
  minScore: finiteNumber,
  highlights: positiveInteger,
  returnDocuments: boolean,
};

export const scoreChecks = callChecks;

export const rankChecks = { ...callChecks, topK: positiveInteger, minScore: finiteNumber, returnDocuments: boolean };

export const prepareChecks = { ...documentChecks, signal: abortSignal, onProgress: callback<PrepareProgress> };

export const collectionChecks = {
  ...scoringChecks,
  ...rankingChecks,
  candidates: documentIndices,
  returnDocuments: boolean,
  latest: boolean,
};

const compareOptionChecks = {
  ...textChecks,
  longDocuments: oneOf(longDocumentsValues),
  unit: oneOf(textUnitValues),
  samples: capped(nonNegativeInteger),
  signal: abortSignal,
};

export const compareChecks = { ...compareOptionChecks, onProgress: callback<CompareProgress> };

export const explainCostChecks = { ...compareOptionChecks, of: oneOf(explainedTextsValues) };

export const explainChecks = { ...explainCostChecks, onProgress: callback<ExplainProgress> };

/** Options of other calls that explanations cannot apply. */
export const explainRefusals = {
  ...queryRefusals,
  scores: "contributions are differences of logits",
  maxTokensPerDocument: "an explanation reads as much of the document as fits; leave it out",
};

/** Options of `explain` that `explainCost` cannot apply. */
export const explainCostRefusals = { ...explainRefusals, onProgress: "nothing is scored; leave it out" };

/** Options of `explain` that `compare` cannot apply. */
export const compareRefusals = { ...explainRefusals, of: "the two documents are explained; explain() explains a query" };

/**
 * Returns a check that caps a number of tokens or samples at the largest that WebAssembly can count, more than any document has
 * and than the engine accepts.
 */
function capped(check: Check<number>): Check<number> {
  return (value, name) => Math.min(check(value, name), maxUint32);
}

function finiteNumber(value: unknown, name: string): number {
  if (Number.isFinite(value)) return value as number;
  throw wrongType(name, "a finite number", value);
}

function positiveNumber(value: unknown, name: string): number {
  if (Number.isFinite(value) && (value as number) > 0) return value as number;
  throw wrongType(name, "a number above 0", value);
}

function fieldNames(value: unknown, name: string): readonly string[] {
  const names = array(value, name);
  if (names.length === 0) throw new RankletError("input", `${name} must name at least one field`);
  return Array.from(names, (field, position) => string(field, `${name}[${position}]`));
}

/** Checks a source of documents: an object that is an iterable, of either kind, or a web stream. */
export function documentSource(value: unknown, name: string): DocumentSource {
  if (typeof value === "object" && value !== null && [Symbol.iterator, Symbol.asyncIterator, "getReader"].some((member) => member in value))
    return value as DocumentSource;
  throw wrongType(name, "an array or another iterable, or a web stream", value);
}

/** Checks a pair of `score`. */
export function checkPair(value: unknown, index: number): readonly [query: string, document: string] {
  const name = `score: pairs[${index}]`;
  const [query, document, ...extra] = array(value, name);
  if (extra.length > 0) throw new RankletError("input", `${name} must be [query, document], without a third item`);
  return [string(query, `${name}[0], the query,`), string(document, `${name}[1], the document,`)];
}

function documentIndices(value: unknown, name: string): Uint32Array {
  const values = typeTag(value) === "Uint32Array" ? (value as Uint32Array) : array(value, name);
  return Uint32Array.from(values, (index, position) => {
    if (Number.isInteger(index) && (index as number) >= 0 && (index as number) <= maxUint32) return index as number;
    throw wrongType(`${name}[${position}]`, "the index of a document in the collection", index);
  });
}
