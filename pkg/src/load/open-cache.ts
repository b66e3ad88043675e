import { RankletError } from "../errors.js";
import type { Platform } from "../platform/platform.js";
import { ModelCache } from "../model/cache.js";
import type { Source } from "./locate.js";

/**
 * The cache for a model, if it is to have one.
 * @param wanted the option `cache` of `load`
 * @throws RankletError `input` where a cache is wanted and nothing is downloaded, `unsupported` where there is none
 */
export function openCache(platform: Platform, source: Source, wanted: boolean | string | undefined): ModelCache | undefined {
  if (wanted === false) return undefined;
  if (source.kind !== "remote") {
    if (wanted === undefined) return undefined;
    throw new RankletError(
      "input",
      "load: cache is for a Hub id or a folder's http URL; leave it out for a local folder, for files and for the default model",
    );
  }
  if (wanted === undefined && source.hub === undefined) return undefined;
  const model = source.folder.href;
  const store = platform.store(typeof wanted === "string" ? wanted : undefined, model);
  if (store !== undefined) return new ModelCache(model, store);
  if (wanted === undefined) return undefined;
  throw new RankletError(
    "unsupported",
    "load: cache is not available here (a page needs https for it); leave it out, or keep the files yourself and give them to load",
  );
}
