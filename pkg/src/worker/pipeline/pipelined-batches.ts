import type { BatchResult, LaterStages, PendingLogits, StageBatch } from "../../engine/pipeline/pipelined-scoring.js";
import type { Reply, Request } from "../protocol.js";

/** Sends the micro-batches of the first worker to the later stages, and receives their logits, in messages. */
export class PipelinedBatches {
  readonly #post: (reply: Reply, transfer: ArrayBuffer[]) => void;
  readonly #waiting = new Map<number, (result: BatchResult) => void>();
  #batches = 0;

  constructor(post: (reply: Reply, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /** Returns the later stages of a model that is split over `workers` workers. */
  of(workers: number): LaterStages {
    return { workers, run: (batch) => this.#run(batch) };
  }

  /** Receives the logits of a micro-batch. Those of a dropped one are ignored. */
  receive({ batch, values, ms }: Extract<Request, { type: "logits" }>): void {
    this.#waiting.get(batch)?.({ values, ms });
    this.#waiting.delete(batch);
  }

  #run({ hiddenStates, offsets }: StageBatch): PendingLogits {
    const batch = this.#batches++;
    const logits = new Promise<BatchResult>((resolve) => this.#waiting.set(batch, resolve));
    this.#post({ type: "batch", batch, hiddenStates, offsets }, [hiddenStates.buffer as ArrayBuffer, offsets.buffer as ArrayBuffer]);
    const drop = (): void => {
      if (this.#waiting.delete(batch)) this.#post({ type: "dropped", batch }, []);
    };
    return { logits, drop };
  }
}
