import { messageOf } from "../ui/format.js";

/** More would take the keyword index too long to build while somebody waits. */
const maxDocuments = 2000;
/** In characters; far more than the documents allowed need. */
const maxCharacters = 4_000_000;

/** What is wrong with somebody's documents, and where. */
export class DocumentError extends Error {}

/** How a text is made up; `"detect"` looks at how it begins. */
export type Format = "detect" | "lines" | "json" | "jsonl";

/** The format that a file's name promises. */
export function formatOf(fileName: string): Format {
  if (/\.jsonl$|\.ndjson$/i.test(fileName)) return "jsonl";
  if (/\.json$/i.test(fileName)) return "json";
  if (/\.(txt|text)$/i.test(fileName)) return "lines";
  throw new DocumentError(`${fileName} is no .txt, .json or .jsonl file. Save the documents as one of these.`);
}

/**
 * Reads documents: one a line, a JSON array, or JSON lines; each a string or an object with a `text`.
 * @throws DocumentError names the line or the place of what cannot be read
 */
export function readDocuments(source: string, format: Format): string[] {
  if (source.length > maxCharacters) throw new DocumentError(`That is ${source.length.toLocaleString("en")} characters; this page takes ${maxCharacters.toLocaleString("en")}.`);
  const texts = readers[format](source.replace(/^\uFEFF/, ""));
  if (texts.length === 0) throw new DocumentError("There is no document in it. Put one on each line, or give a JSON array.");
  if (texts.length > maxDocuments) {
    throw new DocumentError(`Those are ${texts.length.toLocaleString("en")} documents; this page takes ${maxDocuments.toLocaleString("en")}.`);
  }
  return texts;
}

const readers: Readonly<Record<Format, (source: string) => string[]>> = {
  detect: (source) => readers[detect(source)](source),
  lines: (source) => source.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== ""),
  json: (source) => {
    const parsed = parse(source, "This is not valid JSON");
    if (!Array.isArray(parsed)) throw new DocumentError("The JSON must be an array of strings or of objects with a text.");
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
    throw new DocumentError(`${message}: ${messageOf(error)}. Plain lines that begin with a bracket can be given as a .txt file.`);
  }
}

function textOf(item: unknown, where: string): string {
  const text: unknown = typeof item === "object" && item !== null && "text" in item ? item.text : item;
  if (typeof text !== "string") throw new DocumentError(`${where} must be a string or an object with a text.`);
  if (text.trim() === "") throw new DocumentError(`${where} has an empty text.`);
  return text;
}
