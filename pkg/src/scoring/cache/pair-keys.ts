import type { Sha256 } from "../../util/sha256.js";
import type { DocumentLimits, Job } from "../scorer.js";

const encoder = new TextEncoder();

/** Computes the keys of pairs: a hash of all that their scores depend on. All keys have the same length, however long the texts are. */
export class PairKeys {
  readonly #newHash: () => Sha256;
  /** The keys of the documents of each collection, whose texts only the engine holds. */
  readonly #collections = new Map<number, string[]>();

  /** @param newHash begins a hash */
  constructor(newHash: () => Sha256) {
    this.#newHash = newHash;
  }

  /** Returns the key of each pair of a job. `engine` names what computes the scores, and what they are. */
  of(job: Exclude<Job, { kind: "variants" }>, engine: string): string[] {
    const pairKey = (query: string, document: string): string => this.#hash(engine, query, document);
    if (job.kind === "pairs")
      return job.queries.map((query, index) => pairKey(this.#hash(query), this.#documentKey(job.documents[index] as string, undefined)));
    const query = this.#hash(job.query);
    if (job.kind === "query") return job.documents.map((document) => pairKey(query, this.#documentKey(document, job.limits)));
    const documents = this.#collections.get(job.collection) ?? [];
    return Array.from(job.candidates ?? documents.keys(), (index) => pairKey(query, documents[index] as string));
  }

  /** Adds documents to a collection. */
  add(collection: number, documents: readonly string[], limits: DocumentLimits): void {
    const keys = this.#collections.get(collection) ?? [];
    this.#collections.set(collection, keys);
    for (const document of documents) keys.push(this.#documentKey(document, limits));
  }

  /** Forgets a collection. */
  remove(collection: number): void {
    this.#collections.delete(collection);
  }

  #documentKey(
    text: string,
    { maxTokensPerDocument, longDocuments }: DocumentLimits = { maxTokensPerDocument: undefined, longDocuments: "truncate" },
  ): string {
    return this.#hash(`${longDocuments} ${maxTokensPerDocument ?? "all"}`, text);
  }

  /** Hashes texts, joined by line breaks. Only the last may contain a line break: then no other texts are joined to the same. */
  #hash(...texts: readonly string[]): string {
    const hash = this.#newHash();
    hash.update(encoder.encode(texts.join("\n")));
    return hash.digest("hex");
  }
}
