import { messageOf } from "../ui/errors.js";
import { bytes } from "../ui/format.js";

/** With more documents, building the keyword index would keep the user waiting. */
const maxDocuments = 2000;
/** Far more than `maxDocuments` passages need. */
const maxCharacters = 4_000_000;

/** UTF-8 has at most 3 bytes per UTF-16 code unit. */
const maxBytes = 3 * maxCharacters;

/** An error in the user's documents; the message says where it is. */
export class DocumentError extends Error {}

/** The format of a text; `"detect"` chooses one by the first character. */
export type Format = "detect" | "lines" | "json" | "jsonl";

/** Returns the format for a file's extension. */
export function formatOf(fileName: string): Format {
  if (/\.jsonl$|\.ndjson$/i.test(fileName)) return "jsonl";
  if (/\.json$/i.test(fileName)) return "json";
  if (/\.(txt|text)$/i.test(fileName)) return "lines";
  throw new DocumentError(`${fileName} is not a .txt, .json or .jsonl file. Save the documents in one of these formats.`);
}

/**
 * Reads a file as text.
 * @throws {DocumentError} if the file is too large, before it is in memory
 */
export async function readText(file: File): Promise<string> {
  if (file.size > maxBytes)
    throw new DocumentError(`The file has ${bytes(file.size)}; the maximum is ${bytes(maxBytes)}. Use fewer documents.`);
  return file.text();
}

/**
 * Reads documents from lines, a JSON array or JSON lines. In JSON, each is a string or an object with a `text`.
 * @throws {DocumentError} with the line or the item that cannot be read
 */
export function readDocuments(source: string, format: Format): string[] {
  if (source.length > maxCharacters) {
    throw new DocumentError(
      `The text has ${source.length.toLocaleString("en")} characters; the maximum is ${maxCharacters.toLocaleString("en")}. Use fewer documents.`,
    );
  }
  const texts = readers[format](source.replace(/^\uFEFF/, ""));
  if (texts.length === 0) throw new DocumentError("There are no documents. Write one per line, or use a JSON array.");
  if (texts.length > maxDocuments) {
    throw new DocumentError(
      `There are ${texts.length.toLocaleString("en")} documents; the maximum is ${maxDocuments.toLocaleString("en")}.`,
    );
  }
  return texts;
}

const readers: Readonly<Record<Format, (source: string) => string[]>> = {
  detect: (source) => readers[detect(source)](source),
  lines: (source) =>
    source
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== ""),
  json: (source) => {
    const parsed = parse(source, "This is not valid JSON");
    if (!Array.isArray(parsed)) throw new DocumentError('The JSON must be an array of strings or of objects with a "text" field.');
    return parsed.map((item: unknown, index) => textOf(item, `Item ${index + 1}`));
  },
  jsonl: (source) =>
    source
      .split(/\r?\n/)
      .map((line, index) => ({ line: line.trim(), where: `Line ${index + 1}` }))
      .filter(({ line }) => line !== "")
      .map(({ line, where }) => textOf(parse(line, `${where} is not valid JSON`), where)),
};

function detect(source: string): Exclude<Format, "detect"> {
  const start = source.trimStart();
  if (start.startsWith("[")) return "json";
  return start.startsWith("{") ? "jsonl" : "lines";
}

function parse(source: string, message: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new DocumentError(`${message}: ${messageOf(error)}. If the lines are plain text that begins with a bracket, use a .txt file.`);
  }
}

function textOf(item: unknown, where: string): string {
  const text: unknown = typeof item === "object" && item !== null && "text" in item ? item.text : item;
  if (typeof text !== "string") throw new DocumentError(`${where} must be a string or an object with a "text" field.`);
  if (text.trim() === "") throw new DocumentError(`${where} has an empty text.`);
  return text;
}
