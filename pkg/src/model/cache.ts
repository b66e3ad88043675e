import { messageOf } from "../errors.js";
import type { Store } from "../platform/store.js";
import { createManifest, isEntryName, isOldEntry, type Manifest, newEntryName, parseManifest } from "./manifest.js";
import { isModelFileName, type ModelFiles, type WeightsForm, weightsForms } from "./model-files.js";

const manifestName = "manifest.json";

/**
 * One model in a store: complete, or absent. Each write creates a new entry, a folder that is never changed afterwards. The
 * manifest, written last, names the valid entry. So concurrent readers and writers in other processes or tabs never see a
 * mix of two writes.
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

  /** Why the last `read` failed, if it did. */
  get readFailure(): string | undefined {
    return this.#readFailure;
  }

  /** Reads the model's files. Returns `undefined` if they are absent, incomplete or unreadable. */
  async read(): Promise<ModelFiles | undefined> {
    try {
      const manifest = await this.#manifest();
      if (manifest === undefined) return undefined;
      // A damaged manifest may name files outside the entry.
      const names = Object.keys(manifest.files).filter(isModelFileName);
      const files = new Map(await Promise.all(names.map(async (name) => [name, await this.#file(manifest, name)] as const)));
      // Not awaited: unfinished entries only waste space.
      void this.#removeEntries((entry) => entry !== manifest.set && isOldEntry(entry)).catch(() => {});
      return files;
    } catch (error) {
      this.#readFailure = messageOf(error);
      return undefined; // The model will be downloaded, whatever the reason.
    }
  }

  /** Replaces the model's files. If the store rejects, so does this, and the former files stay valid. */
  async write(files: ModelFiles): Promise<void> {
    const entry = newEntryName();
    let replaced: Manifest | undefined;
    try {
      for (const [name, content] of files) await this.#store.put(`${entry}/${name}`, content);
      replaced = await this.#manifest();
      await this.#store.put(manifestName, new Blob([JSON.stringify(createManifest(this.#model, entry, files))]));
    } catch (error) {
      await this.#store.remove(entry).catch(() => {}); // The first failure is the informative one.
      throw error;
    }
    // If this fails, the next write tries again.
    await this.#removeEntries((other) => other !== entry && (other === replaced?.set || isOldEntry(other))).catch(() => {});
  }

  /** Removes the model. Rejects as the store does. */
  async remove(): Promise<void> {
    const manifest = await this.#manifest();
    await this.#store.remove(manifestName);
    if (manifest !== undefined) await this.#store.remove(manifest.set);
  }

  async #manifest(): Promise<Manifest | undefined> {
    const content = await this.#store.get(manifestName);
    return content === undefined ? undefined : parseManifest(this.#model, this.#weights, content);
  }

  async #file({ set, files }: Manifest, name: string): Promise<Blob> {
    const content = await this.#store.get(`${set}/${name}`);
    if (content === undefined || content.size !== files[name]) throw new Error(`${name} differs from the manifest`);
    return content;
  }

  /** Removes the entries for which `condition` holds. A process that is killed while writing leaves one without a manifest. */
  async #removeEntries(condition: (entry: string) => boolean): Promise<void> {
    for (const name of await this.#store.list()) {
      if (isEntryName(name) && condition(name)) await this.#store.remove(name);
    }
  }
}
