import { abortable } from "../../util/abort.js";
import type { WasmScoring } from "../../wasm/ranklet.js";
import { callEngine } from "../call-engine.js";
import type { StepBudget } from "../step-budget.js";

/** A micro-batch after some stages. */
export interface StageBatch {
  /** The hidden states, [tokens, hidden size]. */
  readonly hiddenStates: Float32Array;
  /** Index of the first token of each pair, followed by the number of tokens. */
  readonly offsets: Uint32Array;
}

/** The result of a micro-batch. */
export interface BatchResult {
  /** The hidden states, or the logits after the last stage; empty if an activation is not finite. */
  readonly values: Float32Array;
  /** Time in the engines that computed it, in milliseconds. */
  readonly ms: number;
}

/** A micro-batch that the later stages compute. */
export interface PendingLogits {
  readonly logits: Promise<BatchResult>;
  /** Ends the computation. Its result is not needed. */
  drop(): void;
}

/** The stages after the first, in other workers, as the first worker sees them. */
export interface LaterStages {
  /** Number of workers, this one included. */
  readonly workers: number;
  run(batch: StageBatch): PendingLogits;
}

/** Tokens of a micro-batch. Smaller ones than those of a single engine keep all workers busy in calls with few documents. */
const batchTokens = 256;

/** Micro-batches that the other workers have at a time: each computes one while another waits for it. */
const batchesPerWorker = 2;

/** A micro-batch that the later stages have. */
interface BatchInFlight {
  readonly call: PendingLogits;
  readonly startMs: number;
  hasLogits: boolean;
}

/** How to score a run in pipeline stages. */
interface PipelinedRun {
  /** Lets other tasks run. Rejects if the run has to end. */
  readonly turn: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
  readonly budget: StepBudget | undefined;
  /** Receives the scores of each micro-batch, and the time in all engines. */
  readonly onScores: (scores: Float32Array, ms: number) => void;
}

/** Scores a run whose later stages are in other workers, with several micro-batches in flight. Scores come in order. */
export async function scorePipelined(
  scoring: WasmScoring,
  laterStages: LaterStages,
  { turn, signal, budget, onScores }: PipelinedRun,
): Promise<void> {
  const maxInFlight = batchesPerWorker * (laterStages.workers - 1) + 1;
  const inFlight: BatchInFlight[] = [];
  let isComplete = false;
  try {
    for (;;) {
      await turn();
      const first = inFlight[0];
      if (first !== undefined && (first.hasLogits || isComplete || inFlight.length === maxInFlight)) {
        const { values, ms } = await abortable(first.call.logits, signal);
        inFlight.shift();
        const started = performance.now();
        const scores = callEngine(() => scoring.finish_batch(values)) as Float32Array;
        onScores(scores, first.startMs + ms + performance.now() - started);
      } else if (isComplete) {
        return;
      } else {
        const begun = beginBatch(scoring, laterStages, budget);
        isComplete = begun === undefined;
        if (begun !== undefined) inFlight.push(begun);
      }
    }
  } finally {
    for (const { call } of inFlight) call.drop();
  }
}

function beginBatch(scoring: WasmScoring, laterStages: LaterStages, budget: StepBudget | undefined): BatchInFlight | undefined {
  const started = performance.now();
  const arrays = callEngine(() => {
    scoring.set_max_batch_tokens(Math.min(batchTokens, budget?.tokens ?? batchTokens));
    return scoring.begin_batch();
  });
  if (arrays === undefined) return undefined;
  const call = laterStages.run(batchOf(arrays));
  const begun = { call, startMs: performance.now() - started, hasLogits: false };
  // The error is thrown where the logits are awaited.
  call.logits.then(
    () => (begun.hasLogits = true),
    () => {},
  );
  return begun;
}

/** Returns a micro-batch as the engine returns it. */
export function batchOf([hiddenStates, offsets]: unknown[]): StageBatch {
  return { hiddenStates: hiddenStates as Float32Array, offsets: offsets as Uint32Array };
}
