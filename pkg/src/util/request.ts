import { messageOf, RankletError } from "../errors.js";
import { isObject, kindOf } from "./check.js";

/** Answers a request, as the global `fetch`. */
export type FetchFunction = (url: URL, init?: RequestInit) => Promise<Response>;

/** How to request a URL. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** A bearer token. It is sent to the URL's origin only, and not to other origins after a redirect. */
  readonly token?: string | undefined;
  /** Used in place of the global `fetch`. */
  readonly fetch?: FetchFunction | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the browser's HTTP cache keeps the response out, because it is stored elsewhere. Not every runtime has the option. */
  readonly noStore?: (() => boolean) | undefined;
  /** Receives the headers of each redirect. Browsers hide them, and then this costs a second request. */
  readonly onRedirect?: ((headers: Headers) => void) | undefined;
}

/** An error that may not occur again if the request is repeated. */
export class TransientError extends RankletError {
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { retryAfterMs, ...options }: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {}) {
    super("network", message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A server that neither answers nor sends a byte for this long is given up. */
export const maxSilenceMs = 60_000;

/** Max number of redirects within one origin. */
const maxRedirects = 10;

/**
 * Requests a URL and returns the response, whatever its status.
 * @throws RankletError `network` if there is no response: a `TransientError` unless the server redirects wrongly
 */
export async function request(
  url: URL,
  { signal, token, fetch = globalFetch, headers = {}, noStore, onRedirect }: RequestOptions = {},
): Promise<Response> {
  const withoutToken: RequestInit = {
    headers,
    ...(signal === undefined ? {} : { signal }),
    ...(noStore?.() === true ? { cache: "no-store" } : {}),
  };
  if (token === undefined && onRedirect === undefined) return send(fetch, url, withoutToken);
  return follow(fetch, url, withoutToken, { token, headers, onRedirect });
}

/** Returns the status of a response as text, such as "404 Not Found". */
export function statusOf({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trimEnd();
}

/** Whether a response is a page of HTML. */
export function isHtml({ headers }: Response): boolean {
  return (headers.get("content-type") ?? "").startsWith("text/html");
}

/**
 * Returns a response that the caller has requested.
 * @param what the name of its content, for the error
 * @throws RankletError `network` if the server has refused it
 */
export function expectOk(response: Response, what: string): Response {
  if (response.ok) return response;
  throw new RankletError("network", `${what} cannot be read: its response is ${statusOf(response)}`);
}

/** Follows redirects itself, because some runtimes (Workers, older browsers) send the headers to other origins too. */
async function follow(
  fetch: FetchFunction,
  url: URL,
  withoutToken: RequestInit,
  { token, headers, onRedirect }: RequestOptions,
): Promise<Response> {
  const withToken = token === undefined ? withoutToken : { ...withoutToken, headers: { ...headers, authorization: `Bearer ${token}` } };
  let current = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(fetch, current, { ...withToken, redirect: "manual" });
    // Browsers hide the target of a redirect. Current ones remove the token themselves if it is on another origin.
    if (response.type === "opaqueredirect" && response.status === 0) return send(fetch, current, withToken);
    const next = redirectOf(response, current);
    if (next === undefined) return response;
    onRedirect?.(response.headers);
    await response.body?.cancel();
    if (next.origin !== url.origin) return send(fetch, next, withoutToken);
    current = next;
  }
  throw new RankletError("network", `${url.href} was redirected more than ${maxRedirects} times`);
}

/** Returns the target of a redirect, or `undefined` for other responses. */
function redirectOf(response: Response, from: URL): URL | undefined {
  const location = response.headers.get("location");
  if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (next?.protocol === "https:" || next?.protocol === "http:") return next;
  throw new RankletError("network", `${from.href} redirects to a URL that is not http`);
}

async function send(fetch: FetchFunction, url: URL, init: RequestInit): Promise<Response> {
  const controller = new AbortController();
  const signals = [controller.signal, ...(init.signal ? [init.signal] : [])];
  // Older browsers lack `any`. In them, a request that is given up stays open.
  const signal = "any" in AbortSignal ? AbortSignal.any(signals) : (init.signal ?? controller.signal);
  let response: Response;
  try {
    response = await unlessSilent(fetch(url, { ...init, signal }));
  } catch (error) {
    controller.abort();
    throw new TransientError(`${url.href} could not be fetched: ${messageOf(error)}`, { cause: error });
  }
  // Checked by its members, because a Response may be of another realm or library.
  if (!isObject(response) || typeof response["status"] !== "number" || !isObject(response["headers"]))
    throw new RankletError("input", `load: fetch must return a Response for ${url.href}, not ${kindOf(response)}`);
  const { body } = response as { readonly body: unknown };
  if (body === null || (isObject(body) && typeof body["getReader"] === "function")) return response;
  throw new RankletError(
    "input",
    `load: fetch must return a Response with a web stream as its body for ${url.href}, as the global fetch does, not one with ${body === undefined ? "no body" : "another stream"}`,
  );
}

/**
 * Returns the result of `waiting`.
 * @throws TransientError if it takes too long
 */
export async function unlessSilent<T>(waiting: Promise<T>, maxMs = maxSilenceMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TransientError(`no byte arrived for ${maxMs / 1000} seconds`)), maxMs);
  });
  try {
    return await Promise.race([waiting, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads the whole content of a response. Rejects as its body does, or if no byte arrives for too long.
 * @param maxBytes the length after which it is given up
 */
export async function readBody({ body }: Response, maxBytes = Infinity): Promise<Blob> {
  const reader = body?.getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  try {
    while (reader !== undefined) {
      const { done, value } = await unlessSilent(reader.read());
      if (done) break;
      bytes += value.length;
      if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
      pieces.push(value);
    }
    return new Blob(pieces);
  } finally {
    reader?.cancel().catch(() => {}); // It has failed or ended.
  }
}

/** Reads the global at each call, because applications replace it. */
function globalFetch(url: URL, init?: RequestInit): Promise<Response> {
  return fetch(url, init);
}
