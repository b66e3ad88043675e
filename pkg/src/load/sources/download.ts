import { messageOf, RankletError } from "../../errors.js";
import type { EarlierContent, FileVersion } from "../../model/file-version.js";
import type { Sink } from "../../model/sink.js";
import { abortable } from "../../util/abort.js";
import { TransientError, unlessSilent } from "../../util/request.js";
import { addBlob, hashOf, type Sha256 } from "../../util/sha256.js";
import { type AnnouncedFile, type ArrivalCheck, checkCommit, checkComplete, checkHash, checkNotLonger } from "../verify.js";
import { Attempts } from "./attempts.js";
import { type DownloadOptions, type FileResponse, requestFile } from "./file-response.js";

/** Receives the number of bytes loaded so far, and the total if the server announces it. */
type OnBytes = (loaded: number, total: number | undefined) => void;

/** How to read a download. */
interface ReadOptions {
  /** Returns the sink for a version of the file. If `start` is not 0, the sink already has that many bytes of the file. */
  readonly openSink: (version: FileVersion, start: number) => Promise<Sink>;
  /** Called if the earlier content is the whole file, and verified. */
  readonly onReused?: (() => void) | undefined;
  readonly onBytes: OnBytes;
  /** Called before bytes are written, with the number of all bytes so far. */
  readonly checkArrived: ArrivalCheck;
  readonly newSha256: () => Sha256;
  /** Further SHA-256 that the file must have, in hexadecimal. */
  readonly expected: readonly string[];
}

/** A file that a server has begun to send. If the connection breaks, the download continues on another one. */
export class Download implements AnnouncedFile {
  readonly url: URL;
  readonly #options: DownloadOptions;
  readonly #attempts: Attempts;
  readonly #earlier: EarlierContent | undefined;
  #answer: FileResponse;

  private constructor(url: URL, options: DownloadOptions, attempts: Attempts, answer: FileResponse, earlier: EarlierContent | undefined) {
    this.url = url;
    this.#options = options;
    this.#attempts = attempts;
    this.#answer = answer;
    this.#earlier = earlier;
  }

  /**
   * Requests a file. Returns `undefined` if the server does not have it.
   * @param earlier content from an earlier download. The server decides whether it is still valid.
   * @throws RankletError `network`, `aborted`
   */
  static async open(url: URL, options: DownloadOptions, earlier?: EarlierContent): Promise<Download | undefined> {
    const attempts = new Attempts(options.signal);
    const answer = await attempts.repeat(() => requestFile(url, options, earlier));
    return answer === undefined ? undefined : new Download(url, options, attempts, answer, earlier);
  }

  get commit(): string | undefined {
    return this.#answer.commit;
  }

  get length(): number | undefined {
    return this.isUnchanged ? this.#earlier?.length : this.#answer.announced?.bytes;
  }

  /** Whether the server sends the whole file, from its beginning. */
  get isWhole(): boolean {
    return this.#answer.start === 0;
  }

  /** The length of the file, unless what the server announces may be that of a compressed body. */
  get exactLength(): number | undefined {
    const { announced } = this.#answer;
    return announced !== undefined && (announced.exact || !announced.mayBeCompressed) ? announced.bytes : undefined;
  }

