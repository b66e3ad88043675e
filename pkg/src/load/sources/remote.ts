import { RankletError } from "../../errors.js";
import { ArrivingFile } from "../../model/arriving-file.js";
import type { CacheEntry } from "../../model/cache-entry.js";
import { commitOf, folderOf, hubAdvice } from "../../model/hub.js";
import { type HubListing, listHub } from "../../model/hub-listing.js";
import { configFile, fixedNames, type ModelFile, missingMessage, missingWeightsMessage } from "../../model/model-files.js";
import { BlobSink, largeFileBytes, type PieceListener } from "../../model/sink.js";
import type { Platform } from "../../platform/platform.js";
import { ProgressTally } from "../progress.js";
import type { FileSource, OpenedFile, RemoteFolder, SourceContext } from "../stages.js";
import { type ArrivalCheck, DownloadVerifier } from "../verify.js";
import { Download } from "./download.js";
import type { DownloadOptions } from "./file-response.js";

/** Downloads files from a folder on a server, all of one commit. */
export class RemoteSource implements FileSource {
  readonly opensConfigFirst = true;
  readonly pageIsMissing: boolean;
  readonly skipsUnneededFiles: boolean;
  readonly #location: RemoteFolder;
  readonly #platform: Platform;
  readonly #entry: CacheEntry | undefined;
  readonly #arrives: boolean;
  readonly #downloads: Omit<DownloadOptions, "isPinned">;
  readonly #verifier: DownloadVerifier;
  readonly #progress: ProgressTally;
  /** The files of the Hub's model, if the Hub lists them. */
  #listing: HubListing | undefined;
  /** The files of the model, if `config.json` lists them. */
  #restricted: ReadonlySet<string> | undefined;
  /** The commit of `config.json`, once that is known. */
  #commit: string | undefined;
  /** The folder at the commit, once that is known. */
  #folder: URL;

  constructor(location: RemoteFolder, { platform, entry, budget, arrives, fetch, signal, onProgress }: SourceContext) {
    const { hub, folder } = location;
    this.pageIsMissing = hub === undefined;
    // A Hub lists its files.
    this.skipsUnneededFiles = hub === undefined;
    this.#location = location;
    this.#platform = platform;
    this.#entry = entry;
    this.#arrives = arrives;
    const { hasCors } = platform;
    this.#downloads =
      hub === undefined
        ? { signal, fetch, hasCors, pageIsMissing: true }
        : { signal, fetch, hasCors, token: hub.token?.value, pageIsMissing: false, advice: (status) => hubAdvice(hub, status) };
    this.#verifier = new DownloadVerifier(hub?.revision, budget);
    this.#progress = new ProgressTally(fixedNames, onProgress);
    this.#folder = folder;
    this.#commit = commitOf(hub?.revision);
  }

  /** Lists the files of a Hub's model, so that no file has to be requested that does not exist. Not every server can. */
  async list(): Promise<ReadonlySet<string> | undefined> {
    const { hub } = this.#location;
    if (hub !== undefined) this.#listing = await listHub(hub, this.#downloads);
    return this.#listing?.files;
  }

  restrict(names: ReadonlySet<string>): void {
    this.#restricted = names;
  }

  skip(file: ModelFile): void {
    this.#absent(file);
  }

  async open(file: ModelFile): Promise<OpenedFile | undefined> {
    if (!this.#canHave(file)) return this.#absent(file);
    const url = new URL(file.name, this.#folder);
    const isPinned = this.#commit !== undefined;
    // The answer for config.json tells the commit, so that one is always requested.
    const earlier = file === configFile ? undefined : await this.#entry?.earlier(file.name, url, isPinned);
    const download = await Download.open(url, { ...this.#downloads, isPinned, noStore: () => this.#isStoredHere(file) }, earlier);
    if (download === undefined) return this.#absent(file);
    const checkArrived = this.#verifier.check(file, download);
    this.#progress.expect(file.name, download.length);
    if (file === configFile) this.#pin(download);
    const length = download.isWhole ? this.#lengthOf(file, download) : 0;
    const arrive = (): ArrivingFile => new ArrivingFile(length, (pieces) => this.#read(file, download, checkArrived, pieces));
    return {
      name: file.name,
      length: download.length,
      read: () => this.#read(file, download, checkArrived),
      arrive: this.#arrives && isReadForward(file) && length >= largeFileBytes ? arrive : undefined,
      cancel: () => download.cancel(),
    };
  }

  announce(names: readonly string[]): void {
    this.#progress.addListed(names);
  }

  missing(file: ModelFile): RankletError {
    return new RankletError("network", missingMessage(file, `: ${new URL(file.name, this.#folder).href} answered ${this.#answer()}`));
  }

  missingWeights(): RankletError {
    return new RankletError("network", missingWeightsMessage(`${this.#folder.href} answered ${this.#answer()}`));
  }

  /**
   * Reads the other files at the commit of `config.json`, because a branch can move at any time. Their own responses
   * cannot tell: a Hub serves large files from servers that do not name the commit.
   */
  #pin({ commit }: Download): void {
    const { hub } = this.#location;
    if (hub === undefined || commit === undefined) return;
    this.#folder = folderOf(hub, commit);
    this.#commit = commit;
    this.#entry?.setCommit(commit);
  }

  /** Whether the location may have a file. */
  #canHave(file: ModelFile): boolean {
    if (file !== configFile && this.#entry?.isAbsent(file.name) === true) return false;
    return (this.#validListing?.files ?? this.#restricted)?.has(file.name) ?? true;
  }

  /** The listing, unless it is of another commit. */
  get #validListing(): HubListing | undefined {
    const commit = this.#listing?.commit;
    return commit !== undefined && this.#commit !== undefined && commit !== this.#commit ? undefined : this.#listing;
  }

  /** Whether a large file is stored in the package's cache, so that the browser need not store it too. */
  #isStoredHere({ code }: ModelFile): boolean {
    return code === "weights" && this.#entry?.isStoring === true && this.#platform.hasCors;
  }

  /** Returns the length of a large file; 0 if it is not known, or the Hub's list and the response differ. */
  #lengthOf({ name }: ModelFile, { exactLength }: Download): number {
    const listed = this.#validListing?.large.get(name)?.bytes ?? exactLength;
    return listed === (exactLength ?? listed) ? (listed ?? 0) : 0;
  }

  #absent(file: ModelFile): undefined {
    if (!file.required || file.replacements !== undefined) this.#progress.report(file.name, 0, 0);
  }

  async #read({ name }: ModelFile, download: Download, checkArrived: ArrivalCheck, pieces?: PieceListener): Promise<Blob> {
    const entry = this.#entry;
    const listed = this.#validListing?.large.get(name)?.sha256;
    return download.read({
      openSink: (version, start) =>
        entry === undefined ? Promise.resolve(new BlobSink(pieces)) : entry.openSink(name, version, start, pieces),
      onReused: () => entry?.reuse(name),
      onBytes: (loaded, total) => this.#progress.report(name, loaded, total),
      checkArrived,
      newSha256: () => this.#platform.newSha256(),
      expected: listed === undefined ? [] : [listed],
    });
  }

  /** The answer for a missing file, as a message says it. */
  #answer(): string {
    const { hub } = this.#location;
    return hub === undefined ? "404 or a page of HTML" : `404; ${hubAdvice(hub, 404)}`;
  }
}

/** Whether the engine reads a file from its beginning to its end. */
function isReadForward({ name, code }: ModelFile): boolean {
  return code === "weights" && name.endsWith(".safetensors");
}
