import type { ModelStores, Store } from "../platform/store.js";
import { isObject } from "../util/check.js";
import { ModelCache } from "./cache.js";
import { isOldDownload, isStaleDownload, manifestName, parseJson, parseRecord, recordName } from "./manifest.js";
import { chosenForm, type WeightsForm } from "./model-files.js";

/** A model in a cache. */
export interface StoredModel {
  /** Its identity: the URL of its folder, and the weights if they were chosen. */
  readonly key: string;
  readonly store: Store;
  readonly bytes: number;
  readonly isComplete: boolean;
  /** Milliseconds since 1970. */
  readonly lastUsed: number;
  /** Whether it may be removed to gain space: nothing is likely to download it now. */
  readonly isRemovable: boolean;
  /** Whether the cache has only the beginning of a download, which is too old to be continued. */
  readonly isStale: boolean;
}

/** Precedes the name of chosen weights in a key. */
const weightsMark = "?weights=";

/** Returns what identifies a model in a cache. Each choice of weights is a model by itself. */
export function cacheKey({ folder }: { readonly folder: URL }, weights: WeightsForm | undefined): string {
  return weights === undefined ? folder.href : `${folder.href}${weightsMark}${weights.name}`;
}

/** Returns the URL of the folder, and the name of the weights if they were chosen. */
export function partsOfKey(key: string): { readonly url: string; readonly weights: string | undefined } {
  const [url = "", weights] = key.split(weightsMark, 2);
  return { url, weights };
}

export function openModelCache(stores: ModelStores, key: string): ModelCache {
  return cacheIn(stores.open(key), key);
}

/** Lists the models of a cache, and those whose download was interrupted. */
export async function storedModels(stores: ModelStores): Promise<readonly StoredModel[]> {
  const models = await Promise.all((await stores.all()).map(describe));
  return models.filter((model) => model !== undefined);
}

/**
 * Removes the least recently used models until at most `maxBytes` are left, and downloads that were interrupted more than a
 * week ago.
 * @param kept the model that stays
 */
export async function removeLeastRecentlyUsed(stores: ModelStores, kept: string, maxBytes: number): Promise<void> {
  const models = await storedModels(stores);
  let bytes = models.reduce((sum, model) => sum + model.bytes, 0);
  for (const model of [...models].sort((a, b) => a.lastUsed - b.lastUsed)) {
    const isRemoved = model.isStale || (bytes > maxBytes && model.isRemovable);
    if (model.key === kept || !isRemoved) continue;
    await model.store.remove();
    bytes -= model.bytes;
  }
}

async function describe(store: Store): Promise<StoredModel | undefined> {
  const [key, lastUsed] = await Promise.all([keyIn(store), store.lastUsed()]);
  if (key === undefined) return undefined;
  const manifest = await cacheIn(store, key).manifest();
  const content = await store.get(recordName);
  const record = content === undefined ? undefined : await parseRecord(key, content);
  const unfinished = Object.keys(record?.files ?? {}).map((name) => store.size(`${record?.set}/${name}`));
  const bytes = [...Object.values(manifest?.files ?? {}), ...(await Promise.all(unfinished))].reduce<number>(
    (sum, size) => sum + (size ?? 0),
    0,
  );
  const isComplete = manifest !== undefined;
  const isRemovable = record === undefined || isOldDownload(record);
  return { key, store, bytes, isComplete, lastUsed, isRemovable, isStale: !isComplete && record !== undefined && isStaleDownload(record) };
}

/** Returns the model that a store is of. */
async function keyIn(store: Store): Promise<string | undefined> {
  for (const name of [manifestName, recordName]) {
    const content = parseJson((await (await store.get(name).catch(() => undefined))?.text()) ?? "");
    if (isObject(content) && typeof content["model"] === "string") return content["model"];
  }
  return undefined;
}

function cacheIn(store: Store, key: string): ModelCache {
  const { weights } = partsOfKey(key);
  return new ModelCache(key, store, weights === undefined ? undefined : chosenForm(weights));
}
