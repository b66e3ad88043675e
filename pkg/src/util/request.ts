import { messageOf, RankletError } from "../errors.js";

/** How to request a URL. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** A bearer token. It is sent to the URL's origin only, and not to other origins after a redirect. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
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

/** Max number of redirects within one origin. */
const maxRedirects = 10;

/**
 * Requests a URL and returns the response, whatever its status.
 * @throws RankletError `network` if there is no response: a `TransientError` unless the server redirects wrongly
 */
export async function request(url: URL, { signal, token, headers = {}, onRedirect }: RequestOptions = {}): Promise<Response> {
  const withoutToken: RequestInit = { headers, ...(signal === undefined ? {} : { signal }) };
  if (token === undefined && onRedirect === undefined) return send(url, withoutToken);
  const withToken = token === undefined ? withoutToken : { ...withoutToken, headers: { ...headers, authorization: `Bearer ${token}` } };
  return follow(url, withToken, withoutToken, onRedirect);
}

/** @throws RankletError `network`, with the status, if `response` is not a success */
export function expectSuccess(response: Response, url: URL): Response {
  if (response.ok) return response;
  throw new RankletError("network", `${url.href} answered ${statusOf(response)}`);
}

/** Returns the status of a response as text, such as "404 Not Found". */
export function statusOf({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trimEnd();
}

/** Follows redirects itself, because some runtimes (Workers, older browsers) send the headers to other origins too. */
async function follow(url: URL, withToken: RequestInit, withoutToken: RequestInit, onRedirect: RequestOptions["onRedirect"]): Promise<Response> {
  let current = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(current, { ...withToken, redirect: "manual" });
    // Browsers hide the target of a redirect. Current ones remove the token themselves if it is on another origin.
    if (response.type === "opaqueredirect" && response.status === 0) return send(current, withToken);
    const next = redirectOf(response, current);
    if (next === undefined) return response;
    onRedirect?.(response.headers);
    await response.body?.cancel();
    if (next.origin !== url.origin) return send(next, withoutToken);
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

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    throw new TransientError(`${url.href} could not be fetched: ${messageOf(error)}`, { cause: error });
  }
}
