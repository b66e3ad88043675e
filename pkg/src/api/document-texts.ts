import { documentTexts as readTexts } from "../documents/documents.js";
import type { DocumentInput, TextOptions } from "../types.js";
import { array, checkOptions } from "../util/check.js";
import { textChecks } from "./options.js";

/**
 * Returns the text of each document that is scored with the same options. The positions of spans, highlights and explained units
 * are positions in it.
 * @throws RankletError `input` for a document without a text
 */
export function documentTexts(documents: readonly DocumentInput[], options?: TextOptions): string[] {
  const checked = checkOptions("documentTexts", options, textChecks);
  return readTexts(array(documents, "documentTexts: documents"), checked);
}
