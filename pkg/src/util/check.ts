import { RankletError } from "../errors.js";

/** Checks a value and returns it with its type. Errors (`input` or `unsupported`) call it `name`. */
export type Check<T> = (value: unknown, name: string) => T;
type Checks = Readonly<Record<string, Check<unknown>>>;
type Checked<R extends Checks> = { readonly [Name in keyof R]: ReturnType<R[Name]> | undefined };

/**
 * Checks an options object, with one check per option name. Returns `undefined` for an option that is absent or `undefined`.
 * @throws RankletError `input` for an unknown name or a value of the wrong type, `unsupported` for a known option that is
 *   not available
 */
export function checkOptions<R extends Checks>(call: string, options: unknown, checks: R): Checked<R> {
  if (options === undefined) return {} as Checked<R>;
  if (!isObject(options)) throw new RankletError("input", `${call}: the options must be an object, not ${kindOf(options)}`);
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) {
      throw new RankletError("input", `${call}: unknown option "${name}"; known are ${Object.keys(checks).join(", ")}`);
    }
    if (value !== undefined) read[name] = check(value, `${call}: ${name}`);
  }
  return read as Checked<R>;
}

/** @throws RankletError `input` unless `value` is a string */
export function string(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw wrongType(name, "a string", value);
}

/** @throws RankletError `input` unless `value` is an array */
export function array(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw wrongType(name, "an array", value);
}

/** @throws RankletError `input` unless `value` is an iterable object, which a string is not */
export function iterable(value: unknown, name: string): Iterable<unknown> {
  if (typeof value === "object" && value !== null && Symbol.iterator in value) return value as Iterable<unknown>;
  throw wrongType(name, "an array or another iterable", value);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Describes `value`, for the end of "must be ..., not ...". */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

export function wrongType(name: string, expected: string, value: unknown): RankletError {
  return new RankletError("input", `${name} must be ${expected}, not ${kindOf(value)}`);
}

export function oneOf<const T extends string>(allowed: readonly T[]): Check<T> {
  return (value, name) => {
    const found = allowed.find((item) => item === value);
    if (found !== undefined) return found;
    throw wrongType(name, allowed.map((item) => `"${item}"`).join(" or "), value);
  };
}

export function positiveInteger(value: unknown, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw wrongType(name, "a whole number of 1 or more", value);
}

export function boolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrongType(name, "true or false", value);
}

export function abortSignal(value: unknown, name: string): AbortSignal {
  // Checked by its members, because a signal from another realm (an iframe) has another class.
  if (isObject(value) && typeof value["aborted"] === "boolean" && typeof value["addEventListener"] === "function") {
    return value as unknown as AbortSignal;
  }
  throw wrongType(name, "an AbortSignal", value);
}

export function callback<T>(value: unknown, name: string): (argument: T) => void {
  if (typeof value === "function") return value as (argument: T) => void;
  throw wrongType(name, "a function", value);
}

export function notOffered(advice: string): Check<never> {
  return (_value, name) => {
    throw new RankletError("unsupported", `${name} is not available: ${advice}`);
  };
}
