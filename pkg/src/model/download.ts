import { RankletError, messageOf } from "../errors.js";

/**
 * Asks for `url`.
 * @throws RankletError `network` when no answer comes; an answer of any status is returned
 */
export async function request(url: URL, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, signal === undefined ? {} : { signal });
  } catch (error) {
    throw new RankletError("network", `${url.href} could not be fetched: ${messageOf(error)}`, { cause: error });
  }
}

/** @throws RankletError `network`, with the status, unless `response` is a success */
export function expectSuccess(response: Response, url: URL): Response {
  if (response.ok) return response;
  throw new RankletError("network", `${url.href} answered ${response.status} ${response.statusText}`.trimEnd());
}

/**
 * The bytes behind `url`, or `undefined` where the server says that there is no such file. `onBytes` hears how many
 * bytes have come and how many there are, as far as the server tells.
 * @throws RankletError `network`
 */
export async function download(
  url: URL,
  signal: AbortSignal,
  onBytes: (loaded: number, total: number | undefined) => void,
): Promise<Blob | undefined> {
  if (url.protocol === "data:") return bytesOfDataUrl(url);
  const response = await request(url, signal);
  if (response.status === 404 || isPage(response)) {
    await response.body?.cancel();
    return undefined;
  }
  expectSuccess(response, url);
  const total = lengthOf(response);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  for await (const chunk of chunksOf(response, url)) {
    chunks.push(chunk);
    loaded += chunk.length;
    onBytes(loaded, total);
  }
  return new Blob(chunks);
}

/** Development servers answer every unknown path with the application's page. No file of a model is one. */
function isPage(response: Response): boolean {
  return response.ok && (response.headers.get("content-type") ?? "").startsWith("text/html");
}

/** The length in bytes; unknown when the body is compressed on its way, for then the header counts other bytes. */
function lengthOf(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  return length === null || response.headers.has("content-encoding") ? undefined : Number(length);
}

async function* chunksOf(response: Response, url: URL): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  for (;;) {
    let next: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
    try {
      next = await reader.read();
    } catch (error) {
      throw new RankletError("network", `${url.href} broke off: ${messageOf(error)}`, { cause: error });
    }
    if (next.done) return;
    yield next.value;
  }
}

/** Bundlers put small files into `data:` URLs, which a strict content security policy forbids to fetch. */
function bytesOfDataUrl(url: URL): Blob {
  const comma = url.href.indexOf(",");
  const body = decodeURIComponent(url.href.slice(comma + 1));
  if (!url.href.slice(0, comma).endsWith(";base64")) return new Blob([body]);
  return new Blob([Uint8Array.from(atob(body), (character) => character.charCodeAt(0))]);
}
