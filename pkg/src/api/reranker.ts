import type { CachedModels } from "../cache-types.js";
import { disposedError, RankletError, withItemInMessage } from "../errors.js";
import { expectSameDevice, fellBackToCpu, withRestart } from "../scoring/fallback.js";
import { Deadline } from "../scoring/deadline.js";
import { addTotals, noTotals, scoreJobs, streamJob, type Totals } from "../scoring/score.js";
import type { DocumentLimits, Job, Scorer } from "../scoring/scorer.js";
import { pairJobs, queryJobs, windows } from "../scoring/windows.js";
import type {
  CallOptions,
  Collection,
  DocumentInput,
  DocumentOptions,
  LoadOptions,
  ModelInfo,
  ModelSource,
  PrepareOptions,
  RankOptions,
  RankResult,
  RerankOptions,
  RerankResponse,
  ScoreProgress,
  Scores,
  StreamOptions,
  StreamPart,
} from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import { array, checkOptions, string } from "../util/check.js";
import { disposeWhenForgotten, stopWatching } from "../util/forgotten.js";
import { asyncDispose, dispose } from "../util/symbols.js";
import { PreparedCollection } from "./collection.js";
import { documentTexts, type ReadDocument, readDocuments } from "./documents.js";
import { checkFirstStage } from "./fusion.js";
import { prepareChecks, rankChecks, rankRefusals, rerankChecks, rerankRefusals, scoreChecks, scoreRefusals, streamChecks, streamRefusals } from "./options.js";
import { atLeast, chooseResults, type ScoredDocument, scoredDocuments, toResult } from "./results.js";

/** The checked options of calls that return one result. */
interface CallSettings {
  readonly scores?: Scores | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined;
  /** The time from `started`, by `performance.now()`, at which the call ends. Default: when all pairs are scored. */
  readonly deadlineMs?: number | undefined;
  readonly started?: number;
}

/** The checked options of `stream`. */
interface StreamSettings {
  readonly query: string;
  readonly documents: Iterable<unknown>;
  readonly total: number | undefined;
  readonly text: Pick<DocumentOptions, "rankFields" | "structured">;
  readonly minScore: number | undefined;
  readonly limits: DocumentLimits;
  readonly returnDocuments: boolean;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
}

/** The scores of a whole call, in the order of its pairs. */
interface CallScores {
  readonly scores: Float32Array;
  readonly spans: Uint32Array | undefined;
  readonly totals: Totals;
  /** The indices of the pairs that were not scored when the call had to end. */
  readonly unscored: readonly number[];
}

