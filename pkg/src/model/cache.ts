import { modelFiles, type Files } from "./model-files.js";
import { isOld, isSet, manifestOf, newSet, parseManifest, type Manifest } from "./manifest.js";
import type { Store } from "../platform/store.js";
import { isModuleFile } from "./module-list.js";
import { isWeightsName, weightsForms } from "./weights-index.js";

const manifestName = "manifest.json";

const fileNames: ReadonlySet<string> = new Set([...modelFiles, ...weightsForms].map(({ name }) => name));

/** Whether a cache keeps files of this name; a manifest may be damaged, and lead elsewhere. */
function isKept(name: string): boolean {
  return fileNames.has(name) || isWeightsName(name) || isModuleFile(name);
}

/**
 * One model in a cache: all of it or nothing. Its files lie in a folder that is written once; the manifest, written
 * last, says which folder that is. So readers and writers of several processes or tabs never see a mix.
 */
export class ModelCache {
  readonly #model: string;
  readonly #store: Store;

  /** @param model names the model: the URL of its files */
  constructor(model: string, store: Store) {
    this.#model = model;
    this.#store = store;
  }

  /** The model's files; `undefined` where they are not there, not whole or not readable. */
  async read(): Promise<Files | undefined> {
    try {
      const manifest = await this.#manifest();
      if (manifest === undefined) return undefined;
      const names = Object.keys(manifest.files).filter(isKept);
      const files = new Map(await Promise.all(names.map(async (name) => [name, await this.#file(manifest, name)] as const)));
      // Nobody waits for it: a set that was never finished takes room until it is gone.
      void this.#removeSets((set) => set !== manifest.set && isOld(set)).catch(() => {});
      return files;
    } catch {
      return undefined; // It can be downloaded, so why does not matter.
    }
  }

  /** Keeps the files in place of what was there. Rejects with what the disk or browser says; then nothing is kept. */
  async write(files: Files): Promise<void> {
    const set = newSet();
    let replaced: Manifest | undefined;
    try {
      for (const [name, content] of files) await this.#store.put(`${set}/${name}`, content);
      replaced = await this.#manifest();
      await this.#store.put(manifestName, new Blob([JSON.stringify(manifestOf(this.#model, set, files))]));
    } catch (error) {
      await this.#store.remove(set).catch(() => {}); // The first failure says more.
      throw error;
    }
    await this.#removeSets((other) => other !== set && (other === replaced?.set || isOld(other))).catch(() => {}); // Next time.
  }

  /** Removes the model. Rejects with what the disk or browser says. */
  async drop(): Promise<void> {
    const dropped = await this.#manifest();
    await this.#store.remove(manifestName);
    if (dropped !== undefined) await this.#store.remove(dropped.set);
  }

  async #manifest(): Promise<Manifest | undefined> {
    const content = await this.#store.get(manifestName);
    return content === undefined ? undefined : parseManifest(this.#model, content);
  }

  async #file({ set, files }: Manifest, name: string): Promise<Blob> {
    const content = await this.#store.get(`${set}/${name}`);
    if (content === undefined || content.size !== files[name]) throw new Error(`${name} is not as the manifest says`);
    return content;
  }

  /** A process that was ended while it wrote leaves a folder that no manifest names. */
  async #removeSets(condition: (set: string) => boolean): Promise<void> {
    for (const name of await this.#store.list()) {
      if (isSet(name) && condition(name)) await this.#store.remove(name);
    }
  }
}
