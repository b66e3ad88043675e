/** The depth to which inputs are compared: a list of options, an option, its items, their fields. */
const maxDepth = 4;

/**
 * Whether two inputs of a hook are the same for a ranking. Components create arrays, objects and callbacks anew each time, so
 * these are compared by content, and functions count as equal.
 */
export function isSameInput(a: unknown, b: unknown, depth = 0): boolean {
  if (Object.is(a, b) || (typeof a === "function" && typeof b === "function")) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || depth > maxDepth) return false;
  if (a instanceof URL && b instanceof URL) return a.href === b.href;
  if (Array.isArray(a) !== Array.isArray(b) || !isPlain(a) || !isPlain(b)) return false;
  const [fields, otherFields] = [Object.entries(a), b as Readonly<Record<string, unknown>>];
  return fields.length === Object.keys(b).length && fields.every(([name, value]) => Object.hasOwn(b, name) && isSameInput(value, otherFields[name], depth + 1));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || prototype === Array.prototype;
}
