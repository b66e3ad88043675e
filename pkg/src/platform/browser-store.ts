import type { Store } from "./store.js";

/**
 * A store in the Cache API. Entries have the URL of the model's files with the entry's name in the query.
 * @param name of the Cache; default: "ranklet-models-v1"
 * @returns `undefined` where there is no Cache API: pages without https, among others
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

/** In some frames there are caches, but whoever looks at them gets an exception. */
function storage(): CacheStorage | undefined {
  try {
    return globalThis.caches as CacheStorage | undefined;
  } catch {
    return undefined;
  }
}
