import { kindOf } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

/** A value of a document, as JSON has it. Objects are maps, whose keys keep their order. */
export type Value = string | number | bigint | boolean | null | readonly Value[] | ReadonlyMap<string, Value>;

/** Levels of arrays and objects in a document. More are probably a cycle. */
const maxDepth = 100;

/**
 * Copies a value as JSON has it: dates are texts in ISO format, and `undefined` is left out of objects and `null` in arrays.
 * @param fail throws an error about a value that cannot be written as text
 */
export function toValue(value: unknown, fail: (what: string) => never, depth = 0): Value {
  if (depth > maxDepth) return fail(`an object with more than ${maxDepth} levels`);
  const inner = (item: unknown): Value => toValue(item, fail, depth + 1);
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(inner);
  if (isDate(value)) return dateText(value) ?? fail("an invalid Date");
  if (typeof value !== "object") return fail(kindOf(value));
  return new Map(Object.entries(value).flatMap(([key, item]) => (item === undefined ? [] : [[key, inner(item)]])));
}

/** Returns the text of a value that is not an object or an array. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  return isDate(value) ? dateText(value) : undefined;
}

/** Whether a document has no value here: `null`, or an array of such values. */
export function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.every(isMissing));
}

function dateText(date: Date): string | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function isDate(value: unknown): value is Date {
  return typeTag(value) === "Date";
}
