import { RankletError, messageOf } from "../errors.js";
import { request, statusOf, type Asking } from "../util/request.js";

/**
 * By how much a small file can grow when a server compresses it (gzip: 23 bytes). Browsers hide across origins that it
 * did. A file that lacks so little at its end is refused by whoever parses it.
 */
const compressionOverhead = 32;

/** How to ask for a file, and what to make of answers that are none. */
export interface Fetching extends Asking {
  /** Whether a page of HTML means that there is no such file, as where a development server answers. */
  readonly pageIsMissing: boolean;
  /** What to do about an answer of this status, for the end of a message. */
  readonly advice?: ((status: number) => string | undefined) | undefined;
}

/** Hears how many bytes of a file have come, and how many there are as far as the server tells. */
export type OnBytes = (loaded: number, total: number | undefined) => void;

/** A file that a server has begun to send. */
export class Download {
  readonly url: URL;
  /** The commit that the file is from, where a Hub says so. */
  readonly commit: string | undefined;
  /** How long the file should be, in bytes; `undefined` where the server does not say. */
  readonly length: number | undefined;
  readonly #response: Response;
  readonly #exact: boolean;

  private constructor(url: URL, response: Response) {
    const { headers } = response;
    const linked = count(headers.get("x-linked-size"));
    // A body that is compressed on its way has another length than the header says.
    const sent = headers.has("content-encoding") ? undefined : count(headers.get("content-length"));
    this.url = url;
    this.commit = commitOf(headers.get("x-repo-commit") ?? undefined);
    this.length = linked ?? sent;
    this.#response = response;
    this.#exact = linked !== undefined;
  }

  /**
   * Asks for a file; `undefined` where the server says that there is none.
   * @throws RankletError `network`
   */
  static async open(url: URL, { pageIsMissing, advice, ...asking }: Fetching): Promise<Download | undefined> {
    const response = await request(url, asking);
    const page = response.ok && (response.headers.get("content-type") ?? "").startsWith("text/html");
    if (response.status === 200 && !page) return new Download(url, response);
    await response.body?.cancel();
    if (response.status === 404 || (page && pageIsMissing)) return undefined;
    if (page) throw new RankletError("network", `${url.href} answered with a page of HTML instead of the file`);
    const hint = advice?.(response.status);
    throw new RankletError("network", `${url.href} answered ${statusOf(response)}${hint === undefined ? "" : `: ${hint}`}`);
  }

  /**
   * The file, once it is whole.
   * @throws RankletError `network` when it breaks off or has another length than announced
   */
  async bytes(onBytes: OnBytes): Promise<Blob> {
    let loaded = 0;
    let failure: unknown;
    const chunks = this.#chunks();
    const counted = new ReadableStream<Uint8Array>({
      pull: async (stream) => {
        try {
          const { done, value } = await chunks.next();
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
    // Into a Blob as it comes: Chromium cannot read one of 400 MB that was made of what a page held in its memory.
    const blob = await new Response(counted).blob().catch((error: unknown) => {
      throw failure ?? error;
    });
    this.#checkLength(loaded);
    onBytes(loaded, loaded);
    return blob;
  }

  #checkLength(loaded: number): void {
    if (this.length === undefined) return;
    if (loaded < this.length - (!this.#exact && this.#response.type === "cors" ? compressionOverhead : 0)) {
      throw new RankletError("network", `${this.url.href} ended after ${loaded} of ${this.length} bytes; try again`);
    }
    if (this.#exact && loaded > this.length) {
      throw new RankletError("network", `${this.url.href} has ${loaded} bytes instead of the ${this.length} that the server announced`);
    }
  }

  async *#chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
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

/** `name` if it is a commit's full name and not that of a branch or tag. */
export function commitOf(name: string | undefined): string | undefined {
  return name !== undefined && /^[0-9a-f]{40}$/.test(name) ? name : undefined;
}

function count(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
