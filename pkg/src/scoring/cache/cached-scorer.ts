import { disposedError, renumbered } from "../../errors.js";
import type { ModelInfo, Scores } from "../../types.js";
import { abortable, throwIfAborted, withAbortController } from "../../util/abort.js";
import { AsyncQueue } from "../../util/async-queue.js";
import type { Sha256 } from "../../util/sha256.js";
import { expectSameDevice } from "../fallback.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, PartialScores, Scorer } from "../scorer.js";
import { scoreFunction } from "./activation.js";
import { PairKeys } from "./pair-keys.js";
import { PendingScores } from "./pending-scores.js";
import { type CachedScores, ScoreCache } from "./score-cache.js";

type CachedJob = Exclude<Job, { kind: "variants" }>;

/** A job whose pairs have keys. */
interface KeyedJob {
  readonly job: CachedJob;
  readonly keys: readonly string[];
  /** The scores that the engine gives and the cache keeps: logits, unless only the engine can turn them into scores. */
  readonly kept: Scores;
  readonly toScore: (kept: number) => number;
}

/** Scores of a pair of a job that another call, or an earlier pair, was scoring. */
interface Arrival {
  readonly position: number;
  /** `undefined` if that call was aborted or failed. */
  readonly scores: CachedScores | undefined;
}

/**
 * A scorer that remembers scores. A pair whose score is known, or that a running call is scoring, is not scored again. If that
 * call is aborted, the calls that wait for the pair score it.
 */
export class CachedScorer implements Scorer {
  readonly #engine: Scorer;
  readonly #cache: ScoreCache;
  readonly #keys: PairKeys;
  readonly #pending = new PendingScores();
  #disposed = false;

  /** @param newHash begins a hash */
  constructor(engine: Scorer, maxBytes: number, newHash: () => Sha256) {
    this.#engine = engine;
    this.#cache = new ScoreCache(maxBytes);
    this.#keys = new PairKeys(newHash);
  }

  get info(): ModelInfo {
    return this.#engine.info;
  }

  async score(job: Job, options: JobOptions): Promise<void> {
    if (job.kind === "variants") return this.#engine.score(job, options);
    const { device, dtype } = this.info.backend;
    const toScore = scoreFunction(options.scores, this.info);
    const kept = toScore === undefined ? options.scores : "raw";
    const keyed: KeyedJob = { job, keys: this.#keys.of(job, `${device} ${dtype} ${kept}`), kept, toScore: toScore ?? ((score) => score) };
    if (keyed.keys.length === 0) return this.#engine.score(job, options);
    await withAbortController(options.signal, async (controller) => {
      for (let open = Array.from(keyed.keys.keys()); open.length > 0; ) {
        if (this.#disposed) throw disposedError();
        throwIfAborted(controller.signal);
        expectSameDevice(this, device);
        open = await this.#scoreOpen(keyed, open, { ...options, signal: controller.signal });
      }
    });
  }

  plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    return this.#engine.plan(pair);
  }

  sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]> {
    return this.#engine.sentences(query, input);
  }

  async prepare(collection: number, input: DocumentBatch): Promise<void> {
    await this.#engine.prepare(collection, input);
    this.#keys.add(collection, input.documents, input.limits);
  }

  release(collection: number): void {
    this.#keys.remove(collection);
    this.#engine.release(collection);
  }

  dispose(): void {
    this.#disposed = true;
    this.#cache.clear();
    this.#engine.dispose();
  }

  /** Scores the pairs at positions in a job. Returns the positions that were left to this job by calls that ended early. */
  async #scoreOpen(keyed: KeyedJob, open: readonly number[], options: JobOptions): Promise<number[]> {
    const known: Arrival[] = [];
    const own: number[] = [];
    const arrivals = new AsyncQueue<Arrival>();
    let awaited = 0;
    for (const position of open) {
      const key = keyed.keys[position] as string;
      const scores = this.#cache.get(key);
      if (scores !== undefined) {
        known.push({ position, scores });
      } else if (this.#pending.has(key)) {
        awaited++;
        this.#pending.listen(key, (arrived) => arrivals.push({ position, scores: arrived }));
      } else {
        own.push(position);
        this.#pending.begin(key);
      }
    }
    const scoring = this.#scoreOwn(keyed, own, options);
    const [abandoned] = await Promise.all([
      abortable(this.#receive(keyed, arrivals, awaited, options), options.signal),
      scoring,
      this.#deliver(keyed, known, options),
    ]);
    return abandoned;
  }

