import { messageOf } from "../errors.js";
import type { Store } from "../platform/store.js";
import { CacheEntry } from "./cache-entry.js";
import {
  isEntryName,
  isOldEntry,
  isStaleDownload,
  type Manifest,
  manifestName,
  parseManifest,
  parseRecord,
  recordName,
} from "./manifest.js";
import { isModelFileName, type ModelFiles, type WeightsForm, weightsForms } from "./model-files.js";

/** A complete model in a store. */
interface CachedFiles {
  /** The name of the entry that has the files. */
  readonly entry: string;
  readonly files: ModelFiles;
}

/**
 * One model in a store: complete, or absent. Each download writes a new entry, a folder that is never changed once it is
 * complete. The manifest, written last, names the valid entry. So concurrent readers and writers in other processes or tabs
 * never see a mix of two writes.
 */
export class ModelCache {
  readonly #model: string;
  readonly #store: Store;
  readonly #weights: readonly WeightsForm[];
  #readFailure: string | undefined;

  /**
   * @param model identifies the model: the URL of its folder, and the weights if they are chosen
   * @param weights the chosen weights; default: any form
   */
  constructor(model: string, store: Store, weights?: WeightsForm) {
    this.#model = model;
    this.#store = store;
    this.#weights = weights === undefined ? weightsForms : [weights];
  }

  /** The model's key. */
  get key(): string {
    return this.#model;
  }

  /** Why the last `read` failed, if it did. */
  get readFailure(): string | undefined {
    return this.#readFailure;
  }

  /** Reads the model's files. Returns `undefined` if they are absent, incomplete or unreadable. */
  async read(): Promise<CachedFiles | undefined> {
    try {
      const manifest = await this.manifest();
      if (manifest === undefined) return undefined;
      // A damaged manifest may name files outside the entry.
      const names = Object.keys(manifest.files).filter(isModelFileName);
      const files = new Map(await Promise.all(names.map(async (name) => [name, await this.#file(manifest, name)] as const)));
      // Not awaited: they only waste space, or say when the model was used.
      void this.#store.markUsed().catch(() => {});
      void this.#removeOldEntries(manifest.set).catch(() => {});
      return { entry: manifest.set, files };
    } catch (error) {
      this.#readFailure = messageOf(error);
      return undefined; // The model will be downloaded, whatever the reason.
    }
  }

  /** Whether the store has all files of the model. */
  async isComplete(): Promise<boolean> {
    const manifest = await this.manifest();
    if (manifest === undefined) return false;
    const { set, files } = manifest;
    const sizes = await Promise.all(
      Object.keys(files)
        .filter(isModelFileName)
        .map(async (name) => (await this.#store.size(`${set}/${name}`)) === files[name]),
    );
    return sizes.every((isRight) => isRight);
  }

  /** Runs `task` while no other process or tab downloads the model; see `Store.lock`. */
  lock<T>(task: (isLocked: boolean) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#store.lock(task, signal);
  }

  /**
   * Opens the entry that a download fills.
   * @param continues whether an interrupted download is continued. No other process or tab may write to its entry.
   * @param refreshes whether unchanged files are taken from the cached model
   */
  async openEntry(continues: boolean, refreshes: boolean): Promise<CacheEntry> {
    const cached = refreshes ? await this.manifest().catch(() => undefined) : undefined;
    return CacheEntry.open(this.#model, this.#store, continues, cached);
  }

  /**
   * Makes a downloaded entry the model's, and removes the former one.
   * @throws the error of the store, or one that the files have more than `maxBytes`; then the former entry stays valid
   */
  async commit(entry: CacheEntry, files: ModelFiles, maxBytes: number): Promise<void> {
    const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
    if (bytes > maxBytes) {
      await entry.discard();
      throw new Error(`it has ${bytes} bytes, more than cache.maxBytes, ${maxBytes}`);
    }
    const replaced = await this.manifest().catch(() => undefined);
    await entry.commit(files);
    const current = await this.manifest();
    // If this fails, the next write tries again.
    if (replaced !== undefined && replaced.set !== current?.set) await this.#store.remove(replaced.set).catch(() => {});
    await this.#removeOldEntries(current?.set).catch(() => {});
    await this.#store.markUsed().catch(() => {});
  }

  /** Removes an entry. The model stays if another one has become valid meanwhile. Rejects as the store does. */
  async remove(entry: string): Promise<void> {
    const manifest = await this.manifest();
    if (manifest?.set === entry) await this.#store.remove(manifestName);
    await this.#store.remove(entry);
  }

  /** Returns the manifest, or `undefined` if the store has no valid one. */
  async manifest(): Promise<Manifest | undefined> {
    const content = await this.#store.get(manifestName);
    return content === undefined ? undefined : parseManifest(this.#model, this.#weights, content);
  }

  async #file({ set, files }: Manifest, name: string): Promise<Blob> {
    const content = await this.#store.get(`${set}/${name}`);
    if (content === undefined || content.size !== files[name]) throw new Error(`${name} differs from the manifest`);
    return content;
  }

  /** Removes old entries other than the valid one and that of a download that can be continued. */
  async #removeOldEntries(valid: string | undefined): Promise<void> {
    const content = await this.#store.get(recordName);
    const record = content === undefined ? undefined : await parseRecord(this.#model, content);
    const isStale = record !== undefined && isStaleDownload(record);
    if (isStale) await this.#store.remove(recordName);
    for (const name of await this.#store.list()) {
      if (!isEntryName(name) || name === valid || !isOldEntry(name)) continue;
      if (isStale || name !== record?.set) await this.#store.remove(name);
    }
  }
}
