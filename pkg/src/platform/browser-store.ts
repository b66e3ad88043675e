import type { Store } from "./store.js";

/**
 * Creates a store in the Cache API. A file is stored under the model's URL with the file's path in its query.
 * @param name name of the Cache; default "ranklet-models-v1"
 * @returns `undefined` if there is no Cache API, as on pages without https
 */
export function browserStore(name = "ranklet-models-v1", model: string): Store | undefined {
  const caches = cacheStorage();
  if (caches === undefined) return undefined;
  const openCache = (): Promise<Cache> => caches.open(name);
  const urlOf = (path: string): string => `${model}${model.includes("?") ? "&" : "?"}ranklet=${path}`;
  const paths = async (cache: Cache): Promise<string[]> => {
    const prefix = urlOf("");
    return (await cache.keys()).filter(({ url }) => url.startsWith(prefix)).map(({ url }) => url.slice(prefix.length));
  };
  return {
    get: async (path) => (await (await openCache()).match(urlOf(path)))?.blob(),
    put: async (path, content) => (await openCache()).put(urlOf(path), new Response(content)),
    list: async () => [...new Set((await paths(await openCache())).map((path) => path.split("/", 1)[0] as string))],
    remove: async (path) => {
      const cache = await openCache();
      for (const other of await paths(cache)) {
        if (other === path || other.startsWith(`${path}/`)) await cache.delete(urlOf(other));
      }
    },
  };
}

/** Returns the browser's caches. In some frames, reading the property throws. */
function cacheStorage(): CacheStorage | undefined {
  try {
    return globalThis.caches as CacheStorage | undefined;
  } catch {
    return undefined;
  }
}
