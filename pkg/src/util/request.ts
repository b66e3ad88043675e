import { RankletError, messageOf } from "../errors.js";

/** How to ask for a URL. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** A bearer token for the origin that is asked, and for no other that it redirects to. */
  readonly token?: string | undefined;
}

/** Redirects within one origin that are followed; a server that goes on is going in circles. */
const maxRedirects = 10;

/**
 * Asks for `url`.
 * @throws RankletError `network` when no answer comes; an answer of any status is returned
 */
export async function request(url: URL, { signal, token }: RequestOptions = {}): Promise<Response> {
  const withoutToken: RequestInit = signal === undefined ? {} : { signal };
  if (token === undefined) return send(url, withoutToken);
  return sendWithToken(url, { ...withoutToken, headers: { authorization: `Bearer ${token}` } }, withoutToken);
}

/** @throws RankletError `network`, with the status, unless `response` is a success */
export function expectSuccess(response: Response, url: URL): Response {
  if (response.ok) return response;
  throw new RankletError("network", `${url.href} answered ${statusOf(response)}`);
}

/** The status of a response in words, such as "404 Not Found". */
export function statusOf({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trimEnd();
}

/** Follows redirects itself, for some runtimes (Workers, older browsers) take headers along to other origins. */
async function sendWithToken(url: URL, withToken: RequestInit, withoutToken: RequestInit): Promise<Response> {
  let at = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(at, { ...withToken, redirect: "manual" });
    // Browsers do not show where a redirect leads; today's take the token off where it leaves the origin.
    if (response.type === "opaqueredirect" && response.status === 0) return send(at, withToken);
    const next = redirectOf(response, at);
    if (next === undefined) return response;
    await response.body?.cancel();
    if (next.origin !== url.origin) return send(next, withoutToken);
    at = next;
  }
  throw new RankletError("network", `${url.href} was redirected more than ${maxRedirects} times`);
}

/** Where `response` redirects to, if it does. */
function redirectOf(response: Response, from: URL): URL | undefined {
  const location = response.headers.get("location");
  if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (next?.protocol === "https:" || next?.protocol === "http:") return next;
  throw new RankletError("network", `${from.href} redirects to what is no http URL`);
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    throw new RankletError("network", `${url.href} could not be fetched: ${messageOf(error)}`, { cause: error });
  }
}
