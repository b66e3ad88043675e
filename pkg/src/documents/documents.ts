import { RankletError } from "../errors.js";
import type { StructuredText, TextOptions } from "../types.js";
import { isObject, kindOf } from "../util/check.js";
import { BoundedText } from "./bounded-text.js";
import { type Fields, textFields, textOf, valueAt } from "./fields.js";
import { isMissing, scalarText, toValue, type Value } from "./values.js";
import { writeYaml } from "./yaml.js";

/** The list that documents come from. */
export interface DocumentList {
  /** Returns the name of a document in errors. */
  readonly nameOf: (index: number) => string;
  /**
   * Max bytes of all texts that are written from fields. They can be much longer than the documents, because several fields may have
   * the same values, lines repeat the names on their path, and YAML indents them.
   */
  readonly maxBytes: number;
  /** Creates the error of the first document beyond the limit. */
  readonly tooLong: (index: number) => Error;
}

const defaultList: DocumentList = {
  nameOf: (index) => `documents[${index}]`,
  maxBytes: Infinity,
  tooLong: () => new RankletError("internal", "no limit"),
};

/** A document while its text is written. */
interface Source {
  /** Its name in errors. */
  readonly name: string;
  readonly out: BoundedText;
}

/**
 * Reads the texts of documents one after the other: the string itself; an object's text; with `rankFields` the value of the only
 * field, or of several as lines `field: value`; with `structured` these fields, or all, in that form. A field in `rankFields` that
 * is missing or `null` is left out, and one that is named again is written once.
 */
export class DocumentReader {
  readonly #fields: readonly string[] | undefined;
  readonly #structured: StructuredText | undefined;
  readonly #list: DocumentList;
  #index = 0;
  #bytesLeft: number;
  #hasField = false;

  constructor({ rankFields, structured }: TextOptions = {}, list?: Partial<DocumentList>) {
    this.#fields = rankFields === undefined ? undefined : [...new Set(rankFields)];
    this.#structured = structured;
    this.#list = { ...defaultList, ...list };
    this.#bytesLeft = this.#list.maxBytes;
  }

  /**
   * Returns the text of the next document.
   * @throws RankletError `input`, with the document's index
   */
  read(document: unknown): string {
    const index = this.#index++;
    const name = this.#list.nameOf(index);
    const fields = this.#fields;
    if (fields === undefined && this.#structured === undefined) return plainText(document, name);
    const out = new BoundedText(this.#bytesLeft, () => this.#list.tooLong(index));
    writeText({ name, out }, document, fields, this.#structured);
    this.#hasField ||= typeof document === "string" || (fields?.some((field) => valueAt(document, field) !== undefined) ?? true);
    this.#bytesLeft = out.bytesLeft;
    return out.toString();
  }

  /** @throws RankletError `input` if there were documents, and none has any of the fields */
  end(): void {
    if (this.#fields === undefined || this.#hasField || this.#index === 0) return;
    throw new RankletError("input", `no document has a field of rankFields: ${this.#fields.map((field) => `"${field}"`).join(", ")}`);
  }
}

/** Returns the texts of a list of documents. */
export function documentTexts(documents: readonly unknown[], options?: TextOptions, list?: Partial<DocumentList>): string[] {
  const reader = new DocumentReader(options, list);
  const texts = Array.from(documents, (document) => reader.read(document));
  reader.end();
  return texts;
}

function plainText(document: unknown, name: string): string {
  if (typeof document === "string") return document;
  const fields = expectFields(document, name, "must be a string or an object with a text");
  const text = textOf(fields);
  if (text !== undefined) return text;
  throw wrong(name, `has no string \`text\`, nor any of ${textFields.slice(1).join(", ")}; name the fields to score in rankFields`);
}

function expectFields(document: unknown, name: string, expected: string): Fields {
  if (isObject(document)) return document;
  throw wrong(name, `${expected}, not ${kindOf(document)}`);
}

/** Writes the chosen fields of a document, or all. */
function writeText(source: Source, document: unknown, fields: readonly string[] | undefined, structured: StructuredText | undefined): void {
  if (typeof document === "string" && structured !== undefined) {
    source.out.push(document);
    return;
  }
  const expected = fields === undefined ? "must be a string or an object" : "must be an object with the fields of rankFields";
  const object = expectFields(document, source.name, expected);
  if (structured === undefined) writeFields(source, object, fields ?? []);
  else writeStructured(source, fields === undefined ? allFields(source, object) : chosenFields(source, object, fields), structured);
}

function writeFields({ name, out }: Source, document: Fields, fields: readonly string[]): void {
  for (const field of fields) {
    const value = valueAt(document, field);
    if (isMissing(value)) continue;
    const text = fieldText(value, name, field);
    if (fields.length > 1) {
      out.startLine();
      out.push(`${field}: `);
    }
    out.push(text);
  }
}

function fieldText(value: unknown, name: string, field: string): string {
  const text = Array.isArray(value) ? listText(value) : scalarText(value);
  if (text !== undefined) return text;
  const what = Array.isArray(value) ? "an array with other items" : kindOf(value);
  throw wrong(name, `field "${field}" of rankFields must be a string, a number, a boolean, a valid Date or an array of these, not ${what}`);
}

/** Joins the items of a list. Returns `undefined` if one is not a scalar. */
function listText(items: readonly unknown[]): string | undefined {
  const texts = items.filter((item) => !isMissing(item)).map(scalarText);
  return texts.every((text) => text !== undefined) ? texts.join(", ") : undefined;
}

/** Yields all fields of a document. Each is copied when it is its turn. */
function* allFields({ name }: Source, document: Fields): Generator<readonly [string, Value]> {
  for (const [field, value] of Object.entries(document)) {
    if (value !== undefined) yield [field, toValue(value, unwritable(name, "the document"), 1)];
  }
}

/** Yields the chosen fields that a document has. Each is copied when it is its turn, because several may have the same values. */
function* chosenFields({ name }: Source, document: Fields, fields: readonly string[]): Generator<readonly [string, Value]> {
  for (const field of fields) {
    const value = valueAt(document, field);
    if (!isMissing(value)) yield [field, toValue(value, unwritable(name, `field "${field}"`))];
  }
}

/** Returns a function that throws an error about a part of a document. */
function unwritable(name: string, part: string): (what: string) => never {
  return (what) => {
    throw wrong(name, `${part} has ${what}, which cannot be written as text`);
  };
}

function writeStructured({ out }: Source, fields: Iterable<readonly [string, Value]>, structured: StructuredText): void {
  if (structured === "yaml") writeYaml(fields, out);
  else for (const [field, value] of fields) writeLines(field, value, out);
}

/** Writes a line `path: value` for each value. The values of an array of scalars are one line. */
function writeLines(path: string, value: Value, out: BoundedText): void {
  if (isMissing(value)) return;
  if (value instanceof Map) {
    for (const [key, inner] of value as ReadonlyMap<string, Value>) writeLines(path === "" ? key : `${path}.${key}`, inner, out);
  } else if (Array.isArray(value) && value.some((item) => typeof item === "object" && item !== null)) {
    for (const item of value as readonly Value[]) writeLines(path, item, out);
  } else {
    out.startLine();
    out.push(`${path}: `);
    out.push(Array.isArray(value) ? (listText(value) ?? "") : String(value));
  }
}

function wrong(name: string, message: string): RankletError {
  return new RankletError("input", `${name} ${message}`);
}
