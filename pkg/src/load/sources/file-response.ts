import { RankletError } from "../../errors.js";
import type { AvailableBytes } from "../../model/file-version.js";
import { commitOf } from "../../model/hub.js";
import { isHtml, type RequestOptions, request, statusOf, TransientError } from "../../util/request.js";
import type { AnnouncedLength } from "../verify.js";
import { maxRetryAfterMs } from "./attempts.js";
import { ReadAhead } from "./read-ahead.js";

/** How to request a file, and how to interpret a response without one. */
export interface DownloadOptions extends RequestOptions {
  /** Whether an HTML page means that the file does not exist, as development servers answer. */
  readonly pageIsMissing: boolean;
  /**
   * Whether the program runs under the rules of CORS. A browser asks another origin before it sends conditional headers, and
   * many servers refuse. So they are left out, and the headers of the answer are compared instead.
   */
  readonly hasCors: boolean;
  /** Whether the file at the URL never changes, so that the rest of it can be requested without an ETag. */
  readonly isPinned: boolean;
  /** Returns advice about a response status, for the end of an error message. */
  readonly advice?: ((status: number) => string | undefined) | undefined;
}

/** A server's answer: the content of a file from `start` on, or that it has not changed. */
export interface FileResponse {
  /** The content, if there is any. */
  readonly body: ReadAhead | undefined;
  /** The offset of the content in the file. */
  readonly start: number;
  /** Whether the available bytes are the whole file. */
  readonly isUnchanged: boolean;
  readonly etag: string | undefined;
  readonly commit: string | undefined;
  /** The SHA-256 of the file in hexadecimal, if the server says so. */
  readonly sha256: string | undefined;
  /** The length of the whole file. */
  readonly announced: AnnouncedLength | undefined;
}

/** The description of a file in the headers of a response. */
type Description = Pick<FileResponse, "etag" | "commit" | "sha256" | "announced">;

/**
 * Requests a file, or what is missing of it. A file that never changes and is complete is not requested. Returns `undefined` if
 * the server does not have the file.
 * @param earlier the bytes that are there already
 * @throws RankletError `network`; a `TransientError` if another attempt may succeed
 */
export async function requestFile(url: URL, options: DownloadOptions, earlier?: AvailableBytes): Promise<FileResponse | undefined> {
  const available =
    earlier === undefined || earlier.length === 0 || (earlier.etag === undefined && !earlier.isPinned) ? undefined : earlier;
  if (available?.isComplete === true && available.isPinned) {
    return {
      body: undefined,
      start: available.length,
      isUnchanged: true,
      etag: available.etag,
      commit: undefined,
      sha256: undefined,
      announced: undefined,
    };
  }
  const redirects: Headers[] = [];
  const onRedirect = options.hasCors ? undefined : (headers: Headers): void => void redirects.push(headers);
  const response = await request(url, { ...options, headers: requestHeaders(options, available), onRedirect });
  const answer = describe(response, redirects);
  const rest = available === undefined ? undefined : await restOf(response, answer, available);
  if (rest !== undefined) return rest;
  if (available !== undefined && [206, 304, 412, 416].includes(response.status)) {
    await response.body?.cancel();
    return requestFile(url, options);
  }
  return wholeFile(url, response, answer, options);
}

/** Interprets the response to a request for the rest of a file. Returns `undefined` if the available bytes cannot be used. */
async function restOf(
  response: Response,
  answer: Description,
  { length, isComplete, isPinned, etag }: AvailableBytes,
): Promise<FileResponse | undefined> {
  const isSame = answer.etag === undefined ? isPinned || response.status === 304 : answer.etag === etag;
  if (isComplete && isSame && (response.status === 304 || response.status === 200)) {
    await response.body?.cancel();
    return { ...answer, body: undefined, start: length, isUnchanged: true, announced: undefined };
  }
  const isRest = response.status === 206 && isSame && startOf(response, length) === length && !response.headers.has("content-encoding");
  return isRest
    ? { ...answer, body: contentOf(response), start: length, isUnchanged: false, announced: wholeLength(response, length) }
    : undefined;
}

