import { RankletError } from "../errors.js";
import { optionName, similarName } from "./option-names.js";

/** Checks a value and returns it with its type. Errors (`input` or `unsupported`) call it `name`. */
export type Check<T> = (value: unknown, name: string) => T;
type Checks = Readonly<Record<string, Check<unknown>>>;
/** Options that a call knows and does not have, each with the advice that ends the error. */
type Refusals = Readonly<Record<string, string>>;
type Checked<R extends Checks> = { readonly [Name in keyof R]: ReturnType<R[Name]> | undefined };

/**
 * Checks an options object, with one check per option name. Each name may also be spelled in snake_case. Returns `undefined`
 * for an option that is absent or `undefined`.
 * @throws RankletError `input` for an unknown name, a value of the wrong type, or two spellings with different values;
 *   `unsupported` for a name in `refusals`
 */
export function checkOptions<R extends Checks>(call: string, options: unknown, checks: R, refusals: Refusals = {}): Checked<R> {
  if (options === undefined) return {} as Checked<R>;
  if (!isObject(options)) {
    // Calls of other libraries have these as parameters.
    const form = "documents" in checks ? `, as in ${call}({ query, documents })` : "";
    throw new RankletError("input", `${call}: the options must be an object${form}, not ${kindOf(options)}`);
  }
  const read: Record<string, unknown> = {};
  const spellings = new Map<string, string>();
  for (const [spelling, value] of Object.entries(options)) {
    const name = knownName(call, spelling, checks, refusals);
    if (value === undefined) continue;
    const refusal = refusals[name];
    if (refusal !== undefined) throw new RankletError("unsupported", `${call}: ${spelling} is not available: ${refusal}`);
    const other = spellings.get(name);
    if (other !== undefined && !isSame(options[other], value)) {
      throw new RankletError("input", `${call}: ${other} and ${spelling} are the same option and have different values; give one of them`);
    }
    spellings.set(name, spelling);
    read[name] = (checks[name] as Check<unknown>)(value, `${call}: ${spelling}`);
  }
  return read as Checked<R>;
}

function knownName(call: string, spelling: string, checks: Checks, refusals: Refusals): string {
  const known = Object.keys(checks);
  const name = optionName(spelling, [...known, ...Object.keys(refusals)]);
  if (name !== undefined) return name;
  const similar = similarName(spelling, known);
  const suggestion = similar === undefined ? "known are" : `did you mean "${similar}"? Known are`;
  throw new RankletError("input", `${call}: unknown option "${spelling}"; ${suggestion} ${known.join(", ")}`);
}

/** Whether two values of an option are the same. Arrays are compared by their elements. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, position) => Object.is(item, b[position]));
  return Object.is(a, b);
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

/** The largest number that the engine takes: its numbers have 32 bits. */
export const maxUint32 = 0xffff_ffff;

/** Max delay of a timer in milliseconds, 24.8 days. A longer one would end at once. */
export const maxTimerMs = 0x7fff_ffff;

/** Whether a value is an object other than an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Max length of a quoted text. A message would otherwise contain a whole document that was given in place of something else. */
const maxQuotedLength = 40;

/** Describes `value`, for the end of "must be ..., not ...". */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > maxQuotedLength ? `${value.slice(0, maxQuotedLength)}…` : value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Creates the error for a value of the wrong type, such as "rerank: topN must be a whole number of 1 or more, not 0". */
export function wrongType(name: string, expected: string, value: unknown): RankletError {
  return new RankletError("input", `${name} must be ${expected}, not ${kindOf(value)}`);
}

/**
 * Returns a check that a value is one of some strings.
 * @param foreign values of other libraries, each with the allowed one that the error names
 */
export function oneOf<const T extends string>(allowed: readonly T[], foreign: Readonly<Record<string, NoInfer<T>>> = {}): Check<T> {
  return (value, name) => {
    const found = allowed.find((item) => item === value);
    if (found !== undefined) return found;
    const error = wrongType(name, allowed.map((item) => `"${item}"`).join(" or "), value);
    const meant = typeof value === "string" && Object.hasOwn(foreign, value) ? foreign[value] : undefined;
    throw meant === undefined ? error : new RankletError("input", `${error.message}; here it is "${meant}"`);
  };
}

/** Checks a whole number of 1 or more. */
export const positiveInteger = integerFrom(1);

/** Checks a whole number of 0 or more. */
export const nonNegativeInteger = integerFrom(0);

/** Returns a check that a value is a whole number of `min` or more. */
function integerFrom(min: number): Check<number> {
  return (value, name) => {
    if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
    throw wrongType(name, `a whole number of ${min} or more`, value);
  };
}

/** @throws RankletError `input` unless `value` is a boolean */
export function boolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrongType(name, "true or false", value);
}

/** @throws RankletError `input` unless `value` is an AbortSignal */
export function abortSignal(value: unknown, name: string): AbortSignal {
  // Checked by its members, because a signal from another realm (an iframe) has another class.
  if (isObject(value) && typeof value["aborted"] === "boolean" && typeof value["addEventListener"] === "function") {
    return value as unknown as AbortSignal;
  }
  throw wrongType(name, "an AbortSignal", value);
}

/** Takes a value of any kind, for options whose receiver checks them. */
export function unchecked<T>(value: unknown): T {
  return value as T;
}

/** Checks a function of the caller. Its parameter cannot be checked. */
export function callback<T>(value: unknown, name: string): (argument: T) => void {
  if (typeof value === "function") return value as (argument: T) => void;
  throw wrongType(name, "a function", value);
}
