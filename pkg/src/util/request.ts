import { messageOf, RankletError } from "../errors.js";

/** How to request a URL. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** A bearer token. It is sent to the URL's origin only, and not to other origins after a redirect. */
  readonly token?: string | undefined;
}

/** Max number of redirects within one origin. */
const maxRedirects = 10;

/**
 * Requests a URL and returns the response, whatever its status.
 * @throws RankletError `network` if there is no response
 */
export async function request(url: URL, { signal, token }: RequestOptions = {}): Promise<Response> {
  const withoutToken: RequestInit = signal === undefined ? {} : { signal };
  if (token === undefined) return send(url, withoutToken);
  return sendWithToken(url, { ...withoutToken, headers: { authorization: `Bearer ${token}` } }, withoutToken);
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
async function sendWithToken(url: URL, withToken: RequestInit, withoutToken: RequestInit): Promise<Response> {
  let current = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(current, { ...withToken, redirect: "manual" });
    // Browsers hide the target of a redirect. Current ones remove the token themselves if it is on another origin.
    if (response.type === "opaqueredirect" && response.status === 0) return send(current, withToken);
    const next = redirectOf(response, current);
    if (next === undefined) return response;
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
    throw new RankletError("network", `${url.href} could not be fetched: ${messageOf(error)}`, { cause: error });
  }
}
