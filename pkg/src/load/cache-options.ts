import { RankletError } from "../errors.js";
import { boolean, checkOptions, kindOf, positiveInteger, string } from "../util/check.js";

/** The option `cache`, checked. All fields are `undefined` if it is not given. */
export interface CacheSetting {
  /** Whether a cache is requested, or refused. */
  readonly isWanted?: boolean | undefined;
  /** The place: the name of a Cache, or a folder. */
  readonly name?: string | undefined;
  readonly maxBytes?: number | undefined;
  readonly refresh?: boolean | undefined;
}

const cacheChecks = { name: cacheName, maxBytes: positiveInteger, refresh: boolean };

/**
 * Checks the option `cache` of `load`.
 * @throws RankletError `input`
 */
export function cacheSetting(value: unknown, name: string): CacheSetting {
  if (typeof value === "boolean") return { isWanted: value };
  if (typeof value === "string" && value !== "") return { isWanted: true, name: value };
  if (typeof value === "object" && value !== null) return { isWanted: true, ...checkOptions(name, value, cacheChecks) };
  throw new RankletError("input", `${name} must be true, false or the name of a cache, or an object of options, not ${kindOf(value)}`);
}

/**
 * Checks the place of a cache.
 * @throws RankletError `input`
 */
export function cacheName(value: unknown, name: string): string {
  if (value !== "") return string(value, name);
  throw new RankletError("input", `${name} must not be empty`);
}
