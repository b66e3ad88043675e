import { abortable } from "../util/abort.js";
import type { ModelStores, Store } from "./store.js";

/** The query parameter that has the path of a file. The URL of a model may have others. */
const key = /[?&]ranklet=/;
/** Separates a file's path from the offset of a piece of it. */
const pieceMark = "~";
/** The name of the entry that has the time of the last use. */
const usedName = "used";
/**
 * Creates stores in the Cache API. A file is stored under the model's URL with the file's path in its query; an appended file
 * is stored in pieces.
 * @param name name of the Cache; default "ranklet-models-v1"
 * @returns `undefined` if there is no Cache API, as on pages without https
 */
export function browserStores(name = "ranklet-models-v1"): ModelStores | undefined {
  const caches = cacheStorage();
  if (caches === undefined) return undefined;
  const openCache = (): Promise<Cache> => caches.open(name);
  const open = (model: string): Store => new BrowserStore(openCache, model, `ranklet ${name} ${model}`);
  return {
    open,
    all: async () => {
      const urls = (await (await openCache()).keys()).map(({ url }) => url);
      return [...new Set(urls.filter((url) => key.test(url)).map((url) => url.split(key, 1)[0] as string))].map(open);
    },
  };
}

class BrowserStore implements Store {
  readonly #openCache: () => Promise<Cache>;
  readonly #prefix: string;
  readonly #lockName: string;

  constructor(openCache: () => Promise<Cache>, model: string, lockName: string) {
    this.#openCache = openCache;
    this.#prefix = `${model}${model.includes("?") ? "&" : "?"}ranklet=`;
    this.#lockName = lockName;
  }

  async get(path: string): Promise<Blob | undefined> {
    const cache = await this.#openCache();
    const whole = await cache.match(this.#prefix + path);
    if (whole !== undefined) return whole.blob();
    const pieces: Blob[] = [];
    for (let start = 0; ; start += pieces.at(-1)?.size ?? 0) {
      const piece = await this.piece(path, start);
      if (piece === undefined || piece.size === 0) break;
      pieces.push(piece);
    }
    return pieces.length === 0 ? undefined : new Blob(pieces);
  }

  async size(path: string): Promise<number | undefined> {
    return (await this.get(path))?.size;
  }

  async put(path: string, content: Blob): Promise<void> {
    await (await this.#openCache()).put(this.#prefix + path, new Response(content));
  }

  async append(path: string, start: number, bytes: Blob): Promise<void> {
    await this.put(path + pieceMark + start, bytes);
  }

  async piece(path: string, start: number): Promise<Blob | undefined> {
    return (await (await this.#openCache()).match(this.#prefix + path + pieceMark + start))?.blob();
  }

  async list(): Promise<readonly string[]> {
    return [...new Set((await this.#paths(await this.#openCache())).map((path) => path.split(/[/~]/, 1)[0] as string))];
  }

  async remove(path?: string): Promise<void> {
    const cache = await this.#openCache();
    for (const other of await this.#paths(cache)) {
      const isInside = path === undefined || other === path || other.startsWith(`${path}/`) || other.startsWith(path + pieceMark);
      if (isInside) await cache.delete(this.#prefix + other);
    }
  }

  async markUsed(): Promise<void> {
    await this.put(usedName, new Blob([String(Date.now())]));
  }

  async lastUsed(): Promise<number> {
    return Number((await (await this.get(usedName))?.text()) ?? 0);
  }

  async lock<T>(task: (isLocked: boolean) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { locks } = navigator;
    if (locks === undefined) return task(false);
    // Awaited apart from the task, so that a failure of the lock differs from one of the task.
    let release = (): void => {};
    const granted = new Promise<boolean>((resolve) => {
      const held = (): Promise<void> => {
        resolve(true);
        return new Promise((done) => (release = done));
      };
      locks.request(this.#lockName, { signal }, held).catch(() => resolve(false)); // Some frames may not use locks.
    });
    try {
      return await task(await abortable(granted, signal));
    } finally {
      release();
    }
  }

  async #paths(cache: Cache): Promise<string[]> {
    return (await cache.keys()).filter(({ url }) => url.startsWith(this.#prefix)).map(({ url }) => url.slice(this.#prefix.length));
  }
}

/** Returns the browser's caches. In some frames, reading the property throws. */
function cacheStorage(): CacheStorage | undefined {
  try {
    return globalThis.caches as CacheStorage | undefined;
  } catch {
    return undefined;
  }
}
