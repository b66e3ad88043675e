import { RankletError } from "../errors.js";
import { isObject, kindOf } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";
import textFieldsJson from "./text_fields.js";

/** A document and its text that is scored. */
export interface ReadDocument<D> {
  readonly document: D;
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The fields that hold a document's text in LangChain, LlamaIndex, Haystack, Pyserini and others. The first string counts. The
 * `ranklet` program reads the same list, `src/bin/ranklet/text_fields.json`.
 */
const textFields: readonly string[] = textFieldsJson;

/**
 * Reads the texts of documents: the string itself, an object's text, or with `rankFields` the value of the only field, or of
 * several as lines `field: value`. A field that is missing or `null` is left out.
 * @throws RankletError `input`, with the document's index; if no document has any of the fields, after the last document
 */
export function* readDocuments<D>(documents: Iterable<D>, rankFields?: readonly string[]): Generator<ReadDocument<D>, void> {
  let index = 0;
  let hasField = false;
  for (const document of documents) {
    if (rankFields === undefined) {
      yield { document, text: plainText(document, index) };
    } else {
      const fields = expectFields(document, index);
      hasField ||= rankFields.some((field) => fieldOf(fields, field) !== undefined);
      yield { document, text: fieldsText(fields, index, rankFields) };
    }
    index++;
  }
  if (rankFields === undefined || hasField || index === 0) return;
  throw new RankletError("input", `no document has a field of rankFields: ${rankFields.map((field) => `"${field}"`).join(", ")}`);
}

/** Returns the texts of a list of documents. */
export function documentTexts(documents: readonly unknown[], rankFields?: readonly string[]): string[] {
  return Array.from(readDocuments(documents, rankFields), ({ text }) => text);
}

function plainText(document: unknown, index: number): string {
  if (typeof document === "string") return document;
  if (!isObject(document)) throw wrong(index, `must be a string or an object with a text, not ${kindOf(document)}`);
  const text = textFields.map((field) => fieldOf(document, field)).find((value) => typeof value === "string");
  if (text !== undefined) return text;
  throw wrong(index, `has no string \`text\`, nor any of ${textFields.slice(1).join(", ")}; name the fields to score in rankFields`);
}

function expectFields(document: unknown, index: number): Fields {
  if (isObject(document)) return document;
  throw wrong(index, `must be an object with the fields of rankFields, not ${kindOf(document)}`);
}

function fieldsText(document: Fields, index: number, fields: readonly string[]): string {
  const values = fields.flatMap((field) => {
    const value = fieldOf(document, field);
    return isMissing(value) ? [] : [{ field, text: fieldText(value, index, field) }];
  });
  return fields.length === 1 ? (values[0]?.text ?? "") : values.map(({ field, text }) => `${field}: ${text}`).join("\n");
}

function fieldText(value: unknown, index: number, field: string): string {
  const text = Array.isArray(value) ? listText(value) : scalarText(value);
  if (text !== undefined) return text;
  const what = Array.isArray(value) ? "an array with other items" : kindOf(value);
  throw wrong(index, `field "${field}" of rankFields must be a string, a number, a boolean, a valid Date or an array of these, not ${what}`);
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.every(isMissing));
}

/** Joins the items of a list. Returns `undefined` if one is not a scalar. */
function listText(items: readonly unknown[]): string | undefined {
  const texts = items.filter((item) => !isMissing(item)).map(scalarText);
  return texts.every((text) => text !== undefined) ? texts.join(", ") : undefined;
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return isDate(value) && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
}

function isDate(value: unknown): value is Date {
  return typeTag(value) === "Date";
}

/** Returns a field of a document, also one that its class defines, but not one that every object has. */
function fieldOf(document: Fields, field: string): unknown {
  const value = document[field];
  return !Object.hasOwn(document, field) && Object.is(value, (Object.prototype as unknown as Fields)[field]) ? undefined : value;
}

function wrong(index: number, message: string): RankletError {
  return new RankletError("input", `documents[${index}] ${message}`);
}
