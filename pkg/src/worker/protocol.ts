// The messages between a reranker and its worker. The two may come from different versions of the package, e.g. from a
// browser's cache, so each side validates every message it receives, with the functions in guards/.
import type { EngineSettings } from "../engine/engine.js";
import type { PipelinePlan, SplitPlan, SplitRequest, StageSettings } from "../engine/pipeline/split.js";
import type { FileData } from "../engine/weights-files.js";
import type { ErrorCode, ErrorItem } from "../errors.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, PartialScores } from "../scoring/scorer.js";
import type { ModelInfo, Scores } from "../types.js";

/** A message to the worker. `call` is the number by which the answer refers to it. */
export type Request =
  /** The first message. Sent once, with a module unless the worker got one when it was connected. */
  | {
      readonly type: "load";
      readonly call: number;
      readonly module: WebAssembly.Module | undefined;
      readonly files: ReadonlyMap<string, FileData>;
      readonly settings: EngineSettings;
      /** How to split the model, for the first of several workers. It answers with `split`, and later with `loaded`. */
      readonly split?: SplitRequest | PipelinePlan | undefined;
    }
  /** The first message to a worker with a later stage. Answered by `done`. */
  | {
      readonly type: "load-stage";
      readonly call: number;
      readonly module: WebAssembly.Module | undefined;
      readonly files: ReadonlyMap<string, FileData>;
      readonly settings: EngineSettings;
      readonly stage: StageSettings;
    }
  /** Sent to the first worker of a split model when the others are loaded. */
  | { readonly type: "verify"; readonly call: number }
  /** A micro-batch for the stage of a worker. Answered by `ran`. */
  | { readonly type: "run"; readonly call: number; readonly hiddenStates: Float32Array; readonly offsets: Uint32Array }
  /** The logits of a micro-batch of the first worker, and the time that the others computed. */
  | { readonly type: "logits"; readonly batch: number; readonly values: Float32Array; readonly ms: number }
  | { readonly type: "score"; readonly call: number; readonly job: Job; readonly scores: Scores; readonly maxStepMs?: number | undefined }
  | { readonly type: "prepare"; readonly call: number; readonly collection: number; readonly input: DocumentBatch }
  | { readonly type: "plan"; readonly call: number; readonly pair: ExplainedPair }
  | { readonly type: "sentences"; readonly call: number; readonly query: string; readonly input: DocumentBatch }
  | { readonly type: "release"; readonly collection: number }
  | { readonly type: "cancel"; readonly call: number };

/** A message from the worker. Each call is answered once: by `failed`, or by one of the others but `partial`. */
export type Reply =
  /** The worker holds the lock that shows that it runs. Other messages may come first. */
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly call: number; readonly info: ModelInfo }
  /** The model after a failed GPU has changed it during a call of another user. */
  | { readonly type: "changed"; readonly info: ModelInfo }
  | {
      readonly type: "partial";
      readonly call: number;
      readonly partial: PartialScores;
      /** The indices of the pairs in the job, if several workers score it. */
      readonly indices?: Uint32Array | undefined;
    }
  | { readonly type: "done"; readonly call: number }
  | { readonly type: "planned"; readonly call: number; readonly plan: ExplanationPlan }
  | { readonly type: "divided"; readonly call: number; readonly sentences: readonly Uint32Array[] }
  /** How the model is split, before its weights are read. */
  | { readonly type: "split"; readonly plan: SplitPlan }
  /** A micro-batch after the first stage, for the other workers. */
  | { readonly type: "batch"; readonly batch: number; readonly hiddenStates: Float32Array; readonly offsets: Uint32Array }
  /** The logits of a micro-batch are not needed any more. */
  | { readonly type: "dropped"; readonly batch: number }
  | { readonly type: "ran"; readonly call: number; readonly values: Float32Array; readonly ms: number }
  | {
      readonly type: "failed";
      /** `undefined` if the request was too malformed to have a number. */
      readonly call: number | undefined;
      readonly code: ErrorCode;
      readonly message: string;
      /** The documents or pairs of the job that the error is about, if they are known. */
      readonly item?: ErrorItem | undefined;
      /** Whether the worker can no longer be used. */
      readonly fatal: boolean;
      /** The model after a failed GPU has changed it. */
      readonly info?: ModelInfo | undefined;
    };
