import type { CheckedLoadOptions } from "../load/load-options.js";
import type { ModelLocation } from "../load/stages.js";
import { isObject } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

const identities = new WeakMap<object, number>();
let count = 0;

/** Options that concern one call of `shared` only. */
const ownOptions = ["signal", "onProgress"];

/** Returns a text that is equal for equal models with equal options. Contents of files are equal if they are the same object. */
export function sharingKey(location: ModelLocation, options: CheckedLoadOptions): string {
  return JSON.stringify([location, options], function (this: Readonly<Record<string, unknown>>, name) {
    // Not the given value, on which toJSON was called already: a Buffer has that method.
    return ownOptions.includes(name) ? undefined : comparable(this[name]);
  });
}

function comparable(value: unknown): unknown {
  if (typeTag(value) === "URL") return (value as URL).href;
  if (typeof value === "function") return identity(value);
  if (!isObject(value) || isPlain(value)) return value;
  return identity(value);
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
