/**
 * A document: its text, or an object with a text or with the fields in `rankFields`. The text of an object is the first of
 * `text`, `pageContent`, `page_content`, `content`, `contents`, `body`, `passage`, `snippet` and `title` that is a string. The
 * type is `object` because TypeScript does not assign interfaces and classes to a record.
 */
export type DocumentInput = string | object;

/** How to score documents that do not fit into a pair with the query. */
export type LongDocuments = "truncate" | "chunk";

/** How to write a document with fields: as YAML, or as a line `path: value` for each of its values. */
export type StructuredText = "yaml" | "lines";

/** Options that choose the text of a document. */
export interface TextOptions {
  /**
   * The fields of each document that are scored: the value of one field as it is, several as lines `field: value` in this
   * order. A field is a name, or a path with dots through objects and arrays, such as `"author.name"`. A value is a string, a
   * number, a boolean, a `Date`, or an array of these, which is joined with ", "; with `structured` also an object. A document
   * that lacks a field, or has `null` there, is scored by its other fields. A name that is repeated counts once. Default: only the
   * document's text.
   */
  readonly rankFields?: readonly string[] | undefined;
  /**
   * Writes the fields in `rankFields`, or without it the whole document, in one of these forms: `"yaml"` as PyYAML does,
   * `"lines"` as lines such as `author.name: Ann`. A document that is a string stays as it is. Default: see `rankFields`.
   */
  readonly structured?: StructuredText | undefined;
}

/** Options for the text of documents, and how much of it is scored. */
export interface DocumentOptions extends TextOptions {
  /**
   * How to score a document that does not fit. `"truncate"`, the default, cuts off its end. `"chunk"` scores it in overlapping
   * chunks: the best chunk's score is the document's, and `span` of the result is that chunk.
   */
  readonly longDocuments?: LongDocuments | undefined;
  /**
   * Max tokens of a document, at least 1. The rest is cut off, before it is split into chunks. Default: as many as fit into the
   * pair, or all with `longDocuments: "chunk"`.
   */
  readonly maxTokensPerDocument?: number | undefined;
}
