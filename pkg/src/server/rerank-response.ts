import type { RerankResponse } from "../types.js";
import type { Dialect } from "./dialect.js";
import { type RerankRequest, textOf } from "./rerank-request.js";

/** The number of documents that Cohere counts as one search. */
const documentsPerSearch = 100;

/**
 * Returns the body of a ranking. One object has the fields that all clients read: `results` of Cohere, Jina and others, `data`
 * and `usage` of Voyage, `meta` of Cohere. TEI's clients expect a bare array.
 */
export function rerankBody(dialect: Dialect, request: RerankRequest, { results, unscored, usage }: RerankResponse, model: string): unknown {
  if (dialect === "tei") {
    return results.map(({ index, score, modelScore, highlights }) => ({
      index,
      score,
      ...(modelScore !== undefined && { model_score: modelScore }),
      ...(request.returnDocuments && { text: textEcho(request.documents[index]) }),
      ...(highlights !== undefined && { highlights }),
    }));
  }
  const rows = results.map(({ index, score, modelScore, highlights }) => ({
    index,
    relevance_score: score,
    ...(modelScore !== undefined && { model_score: modelScore }),
    ...(request.returnDocuments && { document: echo(dialect, request.documents[index]) }),
    ...(highlights !== undefined && { highlights }),
  }));
  return {
    id: crypto.randomUUID(),
    object: "rerank",
    model,
    created: now(),
    results: rows,
    data: rows,
    ...(request.deadlineMs !== undefined && { unscored }),
    usage: usageBody(usage.tokens),
    meta: {
      api_version: { version: "2" },
      billed_units: { search_units: Math.ceil(request.documents.length / documentsPerSearch) },
      tokens: { input_tokens: usage.tokens },
    },
  };
}

/** Returns the body of scores in input order, as vLLM has it. */
export function scoreBody(scores: readonly number[], tokens: number, model: string): unknown {
  return {
    id: crypto.randomUUID(),
    object: "list",
    model,
    created: now(),
    data: scores.map((score, index) => ({ index, object: "score", score })),
    usage: usageBody(tokens),
  };
}

function usageBody(tokens: number): unknown {
  return { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
}

/** Returns a document as the dialect's clients read it: Voyage and Infinity a string, the others an object. */
function echo(dialect: Dialect, document: string | object | undefined): unknown {
  if (dialect === "voyage" || dialect === "infinity") return textEcho(document);
  return typeof document === "string" ? { text: document } : document;
}

/** Returns a document as a string: its text, or as JSON if it has none, because its clients read no objects. */
function textEcho(document: string | object | undefined): string {
  return textOf(document) ?? JSON.stringify(document);
}

/** Seconds since 1970. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}
