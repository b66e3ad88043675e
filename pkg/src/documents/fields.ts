import { isObject } from "../util/check.js";
import textFieldsJson from "./text_fields.js";

/** An object's fields. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The fields that hold a document's text in LangChain, LlamaIndex, Haystack, Pyserini and others. The first string counts. The
 * `ranklet` program reads the same list, `src/documents/text_fields.json`.
 */
export const textFields: readonly string[] = textFieldsJson;

/** Returns the text of an object: the first of its fields for a text that is a string. */
export function textOf(fields: Fields): string | undefined {
  return textFields.map((field) => fieldOf(fields, field)).find((value) => typeof value === "string");
}

/**
 * Returns the value at a path: a field's name, or names that dots join. A field whose own name has the dots wins. A path goes
 * through the items of arrays; the values found there are one array. Returns `undefined` if there is none.
 */
export function valueAt(value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    const found = value.map((item: unknown) => valueAt(item, path)).filter((item) => item !== undefined);
    return found.length === 0 ? undefined : found.flat();
  }
  if (!isObject(value)) return undefined;
  const field = fieldOf(value, path);
  if (field !== undefined) return field;
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const inner = valueAt(fieldOf(value, path.slice(0, dot)), path.slice(dot + 1));
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Returns a field of an object, also one that its class defines, but not one that every object has. */
export function fieldOf(object: Fields, field: string): unknown {
  const value = object[field];
  return !Object.hasOwn(object, field) && Object.is(value, (Object.prototype as unknown as Fields)[field]) ? undefined : value;
}
