import { RankletError } from "../errors.js";
import type { PrepareProgress, ScoreProgress } from "../types.js";
import { abortSignal, callback, flag, iterable, list, notOffered, oneOf, positiveInteger, text, wrongType } from "../util/check.js";

const scoringReaders = {
  scores: oneOf(["model", "raw", "sigmoid"]),
  signal: abortSignal,
};

const callReaders = { ...scoringReaders, onProgress: callback<ScoreProgress> };

/** How documents become texts and tokens. */
const documentReaders = {
  rankFields: fieldNames,
  maxTokensPerDocument: tokenCount,
  longDocuments: oneOf(["truncate", "chunk"]),
};

const instructionReader = { instruction: notOffered("put the instruction into the query") };

export const rerankReaders = {
  ...callReaders,
  ...documentReaders,
  ...instructionReader,
  query: text,
  documents: list,
  topN: positiveInteger,
  returnDocuments: flag,
};

export const streamReaders = {
  ...scoringReaders,
  ...documentReaders,
  ...instructionReader,
  query: text,
  documents: iterable,
  returnDocuments: flag,
};

export const scoreReaders = callReaders;

export const rankReaders = { ...callReaders, topK: positiveInteger, returnDocuments: flag };

export const prepareReaders = { ...documentReaders, signal: abortSignal, onProgress: callback<PrepareProgress> };

export const collectionReaders = {
  ...scoringReaders,
  ...instructionReader,
  topN: positiveInteger,
  candidates: indices,
  returnDocuments: flag,
  latest: flag,
};

/** No more than WebAssembly counts to, which is more than any document has. */
function tokenCount(value: unknown, name: string): number {
  return Math.min(positiveInteger(value, name), 0xffff_ffff);
}

function fieldNames(value: unknown, name: string): readonly string[] {
  const names = list(value, name);
  if (names.length === 0) throw new RankletError("input", `${name} must name at least one field`);
  return Array.from(names, (field, at) => text(field, `${name}[${at}]`));
}

function indices(value: unknown, name: string): Uint32Array {
  const given = value instanceof Uint32Array ? value : list(value, name);
  return Uint32Array.from(given, (place, at) => {
    if (Number.isInteger(place) && (place as number) >= 0 && (place as number) <= 0xffff_ffff) return place as number;
    throw wrongType(`${name}[${at}]`, "a document's place in the collection", place);
  });
}
