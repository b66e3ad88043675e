import { RankletError } from "../errors.js";
import type { RerankOptions, Scores } from "../types.js";
import { abortable } from "../util/abort.js";
import { wrongType } from "../util/check.js";
import { loadOnce } from "../util/load-once.js";
import { checkSentences } from "../util/symbols.js";
import { corsHeaders, KeyCheck, preflightHeaders } from "./access.js";
import { Admission } from "./admission.js";
import { readJsonObject } from "./body.js";
import { type Dialect, dialectOf, errorBody, wrongFieldStatus } from "./dialect.js";
import { HttpError, toHttpError, toLoadError } from "./http-error.js";
import { Metrics } from "./metrics.js";
import { type HandlerOptions, type RerankerSource, readSettings, type ServedReranker, type Settings } from "./options.js";
import { type RerankRequest, readRerankRequest, readScoreRequest, type ScoreRequest, withoutInputs } from "./rerank-request.js";
import { rerankBody, scoreBody } from "./rerank-response.js";
import { type Scored, scorePairs } from "./score-pairs.js";

/** The context of a request, as Cloudflare Workers have it. */
export interface RequestContext {
  waitUntil?(promise: Promise<unknown>): void;
}

/** A `fetch`-style function: it answers a request, and never rejects. */
export interface RerankHandler {
  /**
   * @param _env not used; it is here because a Worker's `fetch` has the context as its third argument
   * @param context kept until the request is answered, so that a client that leaves does not stop what other requests wait for
   */
  (request: Request, _env?: unknown, context?: RequestContext): Promise<Response>;
  /** Refuses new requests with 503. Resolves when the requests under way are answered. The reranker stays loaded. */
  close(): Promise<void>;
}

const routes = {
  "/rerank": "POST",
  "/v1/rerank": "POST",
  "/v2/rerank": "POST",
  "/score": "POST",
  "/v1/score": "POST",
  "/health": "GET",
  "/models": "GET",
  "/v1/models": "GET",
  "/metrics": "GET",
} as const satisfies Readonly<Record<string, "GET" | "POST">>;
type Route = keyof typeof routes;

/** How often the timer of a request runs, in milliseconds. It does nothing. */
const timerMs = 10_000;

/**
 * Creates a function that answers requests to rerank documents, in the formats of Cohere, Jina, Voyage, Together, Text
 * Embeddings Inference, vLLM and Infinity.
 * @throws RankletError `input` for an unknown option or a wrong value; `unsupported` for a model with several labels. If the source
 *   is a function, requests that need its model are answered with 500 then, and `onError` has the error.
 */
export function createHandler(source: RerankerSource, options?: HandlerOptions): RerankHandler {
  const server = new Server(source, readSettings(options));
  const handle = (request: Request, _env?: unknown, context?: RequestContext): Promise<Response> => {
    const answer = server.answer(request, context);
    if (context?.waitUntil !== undefined) keepAlive(context, answer);
    return answer;
  };
  return Object.assign(handle, { close: () => server.close() });
}

/**
 * Keeps a request's context until the answer is there. When a client leaves, workerd would drop the promises of its request without
 * settling them, and the request would keep its turn forever.
 */
function keepAlive(context: RequestContext, answer: Promise<Response>): void {
  // workerd takes a request for hung, and ends it, if it waits for other requests alone, as for its turn. A timer is its own.
  const timer = setInterval(() => {}, timerMs);
  context.waitUntil?.(answer.finally(() => clearInterval(timer)));
}

/** A request while it is answered. The dialect, in which errors are answered too, is known after the body is read. */
interface Exchange {
  readonly request: Request;
  readonly context: RequestContext | undefined;
  /** When the request came, by `performance.now()`. */
  readonly started: number;
  dialect: Dialect;
  /** The name of the field that has the documents. */
  documentsField: string;
}

class Server {
  readonly #settings: Settings;
  readonly #reranker: () => Promise<ServedReranker>;
  readonly #keys: KeyCheck;
  readonly #admission: Admission;
  readonly #metrics = new Metrics();

