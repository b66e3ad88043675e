/** Passages to search in. */
export interface DocumentSet {
  /** What the page calls it. */
  readonly name: string;
  readonly passages: readonly { readonly text: string }[];
  /** For questions whose right passage is known: its place in `passages`. */
  readonly answers: ReadonlyMap<string, number>;
  readonly bundled: boolean;
}

interface BundledFile {
  readonly passages: readonly { readonly id: string; readonly text: string }[];
  readonly queries: readonly { readonly query: string; readonly answer: string }[];
}

/** Fetches the collection that comes with the page. */
export async function bundledDocuments(): Promise<DocumentSet> {
  const response = await fetch("collection.json");
  if (!response.ok) throw new Error(`collection.json answered ${response.status}`);
  // The file is the page's own, from the same build.
  const { passages, queries } = (await response.json()) as BundledFile;
  const indices = new Map(passages.map(({ id }, index) => [id, index]));
  const answers = new Map(queries.map(({ query, answer }) => [query, indices.get(answer) ?? -1]));
  return { name: "Bundled collection", passages, answers, bundled: true };
}

/** The person's own documents. */
export function ownDocuments(name: string, texts: readonly string[]): DocumentSet {
  return { name, passages: texts.map((text) => ({ text })), answers: new Map(), bundled: false };
}
