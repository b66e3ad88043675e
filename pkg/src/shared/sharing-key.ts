import type { CheckedLoadOptions } from "../load/load-options.js";
import type { ModelLocation } from "../load/stages.js";
import { isObject } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

const identities = new WeakMap<object, number>();
let count = 0;

/** Options that concern one call of `shared` only. */
const ownOptions = ["signal", "onProgress"];

/** Models with equal texts are equal, and have equal options. */
export interface SharingKey {
  readonly text: string;
  /** Whether the text means the same in other tabs. */
  readonly isPortable: boolean;
}

/** Returns the key of a model. Contents of files are equal if they are the same object, so they are never equal in two tabs. */
export function sharingKey(location: ModelLocation, options: CheckedLoadOptions): SharingKey {
  let isPortable = true;
  const text = JSON.stringify([location, options], function (this: Readonly<Record<string, unknown>>, name) {
    if (ownOptions.includes(name)) return undefined;
    // Not the given value, on which toJSON was called already: a Buffer has that method.
    const value = this[name];
    if (typeTag(value) === "URL") return (value as URL).href;
    if (typeof value !== "function" && (!isObject(value) || isPlain(value))) return value;
    isPortable = false;
    return identity(value);
  });
  return { text, isPortable };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function identity(value: object): string {
  const known = identities.get(value) ?? ++count;
  identities.set(value, known);
  return `object ${known}`;
}
