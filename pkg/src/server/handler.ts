import type { Scores } from "../types.js";
import { loadOnce } from "../util/load-once.js";
import { corsHeaders, KeyCheck, preflightHeaders } from "./access.js";
import { Admission } from "./admission.js";
import { readJsonObject } from "./body.js";
import { type Dialect, dialectOf, errorBody, wrongFieldStatus } from "./dialect.js";
import { HttpError, toHttpError } from "./http-error.js";
import { Metrics } from "./metrics.js";
import { type HandlerOptions, type RerankerSource, readSettings, type ServedReranker, type Settings } from "./options.js";
import { readRerankRequest, readScoreRequest, withoutInputs } from "./rerank-request.js";
import { rerankBody, scoreBody } from "./rerank-response.js";
import { scorePairs } from "./score-pairs.js";

/** A `fetch`-style function: it answers a request, and never rejects. */
export interface RerankHandler {
  (request: Request): Promise<Response>;
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

/**
 * Creates a function that answers requests to rerank documents, in the formats of Cohere, Jina, Voyage, Together, Text
 * Embeddings Inference, vLLM and Infinity.
 * @throws RankletError `input` for an unknown option or a wrong value
 */
export function createHandler(source: RerankerSource, options?: HandlerOptions): RerankHandler {
  const server = new Server(source, readSettings(options));
  return Object.assign((request: Request) => server.answer(request), { close: () => server.close() });
}

/** A request while it is answered. The dialect, in which errors are answered too, is known after the body is read. */
interface Exchange {
  readonly request: Request;
  dialect: Dialect;
}

class Server {
  readonly #settings: Settings;
  readonly #reranker: () => Promise<ServedReranker>;
  readonly #keys: KeyCheck;
  readonly #admission: Admission;
  readonly #metrics = new Metrics();

  constructor(source: RerankerSource, settings: Settings) {
    this.#settings = settings;
    this.#reranker = loadOnce(async () => (typeof source === "function" ? source() : source));
    this.#keys = new KeyCheck(settings.apiKeys);
    this.#admission = new Admission(settings);
  }

  close(): Promise<void> {
    return this.#admission.close();
  }

  async answer(request: Request): Promise<Response> {
    const { corsOrigins } = this.#settings;
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflightHeaders(corsOrigins, request) });
    const headers = corsHeaders(corsOrigins, request);
    const route = this.#route(request);
    const exchange: Exchange = { request, dialect: "documents" };
    let response: Response;
    try {
      response = await this.#respond(exchange, route);
    } catch (error) {
      response = this.#failure(exchange.dialect, error);
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
        return this.#models();
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

  #models(): Response {
    const { model } = this.#settings;
    return Response.json({
      object: "list",
      data: [{ id: model, object: "model", created: 0, owned_by: "ranklet", backend: "ranklet", capabilities: ["rerank"] }],
    });
  }

  async #rerank(exchange: Exchange, route: Route): Promise<Response> {
    const started = performance.now();
    const { request } = exchange;
    const body = withoutInputs(await readJsonObject(request, this.#settings));
    exchange.dialect = dialectOf(route, body);
    const fields = readRerankRequest(body, exchange.dialect, this.#settings);
    const { longDocuments, model } = this.#settings;
    const response = await this.#admission.run(request.signal, async () => {
      const reranker = await this.#reranker();
      checkScores(reranker, fields.scores, exchange.dialect);
      return reranker.rerank({
        query: fields.query,
        documents: fields.documents,
        topN: fields.topN,
        rankFields: fields.rankFields,
        structured: fields.structured,
        minScore: fields.minScore,
        // The time that the request has waited counts.
        deadlineMs: fields.deadlineMs === undefined ? undefined : Math.max(1, started + fields.deadlineMs - performance.now()),
        fuse: fields.fuse,
        maxTokensPerDocument: fields.maxTokensPerDocument,
        longDocuments,
        scores: fields.scores,
        highlights: fields.highlights,
        signal: request.signal,
      });
    });
    const { usage, timings } = response;
    this.#metrics.countScored(
      { documents: fields.documents.length, tokens: usage.tokens, cacheHits: timings.cacheHits },
      (performance.now() - started) / 1000,
    );
    return Response.json(rerankBody(exchange.dialect, fields, response, model));
  }

  async #score({ request }: Exchange): Promise<Response> {
    const started = performance.now();
    const fields = readScoreRequest(await readJsonObject(request, this.#settings), this.#settings);
    const { scores, tokens, cacheHits } = await this.#admission.run(request.signal, async () => {
      const reranker = await this.#reranker();
      checkScores(reranker, fields.scores, "documents");
      return scorePairs(reranker, fields, {
        longDocuments: this.#settings.longDocuments,
        maxTokensPerDocument: this.#settings.maxTokensPerDocument,
        signal: request.signal,
      });
    });
    this.#metrics.countScored({ documents: fields.documents.length, tokens, cacheHits }, (performance.now() - started) / 1000);
    return Response.json(scoreBody(scores, tokens, this.#settings.model));
  }

  #failure(dialect: Dialect, error: unknown): Response {
    const failure = toHttpError(error, dialect);
    if (failure.status >= 500) this.#report(error);
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

/** @throws HttpError for probabilities of a model that has none */
function checkScores({ info }: ServedReranker, scores: Scores, dialect: Dialect): void {
  if (scores !== "probability" || info.calibrated) return;
  const message =
    'the model is not calibrated, so it has no probabilities: calibrate it with ranklet calibrate, or use the scores "sigmoid"';
  throw new HttpError(wrongFieldStatus(dialect), message);
}
