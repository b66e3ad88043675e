// YAML as PyYAML's `safe_dump(value, sort_keys=False, allow_unicode=True, width=inf)` writes it: block style, plain texts where
// they read back as the same text, else in single quotes, else in double quotes. The rules are those of PyYAML 6.0.3
// (resolver.py, representer.py and emitter.py).
import { wellFormed } from "../util/well-formed.js";
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

/** Returns a value as a YAML document. */
export function toYaml(value: Value): string {
  return `${value instanceof Map && value.size > 0 ? mappingText(value as Mapping, 0) : itemText(value, 0)}\n`;
}

/** Writes the entries of a mapping. The first one has no indentation, because it may follow an indicator. */
function mappingText(mapping: Mapping, indent: number): string {
  const entryText = ([key, value]: readonly [string, Value]): string => {
    if (isSimpleKey(key)) return `${scalarText(key, indent + 2)}:${valueText(value, indent)}`;
    return `? ${scalarText(key, indent + 2)}${newLine(indent)}: ${itemText(value, indent)}`;
  };
  return Array.from(mapping, entryText).join(newLine(indent));
}

/** Writes the value of a simple key of a mapping. */
function valueText(value: Value, indent: number): string {
  if (typeof value !== "object" || value === null || isEmpty(value)) return ` ${itemText(value, indent)}`;
  return isList(value) ? `${newLine(indent)}${sequenceText(value, indent)}` : `${newLine(indent + 2)}${mappingText(value, indent + 2)}`;
}

/** Writes a value that begins on the line of its indicator. */
function itemText(value: Value, indent: number): string {
  if (typeof value !== "object" || value === null) return scalarText(value, indent + 2);
  if (isEmpty(value)) return isList(value) ? "[]" : "{}";
  return isList(value) ? sequenceText(value, indent + 2) : mappingText(value, indent + 2);
}

function sequenceText(items: readonly Value[], indent: number): string {
  return items.map((item) => `- ${itemText(item, indent)}`).join(newLine(indent));
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
function scalarText(value: Value, indent: number): string {
  if (typeof value === "number") return numberText(value);
  if (typeof value !== "string") return String(value);
  const text = wellFormed(value);
  const needsDoubleQuotes = special.test(text) || / [\n\x85\u2028\u2029]|[\n\x85\u2028\u2029] /.test(text);
  if (needsDoubleQuotes) return `"${text.replace(escaped, escapeCharacter)}"`;
  const isPlain = !lineBreak.test(text) && !/^ | $/.test(text) && !indicators.test(text) && !otherTypes.some((type) => type.test(text));
  return isPlain ? text : singleQuoted(text, indent);
}

/** A line break is written as two, because a parser reads a single one as a space. */
function singleQuoted(text: string, indent: number): string {
  const lines = text
    .replaceAll("'", "''")
    .replace(/[\n\x85\u2028\u2029]+/g, (breaks) => `${breaks.startsWith("\n") ? "\n" : ""}${breaks}${" ".repeat(indent)}`);
  return `'${lines}'`;
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
