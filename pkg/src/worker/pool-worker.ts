import { RankletError, relocated } from "../errors.js";
import type { Batch, Call, Part } from "../scoring/scorer.js";
import type { WorkerScorer } from "./worker-scorer.js";
import { rest, type Share } from "./job-splitter.js";

/** How often a share is scored again elsewhere: one that costs two workers is what is wrong with them. */
const mostLosses = 2;

/** One worker of a pool, and its replacements. */
export class Member {
  readonly #scorer: WorkerScorer;
  #failed = false;
  #shares = 0;

  constructor(scorer: WorkerScorer) {
    this.#scorer = scorer;
  }

  /** Whether it can compute at once. */
  get running(): boolean {
    return this.#scorer.running;
  }

  /** Whether it does not run and was not to be started: not tried again, for what it lacks, such as memory, others need. */
  get failed(): boolean {
    return this.#failed && !this.running;
  }

  /** How many shares it is scoring. */
  get shares(): number {
    return this.#shares;
  }

  /**
   * Starts its worker.
   * @throws RankletError what the worker met
   */
  async start(): Promise<void> {
    this.#failed = false;
    try {
      await this.#scorer.start();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /**
   * Scores a share.
   * @returns what is left of it when the worker was lost, to be scored again
   * @throws RankletError as `Scorer.score`, with places in the whole work; the loss of a worker when it is not the first
   */
  async score(share: Share, call: Call): Promise<Share | undefined> {
    const { numLabels } = this.#scorer.info;
    let done = 0;
    const onPart = (part: Part): void => {
      const places = share.places.subarray(done, done + part.scores.length / numLabels);
      if (places.length * numLabels !== part.scores.length) throw miscounted(share);
      done += places.length;
      call.onPart(part, places);
    };
    this.#shares++;
    try {
      await this.#scorer.score(share.work, { ...call, onPart });
    } catch (error) {
      if (this.running || share.losses + 1 === mostLosses) throw relocated(error, (pair) => share.places[pair] ?? pair);
      return done === share.places.length ? undefined : rest(share, done);
    } finally {
      this.#shares--;
    }
    if (done !== share.places.length) throw miscounted(share);
    return undefined;
  }

  /** Scores a share that no other member can: when its worker is lost, on the one that takes its place. */
  async scoreItself(share: Share, call: Call): Promise<void> {
    for (let left: Share | undefined = share; left !== undefined; ) left = await this.score(left, call);
  }

  /** Tokenises documents; when its worker is lost, on the one that takes its place. */
  async prepare(collection: number, batch: Batch): Promise<void> {
    for (let losses = 1; ; losses++) {
      try {
        return await this.#scorer.prepare(collection, batch);
      } catch (error) {
        if (this.running || losses === mostLosses) throw error;
      }
    }
  }

  forget(collection: number): void {
    this.#scorer.forget(collection);
  }

  dispose(): void {
    this.#scorer.dispose();
  }
}

function miscounted({ places }: Share): RankletError {
  return new RankletError("internal", `the worker gave other than the scores of ${places.length} pairs`);
}
