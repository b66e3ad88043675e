/** A set of passages to search. */
export interface DocumentSet {
  /** The name that the page shows. */
  readonly name: string;
  readonly passages: readonly { readonly text: string }[];
  /** The index of the right passage, by question, for questions whose answer is known. */
  readonly answers: ReadonlyMap<string, number>;
  readonly bundled: boolean;
}

interface BundledFile {
  readonly passages: readonly { readonly id: string; readonly text: string }[];
  readonly queries: readonly { readonly query: string; readonly answer: string }[];
}

/** Fetches the collection that is part of the page. */
export async function bundledDocuments(): Promise<DocumentSet> {
  const response = await fetch("collection.json");
  if (!response.ok) throw new Error(`collection.json answered ${response.status}`);
  // The file is part of the same build, so its shape is known.
  const { passages, queries } = (await response.json()) as BundledFile;
  const indices = new Map(passages.map(({ id }, index) => [id, index]));
  const answers = new Map(queries.map(({ query, answer }) => [query, indices.get(answer) ?? -1]));
  return { name: "Bundled collection", passages, answers, bundled: true };
}

/** Returns a set of the user's own documents. */
export function ownDocuments(name: string, texts: readonly string[]): DocumentSet {
  return { name, passages: texts.map((text) => ({ text })), answers: new Map(), bundled: false };
}
