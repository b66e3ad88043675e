import { RankletError } from "../errors.js";
import type { DocumentOptions, StructuredText } from "../types.js";
import { isObject, kindOf } from "../util/check.js";
import { type Fields, fieldOf, valueAt } from "./fields.js";
import textFieldsJson from "./text_fields.js";
import { isMissing, scalarText, toValue, type Value } from "./values.js";
import { toYaml } from "./yaml.js";

/** A document and its text that is scored. */
export interface ReadDocument<D> {
  readonly document: D;
  readonly text: string;
}

/** The options that decide which text of a document is scored. */
type TextOptions = Pick<DocumentOptions, "rankFields" | "structured">;

/**
 * The fields that hold a document's text in LangChain, LlamaIndex, Haystack, Pyserini and others. The first string counts. The
 * `ranklet` program reads the same list, `src/documents/text_fields.json`.
 */
const textFields: readonly string[] = textFieldsJson;

/**
 * Reads the texts of documents: the string itself; an object's text; with `rankFields` the value of the only field, or of
 * several as lines `field: value`; with `structured` these fields, or all, in that form. A field in `rankFields` that is missing
 * or `null` is left out.
 * @throws RankletError `input`, with the document's index; if no document has any of the fields, after the last document
 */
export function* readDocuments<D>(documents: Iterable<D>, { rankFields, structured }: TextOptions = {}): Generator<ReadDocument<D>, void> {
  let index = 0;
  let hasField = false;
  for (const document of documents) {
    if (rankFields === undefined && structured === undefined) {
      yield { document, text: plainText(document, index) };
    } else if (typeof document === "string" && structured !== undefined) {
      hasField = true;
      yield { document, text: document };
    } else {
      const fields = expectFields(
        document,
        index,
        rankFields === undefined ? "must be a string or an object" : "must be an object with the fields of rankFields",
      );
      hasField ||= rankFields?.some((field) => valueAt(fields, field) !== undefined) ?? true;
      yield {
        document,
        text:
          structured === undefined ? fieldsText(fields, index, rankFields ?? []) : structuredText(fields, index, rankFields, structured),
      };
    }
    index++;
  }
  if (rankFields === undefined || hasField || index === 0) return;
  throw new RankletError("input", `no document has a field of rankFields: ${rankFields.map((field) => `"${field}"`).join(", ")}`);
}

/** Returns the texts of a list of documents. */
export function documentTexts(documents: readonly unknown[], options?: TextOptions): string[] {
  return Array.from(readDocuments(documents, options), ({ text }) => text);
}

function plainText(document: unknown, index: number): string {
  if (typeof document === "string") return document;
  const fields = expectFields(document, index, "must be a string or an object with a text");
  const text = textFields.map((field) => fieldOf(fields, field)).find((value) => typeof value === "string");
  if (text !== undefined) return text;
  throw wrong(index, `has no string \`text\`, nor any of ${textFields.slice(1).join(", ")}; name the fields to score in rankFields`);
}

function expectFields(document: unknown, index: number, expected: string): Fields {
  if (isObject(document)) return document;
  throw wrong(index, `${expected}, not ${kindOf(document)}`);
}

function fieldsText(document: Fields, index: number, fields: readonly string[]): string {
  const values = fields.flatMap((field) => {
    const value = valueAt(document, field);
    return isMissing(value) ? [] : [{ field, text: fieldText(value, index, field) }];
  });
  return fields.length === 1 ? (values[0]?.text ?? "") : values.map(({ field, text }) => `${field}: ${text}`).join("\n");
}

function fieldText(value: unknown, index: number, field: string): string {
  const text = Array.isArray(value) ? listText(value) : scalarText(value);
  if (text !== undefined) return text;
  const what = Array.isArray(value) ? "an array with other items" : kindOf(value);
  throw wrong(
    index,
    `field "${field}" of rankFields must be a string, a number, a boolean, a valid Date or an array of these, not ${what}`,
  );
}

/** Joins the items of a list. Returns `undefined` if one is not a scalar. */
function listText(items: readonly unknown[]): string | undefined {
  const texts = items.filter((item) => !isMissing(item)).map(scalarText);
  return texts.every((text) => text !== undefined) ? texts.join(", ") : undefined;
}

/** Writes the fields of a document, or all of it, as YAML or as lines. */
function structuredText(document: Fields, index: number, fields: readonly string[] | undefined, structured: StructuredText): string {
  const at = (field: string) => (what: string) => {
    throw wrong(index, `${field} has ${what}, which cannot be written as text`);
  };
  const chosen = fields?.map((field) => [field, valueAt(document, field)] as const).filter(([, value]) => !isMissing(value));
  const value =
    chosen === undefined
      ? toValue(document, at("the document"))
      : new Map(chosen.map(([field, inner]) => [field, toValue(inner, at(`field "${field}"`))]));
  return structured === "yaml" ? toYaml(value) : valueLines("", value).join("\n");
}

/** Returns a line `path: value` for each value. The values of an array of scalars are one line. */
function valueLines(path: string, value: Value): string[] {
  if (isMissing(value)) return [];
  if (value instanceof Map) return [...value].flatMap(([key, inner]) => valueLines(path === "" ? key : `${path}.${key}`, inner as Value));
  if (!Array.isArray(value)) return [`${path}: ${String(value)}`];
  const items = value as readonly Value[];
  return items.some((item) => typeof item === "object" && item !== null)
    ? items.flatMap((item) => valueLines(path, item))
    : [`${path}: ${listText(items) ?? ""}`];
}

function wrong(index: number, message: string): RankletError {
  return new RankletError("input", `documents[${index}] ${message}`);
}
