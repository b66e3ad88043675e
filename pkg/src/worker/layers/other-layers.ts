import type { BatchResult, PartialBatch, Rest, RestCall } from "../../engine/parts/rest.js";
import type { Reply, Request } from "../protocol.js";

/** The other layers of a model in messages: sends micro-batches of the first worker, and receives their logits. */
export class OtherLayers {
  readonly #post: (reply: Reply, transfer: ArrayBuffer[]) => void;
  readonly #waiting = new Map<number, (result: BatchResult) => void>();
  #batches = 0;

  constructor(post: (reply: Reply, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /** Returns the layers of a model that is split over `workers` workers. */
  of(workers: number): Rest {
    return { workers, run: (batch) => this.#run(batch) };
  }

  /** Receives the logits of a micro-batch. Those of a dropped one are ignored. */
  receive({ batch, values, ms }: Extract<Request, { type: "logits" }>): void {
    this.#waiting.get(batch)?.({ values, ms });
    this.#waiting.delete(batch);
  }

  #run({ stream, offsets }: PartialBatch): RestCall {
    const batch = this.#batches++;
    const logits = new Promise<BatchResult>((resolve) => this.#waiting.set(batch, resolve));
    this.#post({ type: "batch", batch, stream, offsets }, [stream.buffer as ArrayBuffer, offsets.buffer as ArrayBuffer]);
    const drop = (): void => {
      if (this.#waiting.delete(batch)) this.#post({ type: "dropped", batch }, []);
    };
    return { logits, drop };
  }
}
