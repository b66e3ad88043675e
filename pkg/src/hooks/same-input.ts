import { typeTag } from "../util/type-tag.js";

/**
 * Whether two inputs of a hook are the same for a ranking. Components create new arrays, objects and callbacks each time, so
 * these are compared by content, and functions count as equal.
 * @param within the objects that `a` is inside of
 */
export function isSameInput(a: unknown, b: unknown, within: readonly object[] = []): boolean {
  if (Object.is(a, b) || (typeof a === "function" && typeof b === "function")) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if ((a instanceof URL && b instanceof URL) || (a instanceof Date && b instanceof Date)) return a.toJSON() === b.toJSON();
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || !hasComparedContent(a, within.length)) return false;
  // In a cycle, the comparison of the outer object decides.
  if (within.includes(a)) return true;
  const [fields, otherFields] = [Object.entries(a), b as Readonly<Record<string, unknown>>];
  return (
    fields.length === Object.keys(b).length &&
    fields.every(([name, value]) => Object.hasOwn(b, name) && isSameInput(value, otherFields[name], [...within, a]))
  );
}

/**
 * Whether an object is compared by its fields. In a list of documents, instances of classes are, such as those of LangChain.
 * Rerankers, and contents of files, are not.
 * @param depth the number of objects around it
 */
function hasComparedContent(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return (
    prototype === null || prototype === Object.prototype || prototype === Array.prototype || (depth > 1 && typeTag(object) === "Object")
  );
}
