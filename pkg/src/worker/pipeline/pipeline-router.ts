import { messageOf, RankletError } from "../../errors.js";
import type { Reply } from "../protocol.js";
import type { WorkerConnection } from "../worker-connection.js";

/** Micro-batches that are sent to a worker before it has answered the first: it computes one while the next one waits for it. */
const maxSent = 2;

/** A micro-batch between two workers. */
interface Batch {
  readonly number: number;
  readonly offsets: Uint32Array;
  hiddenStates: Float32Array;
  /** Time in the engines so far. */
  ms: number;
  isDropped: boolean;
}

/** A worker, and the micro-batches that wait for it. */
interface Stage {
  readonly connection: WorkerConnection;
  readonly waiting: Batch[];
  sent: number;
}

/**
 * Passes the micro-batches of the first worker from one worker to the next, and their logits back to it. Buffers are
 * transferred, and each worker has at most two micro-batches. If a worker is lost, the first one is ended.
 */
export class PipelineRouter {
  readonly #first: WorkerConnection;
  readonly #stages: readonly Stage[];
  /** The micro-batches whose logits are needed. */
  readonly #batches = new Map<number, Batch>();

  /** @param others the workers with the later stages, in order */
  constructor(first: WorkerConnection, others: readonly WorkerConnection[]) {
    this.#first = first;
    this.#stages = others.map((connection) => ({ connection, waiting: [], sent: 0 }));
    void first.ended.then(() => [...this.#batches.keys()].forEach((number) => this.drop(number)));
    for (const connection of others) void connection.ended.then(() => this.#first.close("a worker with a later stage of the model ended"));
  }

  /** Begins to route a micro-batch. */
  route({ batch: number, hiddenStates, offsets }: Extract<Reply, { type: "batch" }>): void {
    const batch = { number, hiddenStates, offsets, ms: 0, isDropped: false };
    this.#batches.set(number, batch);
    this.#enter(0, batch);
  }

  /** Forgets a micro-batch whose logits are not needed any more. */
  drop(number: number): void {
    const batch = this.#batches.get(number);
    if (batch !== undefined) batch.isDropped = true;
    this.#batches.delete(number);
  }

  #enter(at: number, batch: Batch): void {
    const stage = this.#stages[at];
    if (batch.isDropped) return;
    if (stage === undefined || batch.hiddenStates.length === 0) {
      this.#batches.delete(batch.number);
      this.#first.post({ type: "logits", batch: batch.number, values: batch.hiddenStates, ms: batch.ms }, [
        batch.hiddenStates.buffer as ArrayBuffer,
      ]);
      return;
    }
    stage.waiting.push(batch);
    this.#send(at, stage);
  }

  #send(at: number, stage: Stage): void {
    while (stage.sent < maxSent) {
      const batch = stage.waiting.shift();
      if (batch === undefined) return;
      if (!batch.isDropped) void this.#run(at, stage, batch);
    }
  }

  async #run(at: number, stage: Stage, batch: Batch): Promise<void> {
    stage.sent++;
    const { hiddenStates, offsets } = batch;
    try {
      const answer = await stage.connection.call((call) => ({ type: "run", call, hiddenStates, offsets }), {
        transfer: [hiddenStates.buffer as ArrayBuffer],
      });
      if (answer.type !== "ran") throw new RankletError("internal", "the worker did not return the values of a micro-batch");
      batch.hiddenStates = answer.values;
      batch.ms += answer.ms;
    } catch (error) {
      this.#first.close(messageOf(error));
      return;
    } finally {
      stage.sent--;
    }
    this.#send(at, stage);
    this.#enter(at + 1, batch);
  }
}
