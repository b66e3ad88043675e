import { cacheName } from "../load/cache-options.js";
import { weightsFile } from "../load/load-options.js";
import { locate } from "../load/locate.js";
import { cacheKey, openModelCache, partsOfKey, type StoredModel, storedModels } from "../model/cached-models.js";
import type { Platform } from "../platform/platform.js";
import type { ModelStores } from "../platform/store.js";
import type { CachedModel, CachedModels, CacheLocation, CacheLookup } from "../types/cache.js";
import type { ModelSource } from "../types.js";
import { checkOptions, string } from "../util/check.js";

const locationChecks = { cache: cacheName };
const lookupChecks = { ...locationChecks, revision: string, baseUrl: string, weights: weightsFile };

/** `Reranker.cache` on one platform. */
export class PlatformCache implements CachedModels {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  async list(options?: CacheLocation): Promise<CachedModel[]> {
    const stores = this.#platform.stores(checkOptions("cache.list", options, locationChecks).cache);
    const models = stores === undefined ? [] : [...(await storedModels(stores))];
    return models.sort((a, b) => b.lastUsed - a.lastUsed).map(toCachedModel);
  }

  async size(options?: CacheLocation): Promise<number> {
    const stores = this.#platform.stores(checkOptions("cache.size", options, locationChecks).cache);
    return stores === undefined ? 0 : (await storedModels(stores)).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async has(model: ModelSource, options?: CacheLookup): Promise<boolean> {
    const found = this.#find("cache.has", model, options);
    return found !== undefined && (await openModelCache(found.stores, found.key).isComplete());
  }

  async delete(model: ModelSource, options?: CacheLookup): Promise<boolean> {
    const found = this.#find("cache.delete", model, options);
    if (found === undefined) return false;
    const store = found.stores.open(found.key);
    const isThere = (await store.list()).length > 0;
    await store.remove();
    return isThere;
  }

  #find(
    call: string,
    model: ModelSource,
    options: CacheLookup | undefined,
  ): { readonly stores: ModelStores; readonly key: string } | undefined {
    const { cache, weights, revision, baseUrl } = checkOptions(call, options, lookupChecks);
    const location = locate(this.#platform, model, { revision, baseUrl, token: undefined }, false);
    const stores = this.#platform.stores(cache);
    return location.kind === "remote" && stores !== undefined ? { stores, key: cacheKey(location, weights) } : undefined;
  }
}

function toCachedModel({ key, bytes, isComplete, lastUsed }: StoredModel): CachedModel {
  const { url, weights } = partsOfKey(key);
  return { url, ...(weights === undefined ? {} : { weights }), bytes, complete: isComplete, lastUsed: new Date(lastUsed) };
}