  /** The version of the file that the server sends. */
  get version(): FileVersion {
    const { etag, sha256, start } = this.#answer;
    return { url: this.url.href, etag, bytes: this.length, sha256: sha256 ?? (start > 0 ? this.#earlier?.sha256 : undefined) };
  }

  /** Whether the earlier content is the whole file. */
  get isUnchanged(): boolean {
    return this.#answer.isUnchanged;
  }

  /** Ends the download without reading the content. */
  async cancel(): Promise<void> {
    await this.#answer.body?.cancel();
  }

  /**
   * Reads the whole file.
   * @throws RankletError `network` if the connection breaks too often, or the length differs from the announced one;
   *   `integrity` if the SHA-256 differs from an expected one; the error of `checkArrived`
   */
  async read(options: ReadOptions): Promise<Blob> {
    const { openSink, onReused, onBytes, newSha256 } = options;
    const earlier = this.#earlier;
    if (this.isUnchanged && earlier !== undefined) {
      const expected = this.#expected(options);
      if (expected.length === 0 || isExpected(await hashOf(newSha256(), earlier.content), expected)) {
        onReused?.();
        onBytes(earlier.length, earlier.length);
        return earlier.content;
      }
      this.#answer = await this.#ask(undefined);
    }
    const { start } = this.#answer;
    const sink = await openSink(this.version, start);
    try {
      let hash = await this.#receive(sink, options);
      if (start > 0 && !isExpected(hash, this.#expected(options))) {
        // The earlier bytes may have been damaged since.
        this.#answer = await this.#ask(undefined);
        await sink.restart(this.version);
        hash = await this.#receive(sink, options);
      }
      checkHash(this.url, hash, this.#expected(options));
      onBytes(sink.length, sink.length);
      return await sink.finish();
    } catch (error) {
      await sink.close();
      throw error;
    }
  }

  /** Receives the file into a sink. Returns its SHA-256 if one is expected. */
  async #receive(sink: Sink, options: ReadOptions): Promise<string | undefined> {
    const newHash = (): Sha256 | undefined => (this.#expected(options).length === 0 ? undefined : options.newSha256());
    let hash = newHash();
    if (hash !== undefined && sink.length > 0 && this.#earlier !== undefined) await addBlob(hash, this.#earlier.content);
    let longest = sink.length;
    for (;;) {
      try {
        for await (const bytes of this.#pieces()) {
          checkNotLonger(this.url, sink.length + bytes.length, this.#answer.announced);
          options.checkArrived(sink.length + bytes.length);
          await sink.write(bytes);
          hash?.update(bytes);
          const total = this.length;
          options.onBytes(sink.length, total === undefined || sink.length > total ? undefined : total);
        }
        checkComplete(this.url, sink.length, this.#answer.announced);
        return hash?.digest("hex");
      } catch (error) {
        if (sink.length > longest) this.#attempts.succeed();
        longest = Math.max(longest, sink.length);
        await this.#attempts.waitAfter(error);
        this.#answer = await this.#ask(sink.length);
        if (this.#answer.start === sink.length) continue;
        await sink.restart(this.version);
        hash = newHash();
      }
    }
  }

  /**
   * Requests the file again, from an offset on if the server can do that.
   * @throws RankletError `network`; `integrity` if the model was changed meanwhile
   */
  async #ask(offset: number | undefined): Promise<FileResponse> {
    const { etag, commit, sha256 } = this.#answer;
    const isPinned = this.#options.isPinned || sha256 !== undefined;
    const available = offset === undefined ? undefined : { length: offset, isComplete: false, etag, isPinned };
    const answer = await this.#attempts.repeat(() => requestFile(this.url, this.#options, available));
    if (answer === undefined) throw new RankletError("network", `${this.url.href} disappeared while it was downloaded; try again`);
    checkCommit(this.url, answer.commit, commit);
    return { ...answer, etag: answer.etag ?? (answer.start > 0 ? etag : undefined) };
  }

  #expected({ expected }: ReadOptions): readonly string[] {
    const { sha256 } = this.version;
    return sha256 === undefined ? expected : [...expected, sha256];
  }

  async *#pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { body } = this.#answer;
    if (body === undefined) return;
    const next = (): Promise<Uint8Array<ArrayBuffer> | undefined> => unlessSilent(abortable(body.next(), this.#options.signal));
    try {
      for (let piece = await next(); piece !== undefined; piece = await next()) yield piece;
    } catch (error) {
      throw new TransientError(`${this.url.href} broke off: ${messageOf(error)}`, { cause: error });
    } finally {
      // Also if the reader has failed. The option `fetch` need not take the signal.
      void body.cancel();
    }
  }
}

function isExpected(hash: string | undefined, expected: readonly string[]): boolean {
  return expected.every((other) => other === hash);
}