/**
 * Interprets the response to a request for a whole file. Returns `undefined` if the server does not have it.
 * @throws RankletError as `requestFile`
 */
async function wholeFile(url: URL, response: Response, answer: Description, options: DownloadOptions): Promise<FileResponse | undefined> {
  const page = response.ok && isHtml(response);
  if (response.status === 200 && !page) return { ...answer, body: contentOf(response), start: 0, isUnchanged: false };
  await response.body?.cancel();
  if (response.status === 404 || (page && options.pageIsMissing)) return undefined;
  if (page) {
    throw new RankletError(
      "network",
      `${url.href} answered with a page of HTML instead of the file, such as a login or an error: check the address and the access to the model`,
    );
  }
  throw statusError(url, response, options);
}

function contentOf({ body }: Response): ReadAhead | undefined {
  return body === null ? undefined : new ReadAhead(body);
}

function requestHeaders({ hasCors, headers }: DownloadOptions, available: AvailableBytes | undefined): Record<string, string> {
  if (available === undefined) return { ...headers };
  const { length, isComplete, etag } = available;
  const range: Record<string, string> = isComplete ? {} : { range: `bytes=${length}-` };
  if (hasCors || etag === undefined) return { ...headers, ...range };
  return { ...headers, ...range, [isComplete ? "if-none-match" : "if-range"]: etag };
}

/** Reads the headers that say which file this is. A redirect has some of them if the file itself is on another server. */
function describe({ headers, type }: Response, redirects: readonly Headers[]): Description {
  const all = [...redirects, headers];
  const first = (name: string): string | undefined => all.find((some) => some.has(name))?.get(name) ?? undefined;
  const linked = parseLength(first("x-linked-size"));
  // The content-length of a compressed body is not that of the file.
  const sent = headers.has("content-encoding") ? undefined : parseLength(headers.get("content-length"));
  const announced =
    linked !== undefined
      ? { bytes: linked, exact: true, mayBeCompressed: false }
      : sent === undefined
        ? undefined
        : { bytes: sent, exact: false, mayBeCompressed: type === "cors" };
  return {
    etag: strongEtag(headers.get("etag")),
    commit: commitOf(first("x-repo-commit")),
    sha256: /^"?([0-9a-f]{64})"?$/.exec(first("x-linked-etag") ?? "")?.[1],
    announced,
  };
}

/** Returns an ETag that identifies the bytes of a file. A weak one does not. */
function strongEtag(etag: string | null): string | undefined {
  return etag !== null && /^"[\x21\x23-\x7e]{1,255}"$/.test(etag) ? etag : undefined;
}

/** Returns the offset that a partial response begins at. `otherwise` if a page may not see the header. */
function startOf({ headers }: Response, otherwise: number): number | undefined {
  const range = headers.get("content-range");
  return range === null ? otherwise : parseLength(/^bytes (\d+)-/.exec(range)?.[1]);
}

/** Returns the length of the whole file that a partial response continues. */
function wholeLength({ headers }: Response, start: number): AnnouncedLength | undefined {
  const rest = parseLength(headers.get("content-length"));
  const bytes = parseLength(/\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1]) ?? (rest === undefined ? undefined : start + rest);
  return bytes === undefined ? undefined : { bytes, exact: true, mayBeCompressed: false };
}

/** Parses a number of bytes in a header. Returns `undefined` if it is missing or malformed. */
function parseLength(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function statusError(url: URL, response: Response, { advice }: DownloadOptions): RankletError {
  const answered = `${url.href} answered ${statusOf(response)}`;
  if (![408, 425, 429, 500, 502, 503, 504].includes(response.status)) {
    const hint = advice?.(response.status);
    return new RankletError("network", hint === undefined ? answered : `${answered}: ${hint}`);
  }
  const retryAfterMs = retryAfter(response);
  const tooLong = retryAfterMs !== undefined && retryAfterMs > maxRetryAfterMs;
  return new TransientError(tooLong ? `${answered}: try again in ${Math.ceil(retryAfterMs / 1000)} seconds` : answered, { retryAfterMs });
}

/** Returns how long the server asks to wait, which it says in seconds or as a date. */
function retryAfter({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
