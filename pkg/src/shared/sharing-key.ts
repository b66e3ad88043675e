import type { CheckedLoadOptions } from "../load/load-options.js";
import type { ModelLocation } from "../load/stages.js";
import { isObject } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

const identities = new WeakMap<object, number>();
let count = 0;

/** Options that concern one call of `shared` only. */
const ownOptions = ["signal", "onProgress"];

/** Models with equal texts are equal, and have equal options. */
interface SharingKey {
  readonly text: string;
  /** Whether the text means the same in other tabs. */
  readonly isPortable: boolean;
}

/** Returns the key of a model. Contents of files are equal if they are the same object, so they are never equal in two tabs. */
export function sharingKey(location: ModelLocation, options: CheckedLoadOptions): SharingKey {
  let isPortable = true;
  // JSON.stringify would call the method toJSON of a Buffer, which writes all of its bytes.
  const comparable = (value: unknown): unknown => {
    if (typeTag(value) === "URL") return (value as URL).href;
    if (typeof value !== "function" && !isObject(value)) return value;
    if (isPlain(value)) {
      const names = Object.keys(value)
        .filter((name) => !ownOptions.includes(name))
        .sort();
      return names.map((name) => [name, comparable(value[name])]);
    }
    isPortable = false;
    return identity(value);
  };
  return { text: JSON.stringify([location, options].map(comparable)), isPortable };
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function identity(value: object): string {
  const known = identities.get(value) ?? ++count;
  identities.set(value, known);
  return `object ${known}`;
}
