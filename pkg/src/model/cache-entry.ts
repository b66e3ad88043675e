import type { Store } from "../platform/store.js";
import type { EarlierContent, FileVersion } from "./file-version.js";
import { createManifest, createRecord, type Manifest, manifestName, newEntryName, parseRecord, recordName } from "./manifest.js";
import type { ModelFiles } from "./model-files.js";
import { BlobSink, type PieceListener, type Sink } from "./sink.js";
import { StoredSink } from "./stored-sink.js";

/**
 * The entry of a cache that a download fills. Downloads write into it as bytes arrive, and record which version of a file
 * they write, so that a later process or tab can continue. It becomes the model's entry with `commit`.
 */
export class CacheEntry {
  readonly #model: string;
  readonly #store: Store;
  /** The model's entry so far, which a download may take unchanged files from. */
  readonly #cached: Manifest | undefined;
  readonly #name: string;
  readonly #versions: Map<string, FileVersion>;
  /** Files of this entry that are complete and verified. */
  readonly #finished = new Set<string>();
  /** Files that are unchanged, so they are taken from the cached model. */
  readonly #reused = new Set<string>();
  readonly #sinks: StoredSink[] = [];
  #isClosed = false;
  #commit: string | undefined;
  #recording: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  private constructor(model: string, store: Store, cached: Manifest | undefined, name: string, versions: Map<string, FileVersion>) {
    this.#model = model;
    this.#store = store;
    this.#cached = cached;
    this.#name = name;
    this.#versions = versions;
  }

  /**
   * Begins an entry.
   * @param continues whether the entry of a download that was interrupted is taken, if there is one
   * @param cached the model's entry so far, if files may be taken from it
   */
  static async open(model: string, store: Store, continues: boolean, cached: Manifest | undefined): Promise<CacheEntry> {
    const content = continues ? await store.get(recordName).catch(() => undefined) : undefined;
    const record = content === undefined ? undefined : await parseRecord(model, content);
    return new CacheEntry(model, store, cached, record?.set ?? newEntryName(), new Map(Object.entries(record?.files ?? {})));
  }

  /** Whether the pieces of a file can be read while it is written. */
  get hasPieces(): boolean {
    return this.#store.piece !== undefined;
  }

  /** Whether downloads are written into this entry: not after a failure. */
  get isStoring(): boolean {
    return this.#failure === undefined && !this.#isClosed;
  }

  /** Sets the commit that the files are of. */
  setCommit(commit: string): void {
    this.#commit = commit;
  }

  /** Whether the model is known not to have a file. */
  isAbsent(name: string): boolean {
    return this.#isSameCommit && this.#cached?.absent.includes(name) === true;
  }

  /**
   * Returns the bytes of a file that are there already: of an interrupted download, or of the cached model.
   * @param isPinned whether the file at this URL never changes
   */
  async earlier(name: string, url: URL, isPinned: boolean): Promise<EarlierContent | undefined> {
    const version = this.#versions.get(name);
    const content = version === undefined ? undefined : await this.#read(this.#name, name);
    if (version !== undefined && content !== undefined && content.size > 0 && content.size <= (version.bytes ?? Infinity)) {
      const { etag, sha256, bytes } = version;
      return {
        content,
        length: content.size,
        isComplete: content.size === bytes,
        etag,
        isPinned: isPinned && version.url === url.href,
        sha256,
      };
    }
    const cached = this.#cached === undefined ? undefined : await this.#read(this.#cached.set, name);
    if (cached === undefined || cached.size !== this.#cached?.files[name]) return undefined;
    return {
      content: cached,
      length: cached.size,
      isComplete: true,
      etag: this.#cached?.etags?.[name],
      isPinned: this.#isSameCommit,
      sha256: undefined,
    };
  }

  /** Records that the bytes of `earlier` are the whole file, and verified. */
  reuse(name: string): void {
    (this.#versions.has(name) ? this.#finished : this.#reused).add(name);
  }

  /**
   * Returns a sink that writes a file into this entry. If that fails, for example because the disk is full, it collects the file
   * in memory.
   * @param start the number of bytes of the file that this entry has already, and that are used
   * @param pieces receives the content as it arrives; only for `start` 0
   */
  async openSink(name: string, version: FileVersion, start: number, pieces?: PieceListener): Promise<Sink> {
    if (start === 0 && !this.isStoring) return new BlobSink(pieces);
    const path = `${this.#name}/${name}`;
    const sink = new StoredSink(this.#store, path, start, {
      onStart: (next) => this.#record(name, next),
      onFailure: (error) => (this.#failure ??= { error }),
      onFinish: () => void this.#finished.add(name),
      pieces,
    });
    this.#sinks.push(sink);
    await sink.start(version);
    return sink;
  }

  /**
   * Makes this the model's entry, unless nothing has changed.
   * @throws the error of the store; then the former entry stays valid
   */
  async commit(files: ModelFiles): Promise<void> {
    const names = [...files.keys()];
    const { files: cachedFiles = {}, etags: cachedEtags = {} } = this.#cached ?? {};
    if (names.length === Object.keys(cachedFiles).length && names.every((name) => this.#reused.has(name))) return this.discard();
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      for (const [name, content] of files) if (!this.#finished.has(name)) await this.#store.put(`${this.#name}/${name}`, content);
      const etags = Object.fromEntries(
        names.map((name) => [name, this.#reused.has(name) ? cachedEtags[name] : this.#versions.get(name)?.etag]),
      );
      await this.#store.put(manifestName, createManifest(this.#model, { entry: this.#name, files, etags, commit: this.#commit }));
    } catch (error) {
      await this.discard().catch(() => {}); // The first failure is the informative one.
      throw error;
    }
    await this.#recording.catch(() => {});
    await this.#store.remove(recordName);
  }

  /**
   * Ends all writing into the entry after a failed load, whose other downloads may still run. When this resolves, another
   * load may continue the entry.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#sinks.map((sink) => sink.stop()));
  }

  /** Removes the entry. */
  async discard(): Promise<void> {
    await this.#recording.catch(() => {});
    await this.#store.remove(recordName);
    await this.#store.remove(this.#name);
  }

  /** Whether the cached files are of the same commit, so that they need not be requested. */
  get #isSameCommit(): boolean {
    return this.#commit !== undefined && this.#commit === this.#cached?.commit;
  }

  async #read(entry: string, name: string): Promise<Blob | undefined> {
    return this.#store.get(`${entry}/${name}`).catch(() => undefined);
  }

  /** Records the version of a file before its bytes are written. */
  async #record(name: string, version: FileVersion): Promise<void> {
    this.#versions.set(name, version);
    const record = createRecord(this.#model, this.#name, Object.fromEntries(this.#versions));
    this.#recording = this.#recording.catch(() => {}).then(() => this.#store.put(recordName, record));
    await this.#recording;
  }
}