  /** Scores pairs that no other call is scoring, and passes their scores on to the calls that wait for them. */
  async #scoreOwn(keyed: KeyedJob, own: readonly number[], options: JobOptions): Promise<void> {
    if (own.length === 0) return;
    const { numLabels } = this.info;
    const job = own.length === keyed.keys.length ? keyed.job : pick(keyed.job, own);
    const unfinished = new Set(own.map((position) => keyed.keys[position] as string));
    let done = 0;
    const onPartial = (partial: PartialScores, indices?: Uint32Array): void => {
      const count = indices?.length ?? partial.scores.length / numLabels;
      const positions = Uint32Array.from({ length: count }, (_, at) => own[indices?.[at] ?? done + at] as number);
      done += count;
      positions.forEach((position, at) => {
        const scores = [
          ...partial.scores.subarray(at * numLabels, (at + 1) * numLabels),
          ...(partial.spans?.subarray(2 * at, 2 * at + 2) ?? []),
        ];
        const key = keyed.keys[position] as string;
        unfinished.delete(key);
        this.#cache.set(key, scores);
        this.#pending.settle(key, scores);
      });
      options.onPartial({ ...partial, scores: partial.scores.map(keyed.toScore) }, positions);
    };
    try {
      await this.#engine.score(job, { ...options, scores: keyed.kept, onPartial });
    } catch (error) {
      throw renumbered(error, (index) => own[index] ?? index);
    } finally {
      for (const key of unfinished) this.#pending.settle(key, undefined);
    }
  }

  /** Receives the scores of pairs that other calls score. Returns the positions of those that they did not score. */
  async #receive(keyed: KeyedJob, arrivals: AsyncQueue<Arrival>, awaited: number, options: JobOptions): Promise<number[]> {
    const abandoned: number[] = [];
    let received = 0;
    if (awaited === 0) return abandoned;
    for await (const ready of arrivals) {
      if (options.signal?.aborted === true) break;
      abandoned.push(...ready.filter(({ scores }) => scores === undefined).map(({ position }) => position));
      await this.#deliver(keyed, ready, options);
      received += ready.length;
      if (received === awaited) break;
    }
    return abandoned.sort((a, b) => a - b);
  }

  /** Passes known scores to the caller. */
  async #deliver(keyed: KeyedJob, arrivals: readonly Arrival[], { onPartial }: JobOptions): Promise<void> {
    const found = arrivals.flatMap(({ position, scores }) => (scores === undefined ? [] : [{ position, scores }]));
    if (found.length === 0) return;
    const { numLabels } = this.info;
    const spans = found.flatMap(({ scores }) => scores.slice(numLabels));
    onPartial(
      {
        scores: Float32Array.from(found.flatMap(({ scores }) => scores.slice(0, numLabels).map(keyed.toScore))),
        ...(spans.length === 0 ? {} : { spans: Uint32Array.from(spans) }),
        tokens: 0,
        engineMs: 0,
        cacheHits: found.length,
      },
      Uint32Array.from(found, ({ position }) => position),
    );
  }
}

/** Returns the job of some of the pairs of a job. */
function pick(job: CachedJob, positions: readonly number[]): CachedJob {
  const chosen = (texts: readonly string[]): string[] => positions.map((position) => texts[position] as string);
  switch (job.kind) {
    case "query":
      return { ...job, documents: chosen(job.documents) };
    case "pairs":
      return { ...job, queries: chosen(job.queries), documents: chosen(job.documents) };
    case "prepared":
      return { ...job, candidates: Uint32Array.from(positions, (position) => job.candidates?.[position] ?? position) };
  }
}
