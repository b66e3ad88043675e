// YAML as PyYAML's `safe_dump(value, sort_keys=False, allow_unicode=True, width=inf)` writes it: block style, plain texts where
// they read back as the same text, else in single quotes, else in double quotes. The rules are those of PyYAML 6.0.3
// (resolver.py, representer.py and emitter.py).
import { wellFormed } from "../util/well-formed.js";
import type { BoundedText } from "./bounded-text.js";
import type { Value } from "./values.js";

/** Texts that a YAML 1.1 parser would read as another type if they had no quotes. */
const otherTypes = [
  /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
  /^(?:~|null|Null|NULL|)$/,
  /^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$/,
  /^(?:<<|=)$/,
];

/** Characters at which a text without quotes would be read as something else. */
const indicators =
  /^(?:---|\.\.\.)|^[#,[\]{}&*!|>'"%@`]|^[?:-](?=$|[\0 \t\r\n\x85\u2028\u2029])|:(?=$|[\0 \t\r\n\x85\u2028\u2029])|[\0 \t\r\n\x85\u2028\u2029]#/;
const lineBreak = /[\n\x85\u2028\u2029]/;
/** Characters that only double quotes can hold. */
const special = /[^\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\ufeff\u{10ffff}]/u;
/** Characters that are escaped in double quotes. */
const escaped = /["\\\ufeff\u2028\u2029]|[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]/gu;
const shortEscapes: Readonly<Record<string, string>> = {
  "\0": "0",
  "\x07": "a",
  "\b": "b",
  "\t": "t",
  "\n": "n",
  "\v": "v",
  "\f": "f",
  "\r": "r",
  "\x1b": "e",
  '"': '"',
  "\\": "\\",
  "\x85": "N",
  "\xa0": "_",
  "\u2028": "L",
  "\u2029": "P",
};

/** A key of more characters is written after `?`. PyYAML counts the tag `!!str` too. */
const maxSimpleKeyLength = 122;

type Mapping = ReadonlyMap<string, Value>;
type Entries = Iterable<readonly [string, Value]>;

/** Writes entries as a YAML document. */
export function writeYaml(entries: Entries, out: BoundedText): void {
  if (!writeMapping(entries, 0, out)) out.push("{}");
  out.push("\n");
}

/**
 * Writes the entries of a mapping. The first one has no indentation, because it may follow an indicator.
 * @returns whether there are any
 */
function writeMapping(entries: Entries, indent: number, out: BoundedText): boolean {
  let isFirst = true;
  for (const [key, value] of entries) {
    if (!isFirst) out.push(newLine(indent));
    isFirst = false;
    if (isSimpleKey(key)) {
      writeScalar(key, indent + 2, out);
      out.push(":");
      writeValue(value, indent, out);
    } else {
      out.push("? ");
      writeScalar(key, indent + 2, out);
      out.push(`${newLine(indent)}: `);
      writeItem(value, indent, out);
    }
  }
  return !isFirst;
}

/** Writes the value of a simple key of a mapping. */
function writeValue(value: Value, indent: number, out: BoundedText): void {
  if (typeof value !== "object" || value === null || isEmpty(value)) {
    out.push(" ");
    writeItem(value, indent, out);
  } else if (isList(value)) {
    out.push(newLine(indent));
    writeSequence(value, indent, out);
  } else {
    out.push(newLine(indent + 2));
    writeMapping(value, indent + 2, out);
  }
}

/** Writes a value that begins on the line of its indicator. */
function writeItem(value: Value, indent: number, out: BoundedText): void {
  if (typeof value !== "object" || value === null) writeScalar(value, indent + 2, out);
  else if (isEmpty(value)) out.push(isList(value) ? "[]" : "{}");
  else if (isList(value)) writeSequence(value, indent + 2, out);
  else writeMapping(value, indent + 2, out);
}

function writeSequence(items: readonly Value[], indent: number, out: BoundedText): void {
  items.forEach((item, position) => {
    out.push(position === 0 ? "- " : `${newLine(indent)}- `);
    writeItem(item, indent, out);
  });
}

function isList(value: readonly Value[] | Mapping): value is readonly Value[] {
  return Array.isArray(value);
}

function isEmpty(value: readonly Value[] | Mapping): boolean {
  return (isList(value) ? value.length : value.size) === 0;
}

function isSimpleKey(key: string): boolean {
  return key !== "" && [...key].length <= maxSimpleKeyLength && !lineBreak.test(key);
}

/** @param indent the indentation of further lines */
function writeScalar(value: Value, indent: number, out: BoundedText): void {
  if (typeof value === "string") writeString(wellFormed(value), indent, out);
  else out.push(typeof value === "number" ? numberText(value) : String(value));
}

function writeString(text: string, indent: number, out: BoundedText): void {
  const needsDoubleQuotes = special.test(text) || / [\n\x85\u2028\u2029]|[\n\x85\u2028\u2029] /.test(text);
  const needsQuotes = lineBreak.test(text) || /^ | $/.test(text) || indicators.test(text) || otherTypes.some((type) => type.test(text));
  if (needsDoubleQuotes) out.push(`"${text.replace(escaped, escapeCharacter)}"`);
  else if (needsQuotes) writeSingleQuoted(text, indent, out);
  else out.push(text);
}

/** A line break is written as two, because a parser reads a single one as a space. */
function writeSingleQuoted(text: string, indent: number, out: BoundedText): void {
  const quoted = (start: number, end?: number): string => text.slice(start, end).replaceAll("'", "''");
  let at = 0;
  out.push("'");
  // Written line by line, because the indentation can be much longer than a line.
  for (const { 0: breaks, index } of text.matchAll(/[\n\x85\u2028\u2029]+/g)) {
    out.push(quoted(at, index));
    out.push(`${breaks.startsWith("\n") ? "\n" : ""}${breaks}${" ".repeat(indent)}`);
    at = index + breaks.length;
  }
  out.push(`${quoted(at)}'`);
}

function escapeCharacter(character: string): string {
  const short = shortEscapes[character];
  const code = character.codePointAt(0) as number;
  const hex = code.toString(16).toUpperCase();
  if (short !== undefined) return `\\${short}`;
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** Writes a number as Python does. JavaScript cannot tell 1.0 from 1, so whole numbers have no fraction. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  const magnitude = Math.abs(value);
  if (value === 0 || (magnitude >= 1e-4 && magnitude < 1e16)) return String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const fraction = digits.includes(".") ? digits : `${digits}.0`;
  return `${fraction}e${exponent.replace(/^([-+])(\d)$/, "$10$2")}`;
}

function newLine(indent: number): string {
  return `\n${" ".repeat(indent)}`;
}
