import { documentTexts } from "./documents.js";
import { RankletError } from "./errors.js";
import { list, rankReaders, readOptions, rerankReaders, scoreReaders, text } from "./options.js";
import type { Scorer } from "./scorer.js";
import type {
  CallOptions,
  DocumentInput,
  ModelInfo,
  RankOptions,
  RankResult,
  RerankOptions,
  RerankResponse,
} from "./types.js";

// Runtimes without explicit resource management have no Symbol.dispose; a polyfill makes these same symbols.
const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/** A loaded model that scores how well documents answer a query. */
export class LoadedReranker {
  /** What was loaded, and what computes. */
  readonly info: ModelInfo;
  readonly #engine: Scorer;

  /** Use `Reranker.load`. */
  protected constructor(engine: Scorer) {
    this.#engine = engine;
    this.info = engine.info;
  }

  /**
   * Ranks documents by how well they answer a query, best first.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or the engine's
   */
  async rerank<D extends DocumentInput>(options: RerankOptions<D>): Promise<RerankResponse<D>> {
    const started = performance.now();
    const read = readOptions("rerank", options, rerankReaders);
    const query = text(read.query, "rerank: query");
    const documents = list(read.documents, "rerank: documents") as readonly D[];
    this.#expectOneLabel("rerank");
    const texts = documentTexts(documents, read.rankFields);
    const { scores, tokens, engineMs } = await this.#engine.score({
      pairs: { query, documents: texts, maxTokensPerDocument: read.maxTokensPerDocument },
      scores: read.scores ?? "model",
      signal: read.signal,
      onProgress: read.onProgress,
    });
    const results = best(scores, read.topN).map(({ index, score }) =>
      read.returnDocuments === true ? { index, score, document: documents[index] as D } : { index, score },
    );
    const totalMs = performance.now() - started;
    return { results, usage: { tokens, documents: texts.length }, backend: this.info.backend, timings: { totalMs, engineMs } };
  }

  /**
   * Scores pairs of query and document, in the order given. A model of several labels gives them row by row:
   * pair `p`, label `l` is at `p * info.numLabels + l`.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or the engine's
   */
  async score(pairs: readonly (readonly [query: string, document: string])[], options?: CallOptions): Promise<Float32Array> {
    const read = readOptions("score", options, scoreReaders);
    const { scores } = await this.#engine.score({
      pairs: columns(pairs),
      scores: read.scores ?? "model",
      signal: read.signal,
      onProgress: read.onProgress,
    });
    return scores;
  }

  /**
   * Ranks documents as sentence-transformers' `CrossEncoder.rank` does, best first.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or the engine's
   */
  async rank(query: string, documents: readonly DocumentInput[], options?: RankOptions): Promise<RankResult[]> {
    const read = readOptions("rank", options, rankReaders);
    const asked = text(query, "rank: query");
    const texts = documentTexts(list(documents, "rank: documents"));
    this.#expectOneLabel("rank");
    const { scores } = await this.#engine.score({
      pairs: { query: asked, documents: texts, maxTokensPerDocument: undefined },
      scores: read.scores ?? "model",
      signal: read.signal,
      onProgress: read.onProgress,
    });
    return best(scores, read.topK).map(({ index, score }) =>
      read.returnDocuments === true ? { corpus_id: index, score, text: texts[index] as string } : { corpus_id: index, score },
    );
  }

  /** Frees the model's memory. Calls under way, and later ones, are rejected with `disposed`. May be called twice. */
  dispose(): void {
    this.#engine.dispose();
  }

  [dispose](): void {
    this.dispose();
  }

  [asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }

  #expectOneLabel(call: string): void {
    const { numLabels } = this.info;
    if (numLabels !== 1) {
      throw new RankletError("input", `${call} needs a model with one label and this one has ${numLabels}; use score(), which returns every label`);
    }
  }
}

/** The best `count` scores with their places, best first; equal ones stay in order, for sorting is stable. */
function best(scores: Float32Array, count = scores.length): { index: number; score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

function columns(pairs: unknown): { queries: string[]; documents: string[] } {
  const queries: string[] = [];
  const documents: string[] = [];
  for (const [at, pair] of list(pairs, "score: pairs").entries()) {
    const [query, document, ...rest] = list(pair, `score: pairs[${at}]`);
    if (rest.length > 0) throw new RankletError("input", `score: pairs[${at}] must be [query, document], without a third item`);
    queries.push(text(query, `score: pairs[${at}][0], the query,`));
    documents.push(text(document, `score: pairs[${at}][1], the document,`));
  }
  return { queries, documents };
}
