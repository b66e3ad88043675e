import type { FuseOptions, Scores, StructuredText } from "../types.js";
import { isObject, kindOf } from "../util/check.js";
import { scoresValues, structuredTextValues } from "../util/union-values.js";
import { type Dialect, wrongFieldStatus } from "./dialect.js";
import { HttpError } from "./http-error.js";
import type { Settings } from "./options.js";

/** A request for a ranking, in any dialect. */
export interface RerankRequest {
  readonly query: string;
  readonly documents: readonly (string | object)[];
  /** Max number of results. `undefined` is all. */
  readonly topN: number | undefined;
  /** Whether each result includes its document. */
  readonly returnDocuments: boolean;
  readonly rankFields: readonly string[] | undefined;
  readonly structured: StructuredText | undefined;
  readonly minScore: number | undefined;
  /** The time from the request to the answer. */
  readonly deadlineMs: number | undefined;
  /** An object without `null`. The reranker checks its fields. */
  readonly fuse: FuseOptions | undefined;
  readonly maxTokensPerDocument: number | undefined;
  readonly scores: Scores;
  /** Max number of best sentences of each result. `undefined` is none. */
  readonly highlights: number | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/**
 * Returns a body without the object `inputs`, in which Hugging Face's text-ranking task has the query and the texts: its fields
 * come to those beside it. A body with a query stays as it is.
 */
export function withoutInputs(body: Body): Body {
  const { inputs, ...rest } = body;
  return isObject(inputs) && (body["query"] ?? undefined) === undefined ? { ...rest, ...inputs } : body;
}

/** Each field is looked for in each document. */
const maxRankFields = 100;

function tooMany(count: number, what: string, max: number): HttpError {
  return new HttpError(413, `the request has ${count} ${what}, and the server takes ${max} per request`);
}

/**
 * Reads a request for a ranking. Each optional field may be `null`. Unknown fields are left alone, because every client sends
 * some of its own.
 * @throws HttpError 400 for a field with a wrong value and for an instruction (422 for Infinity and TEI), 413 for too many documents
 */
export function readRerankRequest(
  body: Body,
  dialect: Dialect,
  limits: Pick<Settings, "maxDocuments" | "maxTokensPerDocument">,
): RerankRequest {
  const fields = new Fields(body, dialect);
  const documents = fields.documents(dialect === "tei" ? "texts" : "documents");
  if (documents.length > limits.maxDocuments) throw tooMany(documents.length, "documents", limits.maxDocuments);
  fields.refuseInstruction();
  const maxTokens = fields.count("max_tokens_per_doc");
  const allTokens = [maxTokens, limits.maxTokensPerDocument].filter((limit) => limit !== undefined);
  return {
    query: fields.text("query"),
    documents,
    // The clients of TEI expect all texts back.
    topN: dialect === "tei" ? undefined : (fields.count("top_n") ?? fields.count("top_k")),
    returnDocuments: fields.flag("return_documents") ?? fields.flag("return_text") ?? false,
    rankFields: fields.names("rank_fields", maxRankFields),
    structured: fields.choice("structured", structuredTextValues),
    minScore: fields.number("min_score", "minScore"),
    deadlineMs: fields.number("deadline_ms", "deadlineMs", 0),
    fuse: fields.object("fuse") as FuseOptions | undefined,
    maxTokensPerDocument: allTokens.length === 0 ? undefined : Math.min(...allTokens),
    scores: fields.scores(),
    highlights: fields.positive("highlights"),
  };
}

/** A request for the scores of pairs: one query and several documents, or as many queries as documents. */
export interface ScoreRequest {
  readonly queries: readonly string[];
  readonly documents: readonly (string | object)[];
  readonly scores: Scores;
}

/**
 * Reads a request for scores. Its queries are in `text_1`, `data_1`, `queries` or `query`, its documents in `text_2`, `data_2`,
 * `documents` or `items`, as in vLLM. It has one query, or as many queries as documents.
 * @throws HttpError 400 for a field with a wrong value and for an instruction, 413 for too many pairs
 */
export function readScoreRequest(body: Body, limits: Pick<Settings, "maxDocuments">): ScoreRequest {
  const fields = new Fields(body, "documents");
  const queryField = fields.firstOf("text_1", "data_1", "queries", "query");
  const documentField = fields.firstOf("text_2", "data_2", "documents", "items");
  const queries = fields
    .documents(queryField)
    .map((query, index) => textOf(query) ?? fields.fail(`${queryField}[${index}]`, "a string", query));
  const documents = fields.documents(documentField);
  if (documents.length > limits.maxDocuments) throw tooMany(documents.length, "pairs", limits.maxDocuments);
  if (queries.length !== 1 && queries.length !== documents.length) {
    throw new HttpError(
      400,
      `${queryField} must have one text, or as many as ${documentField}: ${queries.length} and ${documents.length} were sent`,
    );
  }
  fields.refuseInstruction();
  return { queries, documents, scores: fields.scores() };
}

/** The fields of a body. `null` counts as absent. */
class Fields {
  readonly #body: Body;
  readonly #dialect: Dialect;

