import { RankletError } from "../errors.js";
import { isObject, kindOf } from "../util/check.js";

/**
 * Returns the text of a document that is scored: the string itself, an object's `text`, or with `rankFields` the named
 * fields as lines `field: value`.
 * @throws RankletError `input`, with the document's index
 */
export function documentText(document: unknown, index: number, rankFields?: readonly string[]): string {
  return rankFields === undefined ? plainText(document, index) : fieldLines(document, index, rankFields);
}

/** Returns the texts of a list of documents. */
export function documentTexts(documents: readonly unknown[], rankFields?: readonly string[]): string[] {
  // Array.from visits the holes of a sparse array, which `map` skips.
  return Array.from(documents, (document, index) => documentText(document, index, rankFields));
}

function plainText(document: unknown, index: number): string {
  if (typeof document === "string") return document;
  if (!isObject(document)) throw wrong(index, `must be a string or an object with a text, not ${kindOf(document)}`);
  if (typeof document["text"] === "string") return document["text"];
  throw wrong(index, "has no string `text`; give it one, or name the fields to score in rankFields");
}

function fieldLines(document: unknown, index: number, fields: readonly string[]): string {
  if (!isObject(document)) throw wrong(index, `must be an object with the fields of rankFields, not ${kindOf(document)}`);
  return fields.map((field) => `${field}: ${fieldValue(document, index, field)}`).join("\n");
}

function fieldValue(document: Readonly<Record<string, unknown>>, index: number, field: string): string {
  const value = Object.hasOwn(document, field) ? document[field] : undefined;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  throw wrong(index, `field "${field}" of rankFields must be a string, a number or a boolean, not ${kindOf(value)}`);
}

function wrong(index: number, message: string): RankletError {
  return new RankletError("input", `documents[${index}] ${message}`);
}
