import { abortable } from "../../util/abort.js";
import type { WasmScoring } from "../../wasm/ranklet.js";
import { callEngine } from "../call-engine.js";
import type { StepBudget } from "../step-budget.js";

/** A micro-batch after some layers. */
export interface PartialBatch {
  /** The residual stream, [tokens, hidden size]. */
  readonly stream: Float32Array;
  /** Index of the first token of each pair, followed by the number of tokens. */
  readonly offsets: Uint32Array;
}

/** The result of a micro-batch. */
export interface BatchResult {
  /** The residual stream, or the logits after the last layers; empty if an activation is not finite. */
  readonly values: Float32Array;
  /** Time in the engines that computed it, in milliseconds. */
  readonly ms: number;
}

/** A micro-batch that the other workers compute. */
export interface RestCall {
  readonly logits: Promise<BatchResult>;
  /** Ends the computation. Its result is not needed. */
  drop(): void;
}

/** The layers that other workers compute, as the first worker sees them. */
export interface Rest {
  /** Number of workers, this one included. */
  readonly workers: number;
  run(batch: PartialBatch): RestCall;
}

/** Tokens of a micro-batch. Smaller ones than those of a single engine keep all workers busy in calls with few documents. */
const batchTokens = 256;

/** Micro-batches that the other workers have at a time: each computes one while another waits for it. */
const batchesPerWorker = 2;

/** A micro-batch that was begun. */
interface BatchUnderWay {
  readonly call: RestCall;
  readonly startMs: number;
  hasLogits: boolean;
}

/** How to score a run in parts. */
interface RunInParts {
  /** Lets other tasks run. Rejects if the run has to end. */
  readonly turn: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
  readonly budget: StepBudget | undefined;
  /** Receives the scores of each micro-batch, and the time in all engines. */
  readonly onScores: (scores: Float32Array, ms: number) => void;
}

/** Scores a run whose later layers other workers compute, with several micro-batches under way. Scores come in order. */
export async function scoreInParts(scoring: WasmScoring, rest: Rest, { turn, signal, budget, onScores }: RunInParts): Promise<void> {
  const maxUnderWay = batchesPerWorker * (rest.workers - 1) + 1;
  const underWay: BatchUnderWay[] = [];
  let isComplete = false;
  try {
    for (;;) {
      await turn();
      const first = underWay[0];
      if (first !== undefined && (first.hasLogits || isComplete || underWay.length === maxUnderWay)) {
        const { values, ms } = await abortable(first.call.logits, signal);
        underWay.shift();
        const started = performance.now();
        const scores = callEngine(() => scoring.finish_batch(values)) as Float32Array;
        onScores(scores, first.startMs + ms + performance.now() - started);
      } else if (isComplete) {
        return;
      } else {
        const begun = beginBatch(scoring, rest, budget);
        isComplete = begun === undefined;
        if (begun !== undefined) underWay.push(begun);
      }
    }
  } finally {
    for (const { call } of underWay) call.drop();
  }
}

function beginBatch(scoring: WasmScoring, rest: Rest, budget: StepBudget | undefined): BatchUnderWay | undefined {
  const started = performance.now();
  const arrays = callEngine(() => {
    scoring.set_max_batch_tokens(Math.min(batchTokens, budget?.tokens ?? batchTokens));
    return scoring.begin_batch();
  });
  if (arrays === undefined) return undefined;
  const call = rest.run(batchOf(arrays));
  const begun = { call, startMs: performance.now() - started, hasLogits: false };
  // The error is thrown where the logits are awaited.
  call.logits.then(
    () => (begun.hasLogits = true),
    () => {},
  );
  return begun;
}

/** Returns a micro-batch as the engine returns it. */
export function batchOf([stream, offsets]: unknown[]): PartialBatch {
  return { stream: stream as Float32Array, offsets: offsets as Uint32Array };
}
