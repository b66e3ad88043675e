import type { Store } from "./store.js";

/**
 * Creates a store in the Cache API. A name is stored under the model's URL with the name in its query.
 * @param name name of the Cache; default "ranklet-models-v1"
 * @returns `undefined` if there is no Cache API, as on pages without https
 */
export function browserStore(name = "ranklet-models-v1", model: string): Store | undefined {
  const all = storage();
  if (all === undefined) return undefined;
  const opened = (): Promise<Cache> => all.open(name);
  const urlOf = (entry: string): string => `${model}?ranklet=${entry}`;
  const names = async (cache: Cache): Promise<string[]> => {
    const start = urlOf("");
    return (await cache.keys()).filter(({ url }) => url.startsWith(start)).map(({ url }) => url.slice(start.length));
  };
  return {
    get: async (entry) => (await (await opened()).match(urlOf(entry)))?.blob(),
    put: async (entry, content) => (await opened()).put(urlOf(entry), new Response(content)),
    list: async () => [...new Set((await names(await opened())).map((entry) => entry.split("/", 1)[0] as string))],
    remove: async (entry) => {
      const cache = await opened();
      for (const found of await names(cache)) {
        if (found === entry || found.startsWith(`${entry}/`)) await cache.delete(urlOf(found));
      }
    },
  };
}

/** Returns the browser's caches. In some frames, reading the property throws. */
function storage(): CacheStorage | undefined {
  try {
    return globalThis.caches as CacheStorage | undefined;
  } catch {
    return undefined;
  }
}
