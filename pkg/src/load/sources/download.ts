import { messageOf, RankletError } from "../../errors.js";
import { commitOf } from "../../model/hub.js";
import { request, type RequestOptions, statusOf } from "../../util/request.js";
import { type AnnouncedFile, type AnnouncedLength, checkLength } from "../verify.js";

/** How to request a file, and how to interpret a response without one. */
export interface DownloadOptions extends RequestOptions {
  /** Whether an HTML page means that the file does not exist, as development servers answer. */
  readonly pageIsMissing: boolean;
  /** Returns advice about a response status, for the end of an error message. */
  readonly advice?: ((status: number) => string | undefined) | undefined;
}

/** Receives the number of bytes loaded so far, and the total if the server announces it. */
export type OnBytes = (loaded: number, total: number | undefined) => void;

/** A file that a server has begun to send. */
export class Download implements AnnouncedFile {
  readonly url: URL;
  readonly commit: string | undefined;
  readonly #response: Response;
  readonly #announced: AnnouncedLength | undefined;

  private constructor(url: URL, response: Response) {
    this.url = url;
    this.commit = commitOf(response.headers.get("x-repo-commit") ?? undefined);
    this.#response = response;
    this.#announced = announcedLength(response);
  }

  get length(): number | undefined {
    return this.#announced?.bytes;
  }

  /**
   * Requests a file. Returns `undefined` if the server does not have it.
   * @throws RankletError `network`
   */
  static async open(url: URL, { pageIsMissing, advice, ...options }: DownloadOptions): Promise<Download | undefined> {
    const response = await request(url, options);
    const page = response.ok && (response.headers.get("content-type") ?? "").startsWith("text/html");
    if (response.status === 200 && !page) return new Download(url, response);
    await response.body?.cancel();
    if (response.status === 404 || (page && pageIsMissing)) return undefined;
    if (page) throw new RankletError("network", `${url.href} answered with a page of HTML instead of the file, such as a login or an error: check the address and the access to the model`);
    const hint = advice?.(response.status);
    throw new RankletError("network", `${url.href} answered ${statusOf(response)}${hint === undefined ? "" : `: ${hint}`}`);
  }

  /**
   * Reads the whole file.
   * @throws RankletError `network` if the connection breaks or the length differs from the announced one
   */
  async read(onBytes: OnBytes): Promise<Blob> {
    let loaded = 0;
    let failure: unknown;
    const pieces = this.#pieces();
    const counted = new ReadableStream<Uint8Array>({
      pull: async (stream) => {
        try {
          const { done, value } = await pieces.next();
          if (done === true) return stream.close();
          loaded += value.length;
          onBytes(loaded, this.length === undefined || loaded > this.length ? undefined : this.length);
          stream.enqueue(value);
        } catch (error) {
          failure = error;
          stream.error(error);
        }
      },
    });
    // Streamed into the Blob: Chromium cannot read a Blob of 400 MB that was made from buffers in the page's memory.
    const blob = await new Response(counted).blob().catch((error: unknown) => {
      throw failure ?? error;
    });
    checkLength(this.url, loaded, this.#announced);
    onBytes(loaded, loaded);
    return blob;
  }

  async *#pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (this.#response.body === null) return;
    const reader = this.#response.body.getReader();
    for (;;) {
      let next: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
      try {
        next = await reader.read();
      } catch (error) {
        throw new RankletError("network", `${this.url.href} broke off: ${messageOf(error)}`, { cause: error });
      }
      if (next.done) return;
      yield next.value;
    }
  }
}

function announcedLength({ headers, type }: Response): AnnouncedLength | undefined {
  const linked = count(headers.get("x-linked-size"));
  if (linked !== undefined) return { bytes: linked, exact: true, mayBeCompressed: false };
  // The content-length of a compressed body is not that of the file.
  const sent = headers.has("content-encoding") ? undefined : count(headers.get("content-length"));
  return sent === undefined ? undefined : { bytes: sent, exact: false, mayBeCompressed: type === "cors" };
}

function count(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