  constructor(source: RerankerSource, settings: Settings) {
    this.#settings = settings;
    if (typeof source !== "function") checkRankable(source);
    this.#reranker = loadOnce(async () => (typeof source === "function" ? checkRankable(await source()) : source));
    this.#keys = new KeyCheck(settings.apiKeys);
    this.#admission = new Admission(settings);
  }

  close(): Promise<void> {
    return this.#admission.close();
  }

  async answer(request: Request, context: RequestContext | undefined): Promise<Response> {
    const { corsOrigins } = this.#settings;
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflightHeaders(corsOrigins, request) });
    const headers = corsHeaders(corsOrigins, request);
    const route = this.#route(request);
    const exchange: Exchange = { request, context, started: performance.now(), dialect: "documents", documentsField: "documents" };
    let response: Response;
    try {
      response = await this.#respond(exchange, route);
    } catch (error) {
      response = this.#failure(exchange, error);
    }
    this.#metrics.countRequest(route ?? "other", response.status);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  }

  /** Returns the route of a request, or `undefined` for another path. */
  #route(request: Request): Route | undefined {
    const { pathname } = new URL(request.url);
    const { basePath } = this.#settings;
    if (!pathname.startsWith(basePath)) return undefined;
    const path = pathname.slice(basePath.length).replace(/\/+$/, "");
    return Object.hasOwn(routes, path) ? (path as Route) : undefined;
  }

  async #respond(exchange: Exchange, route: Route | undefined): Promise<Response> {
    const { request } = exchange;
    if (route === undefined)
      throw new HttpError(404, `there is nothing at ${new URL(request.url).pathname}; known paths are ${Object.keys(routes).join(", ")}`);
    const method = routes[route];
    if (request.method !== method && !(method === "GET" && request.method === "HEAD")) {
      throw new HttpError(405, `${route} answers ${method} only`, { headers: { allow: method } });
    }
    if (route === "/health") return this.#health();
    await this.#keys.check(request.headers);
    switch (route) {
      case "/metrics":
        return new Response(this.#metrics.text(this.#admission), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
      case "/models":
      case "/v1/models":
        return this.#models(route);
      case "/score":
      case "/v1/score":
        return this.#score(exchange);
      default:
        return this.#rerank(exchange, route);
    }
  }

  #health(): Response {
    this.#admission.expectOpen();
    return Response.json({ status: "ok", model: this.#settings.model });
  }

  /** `/models` is the path of Infinity, whose client needs `stats` and knows one value of `owned_by`, its own. */
  #models(route: "/models" | "/v1/models"): Response {
    const row = { id: this.#settings.model, object: "model", created: 0, backend: "ranklet", capabilities: ["rerank"] };
    return Response.json({ object: "list", data: [route === "/models" ? { ...row, stats: {} } : { ...row, owned_by: "ranklet" }] });
  }

  async #rerank(exchange: Exchange, route: Route): Promise<Response> {
    const { request, started } = exchange;
    const body = withoutInputs(await this.#body(request));
    exchange.dialect = dialectOf(route, body);
    const fields = readRerankRequest(body, exchange.dialect, this.#settings);
    const { longDocuments, model } = this.#settings;
    const response = await this.#scored(exchange, fields, (reranker) => {
      const options: RerankOptions & { readonly [checkSentences]: (count: number) => void } = {
        query: fields.query,
        documents: fields.texts,
        topN: fields.topN,
        minScore: fields.minScore,
        // The time that the request has waited counts.
        deadlineMs: fields.deadlineMs === undefined ? undefined : Math.max(1, started + fields.deadlineMs - performance.now()),
        fuse: fields.fuse,
        maxTokensPerDocument: fields.maxTokensPerDocument,
        longDocuments,
        scores: fields.scores,
        highlights: fields.highlights,
        signal: request.signal,
        [checkSentences]: (count) => this.#checkSentences(count),
      };
      return reranker.rerank(options);
    });
    return Response.json(rerankBody(exchange.dialect, fields, response, model));
  }

  async #score(exchange: Exchange): Promise<Response> {
    const { request } = exchange;
    const fields = readScoreRequest(await this.#body(request), this.#settings);
    const { longDocuments, model } = this.#settings;
    const { scores, usage } = await this.#scored(exchange, fields, (reranker) =>
      scorePairs(reranker, fields, { longDocuments, signal: request.signal }),
    );
    return Response.json(scoreBody(scores, usage.tokens, model));
  }

  /**
   * Checks the number of sentences that are scored for highlights: each takes the time of a document.
   * @throws HttpError 413 for more sentences than a request may have documents
   */
  #checkSentences(count: number): void {
    const { maxDocuments } = this.#settings;
    if (count <= maxDocuments) return;
    const message =
      `highlights: the results have ${count} sentences, and the server scores ${maxDocuments} per request; ` +
      "ask for fewer results with top_n, or send fewer documents";
    throw new HttpError(413, message);
  }

  /** Reads the body of a request, unless the server would refuse the request in any case. */
  async #body(request: Request): ReturnType<typeof readJsonObject> {
    this.#admission.expectRoom();
    return readJsonObject(request, this.#settings);
  }

  /** Calls `score` with the reranker when it is the request's turn, and counts what it has scored. */
  async #scored<T extends Scored>(
    exchange: Exchange,
    { documents, documentsField, scores }: Pick<RerankRequest | ScoreRequest, "documents" | "documentsField" | "scores">,
    score: (reranker: ServedReranker) => Promise<T>,
  ): Promise<T> {
    const { request, started, dialect } = exchange;
    exchange.documentsField = documentsField;
    const scored = await this.#admission.run(request.signal, async () => {
      const reranker = await this.#load(exchange);
      checkScores(reranker, scores, dialect);
      return score(reranker);
    });
    const { usage, timings } = scored;
    this.#metrics.countScored(
      { documents: documents.length, tokens: usage.tokens, cacheHits: timings.cacheHits },
      (performance.now() - started) / 1000,
    );
    return scored;
  }

  /** Returns the reranker. A request that is aborted stops waiting for it, and loading goes on for the others. */
  #load({ request, context }: Exchange): Promise<ServedReranker> {
    const loading = this.#reranker().catch((error: unknown) => Promise.reject(toLoadError(error)));
    context?.waitUntil?.(loading.catch(() => {}));
    return abortable(loading, request.signal);
  }

  #failure({ dialect, documentsField }: Exchange, error: unknown): Response {
    const failure = toHttpError(error, dialect, documentsField);
    if (failure.status >= 500) this.#report(failure.cause ?? failure);
    return Response.json(errorBody(dialect, failure), { status: failure.status, headers: failure.headers });
  }

  #report(error: unknown): void {
    try {
      this.#settings.onError(error);
    } catch {
      // The client is answered, whether the application can log or not.
    }
  }
}

/** @throws RankletError `input` for something else than a reranker; `unsupported` for a model that has no score to rank by */
function checkRankable(reranker: ServedReranker): ServedReranker {
  // Plain JavaScript can give nothing, or the promise of a reranker.
  if ((reranker as ServedReranker | undefined)?.info === undefined) {
    throw wrongType("createHandler: the source", "a loaded reranker or a function that loads one, such as () => Reranker.load()", reranker);
  }
  const { numLabels } = reranker.info;
  if (numLabels !== 1) throw new RankletError("unsupported", `createHandler needs a model with one label, and this one has ${numLabels}`);
  return reranker;
}

/** @throws HttpError for probabilities of a model that has none */
function checkScores({ info }: ServedReranker, scores: Scores, dialect: Dialect): void {
  if (scores !== "probability" || info.calibrated) return;
  const message =
    'the model is not calibrated, so it has no probabilities: calibrate it with ranklet calibrate, or use the scores "sigmoid"';
  throw new HttpError(wrongFieldStatus(dialect), message);
}