  constructor(body: Body, dialect: Dialect) {
    this.#body = body;
    this.#dialect = dialect;
  }

  /** Returns the first name whose field is present, or else the first name. */
  firstOf(...names: readonly [string, ...string[]]): string {
    return names.find((name) => this.#get(name) !== undefined) ?? names[0];
  }

  text(name: string): string {
    const value = this.#get(name);
    return textOf(value) ?? this.fail(name, "a string", value);
  }

  documents(name: string): readonly (string | object)[] {
    const value = this.#get(name);
    const list = typeof value === "string" ? [value] : value;
    if (!Array.isArray(list)) return this.fail(name, "an array of strings or objects", value);
    list.forEach((item: unknown, index) => {
      if (typeof item !== "string" && !isObject(item)) this.fail(`${name}[${index}]`, "a string or an object", item);
    });
    return list as (string | object)[];
  }

  /** Reads a max number. 0 is no maximum, as vLLM has it. */
  count(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined || value === 0) return undefined;
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : this.fail(name, "a whole number of 0 or more", value);
  }

  positive(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : this.fail(name, "a whole number of 1 or more", value);
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    return value === undefined || typeof value === "boolean" ? value : this.fail(name, "true or false", value);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const quoted = choices.map((choice) => `"${choice}"`);
    return choices.find((choice) => choice === value) ?? this.fail(name, `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`, value);
  }

  /** Refuses an instruction. The models that take one run in `ranklet serve` alone. */
  refuseInstruction(): void {
    const value = this.#get("instruction");
    if (value === undefined || value === "") return;
    if (typeof value !== "string") this.fail("instruction", "a string", value);
    this.refuse("this model takes no instruction: put it into the query");
  }

  /** Reads the kind of scores: `scores`, or the flags of Text Embeddings Inference, Infinity and vLLM, whose clients always send them. */
  scores(): Scores {
    const isRaw = this.flag("raw_scores") === true || this.flag("use_activation") === false;
    const scores = this.choice("scores", scoresValues);
    if (isRaw && scores !== undefined && scores !== "raw")
      this.refuse(`scores is "${scores}", and raw_scores or use_activation asks for logits`);
    return scores ?? (isRaw ? "raw" : "sigmoid");
  }

  /** Reads a finite number above `above`. The field has no name in any dialect, so it may be spelled as in JavaScript too. */
  number(name: string, camelCase: string, above = -Infinity): number | undefined {
    const value = this.#get(name) ?? this.#get(camelCase);
    if (value === undefined) return undefined;
    return Number.isFinite(value) && (value as number) > above
      ? (value as number)
      : this.fail(name, above === -Infinity ? "a number" : `a number above ${above}`, value);
  }

  /** Reads an object. Its fields that are `null` are left out. */
  object(name: string): object | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    return isObject(value)
      ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
      : this.fail(name, "an object", value);
  }

  /** Reads a list of names. An empty list is no list. */
  names(name: string, max: number): readonly string[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length > max) throw tooMany(value.length, name, max);
    if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) return this.fail(name, "an array of strings", value);
    return value.length === 0 ? undefined : (value as string[]);
  }

  fail(name: string, expected: string, value: unknown): never {
    return this.refuse(
      value === undefined ? `${name} is missing; it must be ${expected}` : `${name} must be ${expected}, not ${kindOf(value)}`,
    );
  }

  refuse(message: string): never {
    throw new HttpError(wrongFieldStatus(this.#dialect), message);
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#body, name) ? (this.#body[name] ?? undefined) : undefined;
  }
}

/** Returns a text, which may also be an object with `text`. Returns `undefined` for anything else. */
export function textOf(value: unknown): string | undefined {
  const text = isObject(value) ? value["text"] : value;
  return typeof text === "string" ? text : undefined;
}
