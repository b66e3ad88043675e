import { RankletError } from "../../errors.js";
import { fixedNames, type ModelFile, missingMessage, missingWeightsMessage } from "../../model/model-files.js";
import { newSink } from "../../model/sink.js";
import { kindOf } from "../../util/check.js";
import { blobOfDataUrl } from "../../util/data-url.js";
import { expectOk } from "../../util/request.js";
import { typeTag } from "../../util/type-tag.js";
import { fileUrl } from "../locate.js";
import { ProgressTally } from "../progress.js";
import type { FileSource, GivenFiles, OpenedFile, SourceContext } from "../stages.js";
import { arrivalCheck } from "../verify.js";
import { Download } from "./download.js";
import { readLocal } from "./local.js";

/** Reads files that the caller gave: their content, or URLs to read it from. Progress counts URLs only. */
export class GivenSource implements FileSource {
  readonly opensConfigFirst = false;
  readonly pageIsMissing = false;
  readonly skipsUnneededFiles = false;
  readonly #files: Readonly<Record<string, unknown>>;
  readonly #missingAdvice: string | undefined;
  readonly #context: SourceContext;
  readonly #progress: ProgressTally;

  constructor({ files, missingAdvice }: GivenFiles, context: SourceContext) {
    this.#files = withUrls(files, context);
    this.#missingAdvice = missingAdvice;
    this.#context = context;
    this.#progress = new ProgressTally(
      fixedNames.filter((name) => this.#isUrl(name)),
      context.onProgress,
    );
  }

  async list(): Promise<ReadonlySet<string>> {
    return new Set(Object.keys(this.#files).filter((name) => this.#content(name) !== undefined));
  }

  restrict(): void {}

  skip(): void {}

  async open(file: ModelFile): Promise<OpenedFile | undefined> {
    const { name } = file;
    const content = this.#content(name);
    if (content === undefined) return undefined;
    const type = typeTag(content);
    if (type === "URL" && !/^(file|data):$/.test((content as URL).protocol)) return this.#openDownload(file, content as URL);
    return { name, read: () => this.#read(file, content), isReadOnce: type === "Response" || type === "ReadableStream" };
  }

  announce(names: readonly string[]): void {
    this.#progress.addListed(names.filter((name) => this.#isUrl(name)));
  }

  missing(file: ModelFile): RankletError {
    const { code, listedIn } = file;
    const why = ` from the model's files${listedIn === undefined ? "" : `, though ${listedIn} lists it`}`;
    return new RankletError(code, missingMessage(file, why));
  }

  missingWeights(): RankletError {
    return new RankletError("weights", missingWeightsMessage("it is not among the model's files"));
  }

  #content(name: string): unknown {
    return Object.hasOwn(this.#files, name) ? this.#files[name] : undefined;
  }

  #isUrl(name: string): boolean {
    return typeTag(this.#content(name)) === "URL";
  }

  async #read(file: ModelFile, content: unknown): Promise<Blob> {
    const { platform } = this.#context;
    switch (typeTag(content)) {
      case "Uint8Array":
      case "ArrayBuffer":
        return new Blob([content as Uint8Array<ArrayBuffer> | ArrayBuffer]);
      case "Blob":
      case "File":
        return readLocal(file, async () => platform.readBlob?.(content as Blob) ?? new Blob([content as Blob]));
      case "Response":
        return readLocal(file, () => expectOk(content as Response, file.name).blob());
      case "ReadableStream":
        return readLocal(file, () => new Response(content as ReadableStream).blob());
      case "URL":
        return this.#readLocalUrl(file, content as URL);
      default:
        throw new RankletError(
          "input",
          `load: ${file.name} must be a Uint8Array, an ArrayBuffer, a Blob, a Response, a stream, a URL or a path, not ${kindOf(content)}`,
        );
    }
  }

  /** Reads a `file:` or `data:` URL. Its file must exist, even if a model can do without: the caller named it. */
  async #readLocalUrl(file: ModelFile, url: URL): Promise<Blob> {
    const { name, code } = file;
    const { platform, signal } = this.#context;
    const content = await readLocal(file, async () => (url.protocol === "data:" ? blobOfDataUrl(url) : platform.readFile(url, signal)));
    this.#reportWhole(name, content?.size ?? 0);
    if (content === undefined) throw new RankletError(code, this.#missingMessage(name, `there is no ${url.href}`));
    return content;
  }

  /** Requests a URL. Its file must exist, as that of `#readLocalUrl`. */
  async #openDownload(file: ModelFile, url: URL): Promise<OpenedFile> {
    const { name } = file;
    const { platform, budget, offline, fetch, signal } = this.#context;
    if (url.username !== "" || url.password !== "") {
      throw new RankletError("input", `load: the URL of ${name} contains a user or password; fetch the file yourself and give its content`);
    }
    if (offline !== undefined)
      throw new RankletError("network", `${name} is not local: ${url.href} cannot be downloaded, because ${offline}`);
    const download = await Download.open(url, { signal, fetch, pageIsMissing: true, hasCors: platform.hasCors, isPinned: false });
    if (download === undefined) throw new RankletError("network", this.#missingMessage(name, `${url.href} answered 404 or a page of HTML`));
    const checkArrived = arrivalCheck(file, download, budget);
    this.#progress.expect(name, download.length);
    const read = (): Promise<Blob> =>
      download.read({
        openSink: async ({ bytes }) => newSink(bytes),
        onBytes: (loaded, total) => this.#progress.report(name, loaded, total),
        checkArrived,
        newSha256: () => platform.newSha256(),
        expected: [],
      });
    // The page already has the content of a `blob:` URL in memory.
    return url.protocol === "blob:" ? { name, read } : { name, length: download.length, read, cancel: () => download.cancel() };
  }

  #missingMessage(name: string, why: string): string {
    return `${name} is missing: ${why}${this.#missingAdvice === undefined ? "" : `; ${this.#missingAdvice}`}`;
  }

  #reportWhole(name: string, size: number): void {
    this.#progress.report(name, size, size);
  }
}

/** Returns the files with the strings that are URLs or paths as URLs. Their values are read once, because a getter may compute them. */
function withUrls(files: Readonly<Record<string, unknown>>, { platform, fetch }: SourceContext): Readonly<Record<string, unknown>> {
  const urlOf = (content: unknown): unknown =>
    typeof content === "string" ? (fileUrl(platform, content, fetch !== undefined) ?? content) : content;
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [name, urlOf(content)]));
}