/** The class `Reranker` that an entry point exports. */
export type RerankerClass = typeof LoadedReranker & {
  /**
   * Loads a model: the embedded default, one of a Hub, one from a folder, or one from its files. May be called without the
   * class, as in `const { load } = Reranker`.
   * @throws RankletError `input` or `unsupported` for the arguments; `config`, `tokenizer`, `weights` for the files;
   *   `network` or `integrity` for a download; `aborted`, `out-of-memory`
   */
  load<R extends LoadedReranker>(this: { readonly prototype: R }, source?: ModelSource, options?: LoadOptions): Promise<R>;
  load(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<LoadedReranker>;
  /**
   * As `load`, but equal models with equal options share one engine: on this thread, and between the tabs of an origin if the
   * browser has shared workers. Each caller gets a reranker of its own, with its own calls and collections. The engine ends
   * when the last of them is disposed. `signal` and `onProgress` are those
   * of the call: an abort ends the call, and the loading if no other waits for it.
   * @throws RankletError as `load`
   */
  shared<R extends LoadedReranker>(this: { readonly prototype: R }, source?: ModelSource, options?: LoadOptions): Promise<R>;
  shared(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<LoadedReranker>;
  /** The models that `load` has stored. */
  readonly cache: CachedModels;
  /**
   * Returns the number of bytes that `load` would download with the same arguments: 0 for a model that is in the cache or needs
   * no download. The weights are requested, and not read.
   * @throws RankletError as `load` does for its arguments and for files that are missing
   */
  downloadSize(source?: ModelSource, options?: LoadOptions): Promise<number>;
};

/** A loaded model that scores how well documents answer a query. Its memory is freed by `dispose`, or when it is garbage-collected. */
export class LoadedReranker {
  readonly #scorer: Scorer;
  #info: ModelInfo;
  #collections = 0;
  #disposed = false;

  /** Use `Reranker.load`. */
  protected constructor(scorer: Scorer, info: ModelInfo) {
    this.#scorer = scorer;
    this.#info = info;
    disposeWhenForgotten(this, scorer);
  }

  /** The loaded model and its backend. The backend changes if a GPU fails and the CPU takes over. */
  get info(): ModelInfo {
    const { backend } = this.#scorer.info;
    if (backend !== this.#info.backend) this.#info = Object.freeze({ ...this.#info, backend });
    return this.#info;
  }

  /**
   * Ranks documents by how well they answer a query, best first.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async rerank<D extends DocumentInput>(options: RerankOptions<D>): Promise<RerankResponse<D>> {
    const started = performance.now();
    const checked = checkOptions("rerank", options, rerankChecks, rerankRefusals);
    const query = string(checked.query, "rerank: query");
    // Copied, because the caller may change the array before the call ends.
    const documents = [...array(checked.documents, "rerank: documents")] as readonly D[];
    this.#expectOneLabel("rerank");
    checkFirstStage("rerank", checked.fuse, documents.length);
    const texts = documentTexts(documents, checked);
    const scores = await this.#score(() => queryJobs(query, texts, documentLimits(checked), this.#workers), texts.length, { ...checked, started });
    const { tokens, engineMs, cacheHits } = scores.totals;
    return {
      results: chooseResults(finished(scores), checked).map((scored) => toResult(scored, checked.returnDocuments === true ? documents : undefined)),
      unscored: scores.unscored,
      usage: { tokens, documents: texts.length },
      backend: this.info.backend,
      timings: { totalMs: performance.now() - started, engineMs, cacheHits },
    };
  }

  /**
   * Scores documents and yields them after each micro-batch: in the order of the documents with one worker, in any order with
   * several. Leaving the loop ends the call. Scoring runs at most one window of documents ahead of the loop.
   * @throws RankletError `input` or `unsupported` for options, at once; while iterating `input` for a document, `aborted`,
   *   `disposed`, or an error of the engine
   */
  stream<D extends DocumentInput>(options: StreamOptions<D>): AsyncGenerator<StreamPart<D>, void> {
    const checked = checkOptions("stream", options, streamChecks, streamRefusals);
    const query = string(checked.query, "stream: query");
    const { documents, minScore, returnDocuments = false, scores = "model", signal } = checked;
    if (documents === undefined) throw new RankletError("input", "stream: documents must be an array or another iterable, not undefined");
    this.#expectOneLabel("stream");
    const total = Array.isArray(documents) ? documents.length : undefined;
    return this.#stream({ query, documents, total, text: checked, minScore, limits: documentLimits(checked), returnDocuments, scores, signal });
  }

  /**
   * Scores pairs of a query and a document, in the given order.
   * @returns the scores, row-major [pairs, labels]: label `l` of pair `p` is at `p * info.numLabels + l`
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async score(pairs: readonly (readonly [query: string, document: string])[], options?: CallOptions): Promise<Float32Array> {
    const checked = checkOptions("score", options, scoreChecks, scoreRefusals);
    const checkedPairs = Array.from(array(pairs, "score: pairs"), checkPair);
    return (await this.#score(() => pairJobs(checkedPairs, this.#workers), checkedPairs.length, checked)).scores;
  }

  /**
   * Ranks documents like sentence-transformers' `CrossEncoder.rank`, best first.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async rank(query: string, documents: readonly DocumentInput[], options?: RankOptions): Promise<RankResult[]> {
    const checked = checkOptions("rank", options, rankChecks, rankRefusals);
    const checkedQuery = string(query, "rank: query");
    const texts = documentTexts(array(documents, "rank: documents"));
    this.#expectOneLabel("rank");
    const scores = await this.#score(() => queryJobs(checkedQuery, texts, documentLimits({}), this.#workers), texts.length, checked);
    return chooseResults(scoredDocuments(scores), { topN: checked.topK, minScore: checked.minScore }).map(({ index, score }) =>
      checked.returnDocuments === true ? { corpus_id: index, score, text: texts[index] as string } : { corpus_id: index, score },
    );
  }

  /**
   * Tokenizes documents once, for many queries, and keeps the tokens in the engine's memory.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async prepare<D extends DocumentInput>(documents: readonly D[], options?: PrepareOptions): Promise<Collection<D>> {
    const { rankFields, structured, signal, onProgress, ...settings } = checkOptions("prepare", options, prepareChecks);
    const copy = [...array(documents, "prepare: documents")] as readonly D[];
    const texts = documentTexts(copy, { rankFields, structured });
    this.#expectOneLabel("prepare");
    const id = this.#collections++;
    let done = 0;
    try {
      await this.#scorer.prepare(id, { documents: [], limits: documentLimits(settings) });
      for (const window of windows(texts, ({ length }) => length, this.#workers)) {
        throwIfAborted(signal);
        await this.#scorer.prepare(id, { documents: window, limits: documentLimits(settings) });
        done += window.length;
        onProgress?.({ stage: "prepare", done, total: texts.length });
      }
      throwIfAborted(signal);
    } catch (error) {
      this.#scorer.release(id);
      throw error;
    }
    return new PreparedCollection(this, this.#scorer, id, copy);
  }

  /** Frees the model's memory. Running calls and later ones are rejected with `disposed`. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    stopWatching(this);
    this.#scorer.dispose();
  }

  [dispose](): void {
    this.dispose();
  }

  [asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }

  /** Scores `total` pairs; all of them again if the CPU takes over from a GPU. */
  async #score(jobs: () => Iterable<Job>, total: number, settings: CallSettings): Promise<CallScores> {
    try {
      return await this.#scoreOnce(jobs(), total, settings).catch((error: unknown) => {
        if (!fellBackToCpu(error, this.#scorer)) throw error;
        return this.#scoreOnce(jobs(), total, settings);
      });
    } catch (error) {
      throw withItemInMessage(error);
    }
  }

  /** Scores `total` pairs, or those that can be scored in time. Returns their scores and spans in order, and the totals. */
  async #scoreOnce(jobs: Iterable<Job>, total: number, settings: CallSettings): Promise<CallScores> {
    if (this.#disposed) throw disposedError();
    throwIfAborted(settings.signal);
    const { numLabels } = this.info;
    const scores = new Float32Array(total * numLabels);
    const isScored = new Uint8Array(total);
    const totals = noTotals();
    const deadline = new Deadline(settings.started ?? 0, settings.deadlineMs, settings.signal);
    let spans: Uint32Array | undefined;
    let done = 0;
    const scoring = scoreJobs(this.#scorer, jobs, {
      scores: settings.scores ?? "model",
      signal: deadline.signal,
      maxStepMs: deadline.maxStepMs,
      onPartial: (partial) => {
        done += partial.indices.length;
        addTotals(totals, partial);
        const spansFit = partial.spans === undefined || partial.spans.length === 2 * partial.indices.length;
        if (done > total || partial.scores.length !== partial.indices.length * numLabels || !spansFit) throw this.#miscounted(total);
        partial.indices.forEach((index, position) => {
          isScored[index] = 1;
          scores.set(partial.scores.subarray(position * numLabels, (position + 1) * numLabels), index * numLabels);
        });
        if (partial.spans !== undefined) {
          const all = (spans ??= new Uint32Array(2 * total));
          partial.indices.forEach((index, position) => all.set(partial.spans?.subarray(2 * position, 2 * position + 2) ?? [], 2 * index));
        }
        settings.onProgress?.({ stage: "score", done, total });
        deadline.check();
      },
    });
    let hasEnded = false;
    try {
      await scoring;
    } catch (error) {
      hasEnded = deadline.hasCaused(error);
      if (!hasEnded) throw error;
    } finally {
      deadline.stop();
    }
    if (done < total && !hasEnded) throw this.#miscounted(total);
    throwIfAborted(settings.signal);
    return { scores, spans, totals, unscored: Array.from(isScored.keys()).filter((index) => isScored[index] === 0) };
  }

  async *#stream<D extends DocumentInput>(settings: StreamSettings): AsyncGenerator<StreamPart<D>, void> {
    const parts = (): AsyncGenerator<StreamPart<D>, void> => this.#streamOnce<D>(settings);
    // Documents of an iterable other than an array are gone once they are read.
    try {
      yield* settings.total === undefined ? parts() : withRestart(this.#scorer, parts, () => {});
    } catch (error) {
      throw withItemInMessage(error);
    }
  }

  async *#streamOnce<D extends DocumentInput>(settings: StreamSettings): AsyncGenerator<StreamPart<D>, void> {
    let done = 0;
    const { device } = this.info.backend;
    for (const window of windows(readDocuments(settings.documents as Iterable<D>, settings.text), ({ text }) => text.length, this.#workers)) {
      const first = done;
      const documents = window.map(({ text }) => text);
      const job = { kind: "query", query: settings.query, documents, limits: settings.limits } as const;
      expectSameDevice(this.#scorer, device);
      for await (const partials of streamJob(this.#scorer, job, first, settings)) {
        const scored = partials.flatMap((partial) => scoredDocuments(partial, partial.indices));
        done += scored.length;
        const results = atLeast(scored, settings.minScore).map((scored) => {
          const { document } = window[scored.index - first] as ReadDocument<D>;
          return settings.returnDocuments ? { ...scored, document } : scored;
        });
        if (results.length > 0) yield { results, done, total: settings.total };
      }
    }
  }

  /** The number of workers that score a window. */
  get #workers(): number {
    return this.info.backend.workers;
  }

  #expectOneLabel(call: string): void {
    const { numLabels } = this.info;
    if (numLabels !== 1) {
      throw new RankletError("input", `${call} needs a model with one label, and this one has ${numLabels}; use score(), which returns every label`);
    }
  }

  #miscounted(pairs: number): RankletError {
    return new RankletError("internal", `the engine returned a wrong number of scores for ${pairs} pairs`);
  }
}

/** Returns the documents that were scored, in order. */
function finished({ unscored, ...scores }: CallScores): ScoredDocument[] {
  const all = scoredDocuments(scores);
  if (unscored.length === 0) return all;
  const left = new Set(unscored);
  return all.filter(({ index }) => !left.has(index));
}

/** Returns the limits on documents, with their defaults. */
function documentLimits({ maxTokensPerDocument, longDocuments = "truncate" }: Pick<DocumentOptions, keyof DocumentLimits>): DocumentLimits {
  return { maxTokensPerDocument, longDocuments };
}

function checkPair(value: unknown, index: number): readonly [query: string, document: string] {
  const name = `score: pairs[${index}]`;
  const [query, document, ...extra] = array(value, name);
  if (extra.length > 0) throw new RankletError("input", `${name} must be [query, document], without a third item`);
  return [string(query, `${name}[0], the query,`), string(document, `${name}[1], the document,`)];
}
