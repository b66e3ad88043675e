import { documentTexts } from "../documents/documents.js";
import { disposedError, RankletError, withItemInMessage } from "../errors.js";
import { Deadline } from "../scoring/deadline.js";
import { expectSameDevice, withOneRestart, withRestart } from "../scoring/fallback.js";
import { noTotals, streamJob } from "../scoring/score.js";
import type { DocumentLimits, Job, Scorer } from "../scoring/scorer.js";
import { pairJobs, queryJobs, windows } from "../scoring/windows.js";
import type {
  CallOptions,
  Collection,
  CompareOptions,
  Comparison,
  DocumentInput,
  DocumentOptions,
  DocumentSource,
  ExplainCost,
  ExplainCostOptions,
  ExplainOptions,
  Explanation,
  ModelInfo,
  PrepareOptions,
  RankOptions,
  RankResult,
  RankResultWithText,
  RerankOptions,
  RerankResponse,
  ReturnDocuments,
  Scores,
  StreamOptions,
  StreamPart,
  TextOptions,
} from "../types.js";
import { abortWithError, linkAbort, throwIfAborted } from "../util/abort.js";
import { array, checkOptions, string } from "../util/check.js";
import { disposeWhenForgotten, stopWatching } from "../util/forgotten.js";
import { asyncDispose, checkSentences, dispose } from "../util/symbols.js";
import { PreparedCollection } from "./collection.js";
import { documentWindows, type ReadDocument } from "./document-windows.js";
import { compare, explain, explainCost, explainedPairs } from "./explain.js";
import { checkFirstStage } from "./fusion.js";
import { withHighlights } from "./highlights.js";
import {
  checkPair,
  compareChecks,
  compareRefusals,
  documentSource,
  explainChecks,
  explainCostChecks,
  explainCostRefusals,
  explainRefusals,
  prepareChecks,
  rankChecks,
  rankRefusals,
  rerankChecks,
  rerankRefusals,
  scoreChecks,
  scoreRefusals,
  streamChecks,
  streamRefusals,
} from "./options.js";
import { atLeast, chooseResults, scoredDocuments, toResult } from "./results.js";
import { finished, type ScoreSettings, scoreCall } from "./score-call.js";
import type { ScoredDocument } from "./scored-document.js";

/** The checked options that end a call which returns one result. */
interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** The time from `started`, by `performance.now()`, at which the call ends. Default: when all pairs are scored. */
  readonly deadlineMs?: number | undefined;
  readonly started?: number;
}

/** The option of `rerank` that only `ranklet/server` gives. */
interface SentenceOptions {
  readonly [checkSentences]?: (count: number) => void;
}

/** The checked options of `stream`. */
interface StreamSettings {
  readonly query: string;
  readonly documents: DocumentSource;
  readonly total: number | undefined;
  readonly text: TextOptions;
  readonly minScore: number | undefined;
  readonly highlights: number | undefined;
  readonly limits: DocumentLimits;
  readonly returnDocuments: boolean;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
}

/** A loaded model that scores how well documents answer a query. Its memory is freed by `dispose`, or when it is garbage-collected. */
export class LoadedReranker {
  readonly #scorer: Scorer;
  #info: ModelInfo;
  /** The controllers of running streams, which `dispose` aborts, as they may wait for their documents. */
  readonly #streams = new Set<AbortController>();
  #collections = 0;
  #disposed = false;

