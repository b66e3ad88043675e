import { RankletError } from "../errors.js";
import type { Reranker } from "../index.js";
import type { LongDocuments } from "../types.js";
import {
  array,
  type Check,
  callback,
  checkOptions,
  maxTimerMs,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  string,
} from "../util/check.js";
import { longDocumentsValues } from "../util/union-values.js";

/**
 * The model that a handler serves: a loaded reranker, or a function that loads one. The function is called by the first
 * request that needs the model, and again by a later request if it rejects.
 */
export type RerankerSource = ServedReranker | (() => ServedReranker | Promise<ServedReranker>);

/** The members of a `Reranker` that a handler uses. */
export type ServedReranker = Pick<Reranker, "rerank" | "info">;

/** Options of `createHandler`. */
export interface HandlerOptions {
  /** The model's name in responses and in `/models`. Default `"ranklet"`. */
  readonly model?: string | undefined;
  /** A path that all routes start with, such as `"/api"`. Default: none. */
  readonly basePath?: string | undefined;
  /**
   * The keys that clients may send as `Authorization: Bearer KEY`. `/health` needs none. If the option is absent, no key is needed; it
   * must not be `undefined`, as the value of an environment variable that is not set is.
   */
  readonly apiKeys?: string | readonly string[];
  /** The origins that browsers may call from: `"*"`, one origin or several. Default: none, so that only the page's own origin can. */
  readonly cors?: string | readonly string[] | undefined;
  /** Max bytes of a request's body, and of the texts of its documents together. Default 16 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Max time for a client to send its body, in milliseconds. Default 30,000. */
  readonly bodyTimeoutMs?: number | undefined;
  /** Max number of documents of a request, and of sentences that are scored for its highlights. Default 1,000. */
  readonly maxDocuments?: number | undefined;
  /** Max tokens of a document; a request may ask for less. Default: as many as fit into the pair. */
  readonly maxTokensPerDocument?: number | undefined;
  /** How to score documents that do not fit into a pair with the query. Default `"truncate"`. */
  readonly longDocuments?: LongDocuments | undefined;
  /** Max number of requests that are scored at the same time. They take turns after each micro-batch. Default 16. */
  readonly maxConcurrent?: number | undefined;
  /** Max number of requests that wait for their turn. One more is answered with 429 at once. Default 256. */
  readonly maxQueue?: number | undefined;
  /** Receives each error that is answered with status 500 or 503, so that you can log it. An error that it throws is ignored. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** The options with their defaults. */
export interface Settings {
  readonly model: string;
  readonly basePath: string;
  readonly apiKeys: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
  readonly maxDocuments: number;
  readonly maxTokensPerDocument: number | undefined;
  readonly longDocuments: LongDocuments;
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  readonly onError: (error: unknown) => void;
}

const checks = {
  model: nonEmpty,
  basePath: pathPrefix,
  apiKeys: keyList,
  cors: originList,
  maxBodyBytes: positiveInteger,
  bodyTimeoutMs: positiveInteger,
  maxDocuments: positiveInteger,
  maxTokensPerDocument: positiveInteger,
  longDocuments: oneOf(longDocumentsValues),
  maxConcurrent: positiveInteger,
  maxQueue: nonNegativeInteger,
  onError: callback<unknown>,
} satisfies Readonly<Record<keyof HandlerOptions, Check<unknown>>>;

/** @throws RankletError `input` for an unknown option or a wrong value */
export function readSettings(options: HandlerOptions | undefined): Settings {
  const checked = checkOptions("createHandler", options, checks);
  if (options !== undefined && "apiKeys" in options && checked.apiKeys === undefined) {
    throw new RankletError("input", "createHandler: apiKeys is undefined; leave it out to let every client in");
  }
  return {
    model: checked.model ?? "ranklet",
    basePath: checked.basePath ?? "",
    apiKeys: checked.apiKeys ?? [],
    corsOrigins: checked.cors ?? [],
    maxBodyBytes: checked.maxBodyBytes ?? 16 * 1024 * 1024,
    bodyTimeoutMs: Math.min(checked.bodyTimeoutMs ?? 30_000, maxTimerMs),
    maxDocuments: checked.maxDocuments ?? 1000,
    maxTokensPerDocument: checked.maxTokensPerDocument,
    longDocuments: checked.longDocuments ?? "truncate",
    maxConcurrent: checked.maxConcurrent ?? 16,
    maxQueue: checked.maxQueue ?? 256,
    onError: checked.onError ?? (() => {}),
  };
}

function nonEmpty(value: unknown, name: string): string {
  const text = string(value, name);
  if (text === "") throw new RankletError("input", `${name} is empty`);
  return text;
}

/**
 * Reads one key or a list of keys. An empty key or list, such as a variable that is not set, would let every client in, so it is
 * refused.
 */
function keyList(value: unknown, name: string): readonly string[] {
  const keys = textList(value, name);
  if (keys.length === 0) throw new RankletError("input", `${name} has no key; leave it out to let every client in`);
  return keys;
}

/** Reads one origin or a list of origins. */
function originList(value: unknown, name: string): readonly string[] {
  return textList(value, name).map((text) => {
    const origin = originOf(text);
    if (origin !== undefined) return origin;
    throw new RankletError("input", `${name} must have origins such as "https://example.com", without a path, or "*", not "${text}"`);
  });
}

/**
 * Returns an origin as browsers send it: without a slash at the end, and for http and https in lowercase and without the default
 * port. Returns `undefined` for a text that no browser sends.
 */
function originOf(text: string): string | undefined {
  if (["*", "null", "file://"].includes(text)) return text;
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([a-z0-9._:[\]-]+)\/?$/i.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const defaultPort = { http: /:80$/, https: /:443$/ }[scheme.toLowerCase()];
  if (defaultPort === undefined) return `${scheme.toLowerCase()}://${host}`;
  return `${scheme}://${host}`.toLowerCase().replace(defaultPort, "");
}

/** Reads one string or a list of strings. */
function textList(value: unknown, name: string): readonly string[] {
  return typeof value === "string" ? [nonEmpty(value, name)] : array(value, name).map((item, index) => nonEmpty(item, `${name}[${index}]`));
}

function pathPrefix(value: unknown, name: string): string {
  const path = string(value, name).replace(/\/+$/, "");
  if (path !== "" && !path.startsWith("/")) throw new RankletError("input", `${name} must start with "/"`);
  return path;
}
