import { documentTexts } from "../documents/documents.js";
import type { FuseOptions, Scores } from "../types.js";
import { isObject, kindOf } from "../util/check.js";
import { scoresValues, structuredTextValues } from "../util/union-values.js";
import { type Dialect, wrongFieldStatus } from "./dialect.js";
import { HttpError, toHttpError } from "./http-error.js";
import type { Settings } from "./options.js";

/** The limits of a server that requests are checked against. */
type Limits = Pick<Settings, "maxBodyBytes" | "maxDocuments" | "maxTokensPerDocument">;

/** A request for a ranking, in any dialect. */
export interface RerankRequest {
  readonly query: string;
  /** The documents as they were sent. */
  readonly documents: readonly (string | object)[];
  /** The name of the field that has them. */
  readonly documentsField: string;
  /** The texts of the documents. */
  readonly texts: readonly string[];
  /** Max number of results. `undefined` is all. */
  readonly topN: number | undefined;
  /** Whether each result includes its document. */
  readonly returnDocuments: boolean;
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
/** A name is compared with the names of each document's fields, and so is each part of it that ends before a dot. */
const maxRankFieldBytes = 256;
const maxRankFieldDots = 32;
/** The fields that only requests for rankings have. */
const rankingFields = ["deadline_ms", "deadlineMs", "min_score", "minScore", "fuse", "highlights"];

function tooMany(count: number, what: string, max: number): HttpError {
  return new HttpError(413, `the request has ${count} ${what}, and the server takes ${max} per request`);
}

/**
 * Reads a request for a ranking. Each optional field may be `null`. Unknown fields are left alone, because every client sends
 * some of its own.
 * @throws HttpError 400 for a field with a wrong value and for an instruction (422 for Infinity and TEI), 413 for too many documents
 *   and too long texts
 */
export function readRerankRequest(body: Body, dialect: Dialect, limits: Limits): RerankRequest {
  const fields = new Fields(body, dialect);
  const documentsField = dialect === "tei" ? "texts" : "documents";
  const documents = fields.documents(documentsField);
  if (documents.length > limits.maxDocuments) throw tooMany(documents.length, "documents", limits.maxDocuments);
  fields.refuseInstruction();
  const topN = fields.topN("top_n") ?? fields.topN("top_k");
  return {
    query: fields.text("query"),
    documents,
    documentsField,
    texts: fields.textsOf(documents, documentsField, limits.maxBodyBytes),
    // The clients of TEI expect all texts back.
    topN: dialect === "tei" ? undefined : topN,
    returnDocuments: fields.flag("return_documents") ?? fields.flag("return_text") ?? false,
    minScore: fields.number("min_score", "minScore"),
    deadlineMs: fields.number("deadline_ms", "deadlineMs", 0),
    fuse: fields.object("fuse") as FuseOptions | undefined,
    maxTokensPerDocument: fields.maxTokens(limits),
    scores: fields.scores(),
    highlights: fields.positive("highlights"),
  };
}

/** A request for the scores of pairs: one query and several documents, or as many queries as documents. */
export interface ScoreRequest {
  readonly queries: readonly string[];
  /** The texts of the documents. */
  readonly documents: readonly string[];
  /** The name of the field that has the documents. */
  readonly documentsField: string;
  readonly maxTokensPerDocument: number | undefined;
  readonly scores: Scores;
}

/**
 * Reads a request for scores. Its queries are in `text_1`, `data_1`, `queries` or `query`, its documents in `text_2`, `data_2`,
 * `documents` or `items`, as in vLLM. It has one query, or as many queries as documents.
 * @throws HttpError 400 for a wrong value, for an instruction and for a field that only rankings have; 413 for too many pairs and
 *   too long texts
 */
export function readScoreRequest(body: Body, limits: Limits): ScoreRequest {
  const fields = new Fields(body, "documents");
  fields.refuseRanking();
  const queryField = fields.firstOf("text_1", "data_1", "queries", "query");
  const documentsField = fields.firstOf("text_2", "data_2", "documents", "items");
  const queries = fields
    .documents(queryField)
    .map((query, index) => textOf(query) ?? fields.fail(`${queryField}[${index}]`, "a string or an object with a string in text", query));
  const documents = fields.documents(documentsField);
  if (documents.length > limits.maxDocuments) throw tooMany(documents.length, "pairs", limits.maxDocuments);
  if (queries.length !== 1 && queries.length !== documents.length) {
    throw new HttpError(
      400,
      `${queryField} must have one text, or as many as ${documentsField}: ${queries.length} and ${documents.length} were sent`,
    );
  }
  fields.refuseInstruction();
  return {
    queries,
    documents: fields.textsOf(documents, documentsField, limits.maxBodyBytes),
    documentsField,
    maxTokensPerDocument: fields.maxTokens(limits),
    scores: fields.scores(),
  };
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

  /** Reads a max number of results. A number below 1 is no maximum, as vLLM has it. */
  topN(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value)) this.fail(name, "a whole number", value);
    return (value as number) > 0 ? (value as number) : undefined;
  }

  /** Reads the max number of tokens of a document. 0 is no maximum, as vLLM has it, and the server's own holds in any case. */
  maxTokens({ maxTokensPerDocument }: Limits): number | undefined {
    const value = this.#get("max_tokens_per_doc") ?? 0;
    if (!Number.isSafeInteger(value) || (value as number) < 0) this.fail("max_tokens_per_doc", "a whole number of 0 or more", value);
    if (value === 0) return maxTokensPerDocument;
    return Math.min(value as number, maxTokensPerDocument ?? Infinity);
  }

  /**
   * Returns the texts of documents, with the fields that say what they are.
   * @param name the field that has the documents
   */
  textsOf(documents: readonly (string | object)[], name: string, maxBytes: number): string[] {
    const options = { rankFields: this.#rankFields(), structured: this.choice("structured", structuredTextValues) };
    const tooLong = (index: number): HttpError =>
      new HttpError(
        413,
        `${name}[${index}] makes the texts of all documents longer than ${maxBytes} bytes together; name fewer fields in rank_fields`,
      );
    try {
      return documentTexts(documents, options, { nameOf: (index) => `${name}[${index}]`, maxBytes, tooLong });
    } catch (error) {
      throw toHttpError(error, this.#dialect);
    }
  }

  /** Reads the names of fields. An empty list is no list. */
  #rankFields(): readonly string[] | undefined {
    const name = "rank_fields";
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length > maxRankFields) throw tooMany(value.length, name, maxRankFields);
    if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) return this.fail(name, "an array of strings", value);
    const names = value as readonly string[];
    const long = names.findIndex(
      (field) => new TextEncoder().encode(field).length > maxRankFieldBytes || field.split(".").length - 1 > maxRankFieldDots,
    );
    if (long !== -1) this.refuse(`${name}[${long}] must have at most ${maxRankFieldBytes} bytes and ${maxRankFieldDots} dots`);
    return names.length === 0 ? undefined : names;
  }

  /** Refuses the fields that only requests for rankings have. */
  refuseRanking(): void {
    const name = rankingFields.find((field) => this.#get(field) !== undefined);
    if (name !== undefined) this.refuse(`${name} belongs to /rerank, and /score cannot obey it: leave it out`);
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

  /**
   * Reads the kind of scores: `scores`, or the flags of Text Embeddings Inference, Infinity and vLLM, whose clients always send them.
   * `activation` is vLLM's older name of `use_activation`.
   */
  scores(): Scores {
    const useActivation = this.flag("use_activation") ?? this.flag("activation");
    const isRaw = this.flag("raw_scores") === true || useActivation === false;
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