  /** Use `Reranker.load`. */
  protected constructor(scorer: Scorer, info: ModelInfo) {
    // Plain JavaScript can call this. The registry would fail later, with an error that nothing can catch.
    if (typeof scorer?.dispose !== "function") throw new RankletError("input", "new Reranker() loads no model; use await Reranker.load(…)");
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
  async rerank<D extends DocumentInput, R extends boolean | undefined = boolean | undefined>(
    options: RerankOptions<D, R> & ReturnDocuments<R>,
  ): Promise<RerankResponse<D, NoInfer<R>>> {
    const started = performance.now();
    const checked = checkOptions("rerank", options, rerankChecks, rerankRefusals);
    const query = string(checked.query, "rerank: query");
    // Copied, because the caller may change the array before the call ends.
    const documents = [...array(checked.documents, "rerank: documents")] as readonly D[];
    this.#expectOneLabel("rerank");
    checkFirstStage("rerank", checked.fuse, documents.length);
    const texts = documentTexts(documents, checked);
    const limits = documentLimits(checked);
    const { results, unscored, totals } = await this.#run({ ...checked, started }, async (deadline) => {
      const { device } = this.info.backend;
      const pairs = { jobs: queryJobs(query, texts, limits, this.#workers), total: texts.length };
      const scores = await scoreCall(this.#scorer, pairs, checked, deadline);
      const chosen = chooseResults(finished(scores), checked);
      if (checked.highlights === undefined) return { ...scores, results: chosen };
      expectSameDevice(this.#scorer, device);
      const settings = {
        query,
        textOf: (index: number) => texts[index] as string,
        limits,
        scores: checked.scores ?? "model",
        count: checked.highlights,
        checkSentences: (options as SentenceOptions)[checkSentences],
      };
      return { ...scores, results: await withHighlights(this.#scorer, { ...scores, results: chosen }, settings, deadline) };
    });
    const { tokens, engineMs, cacheHits } = totals;
    return {
      results: results.map((scored) => toResult<D, R>(scored, checked.returnDocuments === true ? documents : undefined)),
      unscored,
      usage: { tokens, documents: texts.length },
      backend: this.info.backend,
      timings: { totalMs: performance.now() - started, engineMs, cacheHits },
    };
  }

  /**
   * Scores documents and yields them after each micro-batch: in the order of the documents with one worker, in any order with
   * several. With a score cache, known scores come first. Leaving the loop ends the call. Scoring runs at most one window of
   * documents ahead of the loop.
   * @throws RankletError `input` or `unsupported` for options, at once; while iterating `input` for a document, `aborted`,
   *   `disposed`, or an error of the engine
   */
  stream<D extends DocumentInput, R extends boolean | undefined = boolean | undefined>(
    options: StreamOptions<D, R> & ReturnDocuments<R>,
  ): AsyncGenerator<StreamPart<D, NoInfer<R>>, void> {
    const checked = checkOptions("stream", options, streamChecks, streamRefusals);
    const query = string(checked.query, "stream: query");
    const documents = documentSource(checked.documents, "stream: documents");
    const { minScore, highlights, returnDocuments = false, scores = "model", signal } = checked;
    this.#expectOneLabel("stream");
    const total = Array.isArray(documents) ? documents.length : undefined;
    const limits = documentLimits(checked);
    const settings = { query, documents, total, text: checked, minScore, highlights, limits, returnDocuments, scores, signal };
    return this.#stream<D>(settings) as AsyncGenerator<StreamPart<D, R>, void>;
  }

  /**
   * Scores pairs of a query and a document, in the given order.
   * @returns the scores, row-major [pairs, labels]: label `l` of pair `p` is at `p * info.numLabels + l`
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async score(pairs: readonly (readonly [query: string, document: string])[], options?: CallOptions): Promise<Float32Array> {
    const checked = checkOptions("score", options, scoreChecks, scoreRefusals);
    const checkedPairs = Array.from(array(pairs, "score: pairs"), checkPair);
    return this.#score(() => pairJobs(checkedPairs, this.#workers), checkedPairs.length, checked);
  }

  /**
   * Ranks documents like sentence-transformers' `CrossEncoder.rank`, best first.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async rank<R extends boolean | undefined = boolean | undefined>(
    query: string,
    documents: readonly DocumentInput[],
    options?: RankOptions<R> & ReturnDocuments<R>,
  ): Promise<([NoInfer<R>] extends [true] ? RankResultWithText : RankResult)[]> {
    const checked = checkOptions("rank", options, rankChecks, rankRefusals);
    const checkedQuery = string(query, "rank: query");
    const texts = documentTexts(array(documents, "rank: documents"));
    this.#expectOneLabel("rank");
    const scores = await this.#score(() => queryJobs(checkedQuery, texts, documentLimits({}), this.#workers), texts.length, checked);
    const ranked = chooseResults(scoredDocuments({ scores }), { topN: checked.topK, minScore: checked.minScore });
    const text = (index: number) => (checked.returnDocuments === true ? { text: texts[index] as string } : {});
    return ranked.map(({ index, score }) => ({ corpus_id: index, score, ...text(index) }) as RankResultWithText);
  }

  /**
   * Explains the logit of a pair: what each of its words or sentences adds.
   * @throws RankletError `input`, `unsupported`, `aborted`, `disposed`, or an error of the engine
   */
  async explain(query: string, document: DocumentInput, options?: ExplainOptions): Promise<Explanation> {
    const { signal, onProgress, ...checked } = checkOptions("explain", options, explainChecks, explainRefusals);
    this.#expectOneLabel("explain");
    const [pair] = explainedPairs("explain", query, { document }, checked);
    return this.#run({ signal }, () => explain(this.#scorer, pair, signal, onProgress));
  }

  /**
   * Returns the number of pairs that `explain` would score with the same arguments.
   * @throws RankletError as `explain`
   */
  async explainCost(query: string, document: DocumentInput, options?: ExplainCostOptions): Promise<ExplainCost> {
    const { signal, ...checked } = checkOptions("explainCost", options, explainCostChecks, explainCostRefusals);
    this.#expectOneLabel("explainCost");
    const [pair] = explainedPairs("explainCost", query, { document }, checked);
    return this.#run({ signal }, () => explainCost(this.#scorer, pair, signal));
  }

  /**
   * Explains what puts document `a` above or below document `b`.
   * @throws RankletError as `explain`
   */
  async compare(query: string, a: DocumentInput, b: DocumentInput, options?: CompareOptions): Promise<Comparison> {
    const { signal, onProgress, ...checked } = checkOptions("compare", options, compareChecks, compareRefusals);
    this.#expectOneLabel("compare");
    const pairs = explainedPairs("compare", query, { a, b }, checked);
    return this.#run({ signal }, () => compare(this.#scorer, pairs, signal, onProgress));
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
    const limits = documentLimits(settings);
    let done = 0;
    try {
      await this.#scorer.prepare(id, { documents: [], limits });
      for (const window of windows(texts, ({ length }) => length, this.#workers)) {
        throwIfAborted(signal);
        await this.#scorer.prepare(id, { documents: window, limits });
        done += window.length;
        onProgress?.({ stage: "prepare", done, total: texts.length });
      }
      throwIfAborted(signal);
    } catch (error) {
      this.#scorer.release(id);
      throw error;
    }
    return new PreparedCollection(this, this.#scorer, { id, documents: copy, texts, limits });
  }

  /** Frees the model's memory. Running calls and later ones are rejected with `disposed`. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    stopWatching(this);
    const disposed = disposedError();
    for (const controller of this.#streams) abortWithError(controller, disposed);
    this.#scorer.dispose();
  }

  [dispose](): void {
    this.dispose();
  }

  [asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }

  /** Scores the pairs of a call that returns all scores. */
  async #score(jobs: () => Iterable<Job>, total: number, settings: ScoreSettings): Promise<Float32Array> {
    const { scores } = await this.#run(settings, (deadline) => scoreCall(this.#scorer, { jobs: jobs(), total }, settings, deadline));
    return scores;
  }

  /** Runs a call that returns one result; from its start, once, if the CPU takes over from a GPU. */
  async #run<T>({ signal, deadlineMs, started = 0 }: RunOptions, call: (deadline: Deadline) => Promise<T>): Promise<T> {
    const once = async (): Promise<T> => {
      if (this.#disposed) throw disposedError();
      const deadline = new Deadline(started, deadlineMs, signal);
      try {
        return await call(deadline);
      } finally {
        deadline.stop();
      }
    };
    try {
      return await withOneRestart(this.#scorer, once);
    } catch (error) {
      throw withItemInMessage(error);
    }
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
    if (this.#disposed) throw disposedError();
    const controller = new AbortController();
    const unlink = linkAbort(controller, settings.signal);
    this.#streams.add(controller);
    try {
      yield* this.#parts<D>({ ...settings, signal: controller.signal });
    } finally {
      this.#streams.delete(controller);
      unlink();
    }
  }

  async *#parts<D extends DocumentInput>(settings: StreamSettings): AsyncGenerator<StreamPart<D>, void> {
    let done = 0;
    const { device } = this.info.backend;
    const source = settings.documents as DocumentSource<D>;
    for await (const window of documentWindows(source, { ...settings, workers: this.#workers })) {
      const first = done;
      const documents = window.map(({ text }) => text);
      const job = { kind: "query", query: settings.query, documents, limits: settings.limits } as const;
      expectSameDevice(this.#scorer, device);
      for await (const partials of streamJob(this.#scorer, job, first, settings)) {
        const scored = partials.flatMap((partial) => scoredDocuments(partial, partial.indices));
        done += scored.length;
        const chosen = atLeast(scored, settings.minScore);
        expectSameDevice(this.#scorer, device);
        const highlighted = await this.#highlighted(chosen, settings, (index) => documents[index - first] as string);
        const results = highlighted.map((scored) => {
          const { document } = window[scored.index - first] as ReadDocument<D>;
          return settings.returnDocuments ? { ...scored, document } : scored;
        });
        if (scored.length > 0) yield { results, done, total: settings.total };
      }
    }
  }

  /** Adds highlights to results of a stream, if it has them. */
  async #highlighted(
    results: ScoredDocument[],
    { query, limits, scores, highlights: count, signal }: StreamSettings,
    textOf: (index: number) => string,
  ): Promise<ScoredDocument[]> {
    if (count === undefined || results.length === 0) return results;
    const deadline = new Deadline(0, undefined, signal);
    try {
      const settings = { query, textOf, limits, scores, count };
      return await withHighlights(this.#scorer, { results, totals: noTotals() }, settings, deadline);
    } finally {
      deadline.stop();
    }
  }

  /** The number of workers that score a window. */
  get #workers(): number {
    return this.info.backend.workers;
  }

  #expectOneLabel(call: string): void {
    const { numLabels } = this.info;
    if (numLabels !== 1) {
      throw new RankletError(
        "input",
        `${call} needs a model with one label, and this one has ${numLabels}; use score(), which returns every label`,
      );
    }
  }
}

/** Returns the limits on documents, with their defaults. */
function documentLimits({ maxTokensPerDocument, longDocuments = "truncate" }: Pick<DocumentOptions, keyof DocumentLimits>): DocumentLimits {
  return { maxTokensPerDocument, longDocuments };
}
