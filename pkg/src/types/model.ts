/** The engine that computes the scores. It changes only if a GPU fails and the CPU takes over. */
export interface Backend {
  readonly device: "webgpu" | "cpu";
  /** `"webgpu"`, or the instruction set of the CPU's kernels. */
  readonly engine: string;
  /** The GPU's name, if the device is a GPU. */
  readonly adapter?: string;
  /** The kernels chosen for it. */
  readonly kernels?: string;
  readonly dtype: string;
  /** The reason for this device and dtype. */
  readonly reason: string;
  /** The comparison of a GPU with known scores when the model was loaded, whether the GPU is used or not. */
  readonly verification?: Verification;
  /**
   * Only for `Reranker.shared`: `"tabs"` if all tabs of this origin may share the engine, `"page"` if only rerankers on this
   * thread may.
   */
  readonly shared?: "tabs" | "page";
  /** Number of workers; with `workers: "auto"` the max number. 0 is the calling thread. */
  readonly workers: number;
  /** The share of each of several workers: a copy of the weights, or some layers of the model. */
  readonly split?: "copies" | "layers";
}

/** Logits of a GPU and the expected ones. */
export interface Verification {
  readonly adapter: string;
  /** The origin of the expected logits: `"the model file"` or `"the CPU engine"`. */
  readonly reference: string;
  /** Max relative difference of a logit from the expected one; the difference is absolute for magnitudes below 1. */
  readonly tolerance: number;
  readonly pairs: readonly {
    readonly query: string;
    readonly document: string;
    readonly expected: readonly number[];
    readonly logits: readonly number[];
  }[];
}

/** A loaded model. */
export interface ModelInfo {
  /** The checkpoint's `model_type`, such as `"bert"`. */
  readonly modelType: string;
  /** The class that transformers would load, such as `"BertForSequenceClassification"`. */
  readonly architecture: string;
  /** Number of scores per pair. `rerank`, `stream`, `rank` and `prepare` need exactly one. */
  readonly numLabels: number;
  /** The function that `scores: "model"` applies to logits. */
  readonly activation: string;
  /** Whether the model has probabilities, that is, `scores: "probability"`. */
  readonly calibrated: boolean;
  /** Only of a calibrated model: its probability is `sigmoid(scale * logit + offset)`. */
  readonly calibration?: { readonly scale: number; readonly offset: number };
  /** Max tokens of a pair. */
  readonly maxLength: number;
  /** Number of parameters. */
  readonly parameters: number;
  /** Width of the hidden states. */
  readonly hiddenSize: number;
  /** Number of layers. */
  readonly layers: number;
  /** The format of the checkpoint's weights (`"safetensors"`, `"pytorch"`, `"onnx"`, `"q8"` or `"q4"`), and their size in bytes. */
  readonly weights: { readonly format: string; readonly bytes: number };
  /**
   * The predicted peak memory of loading and scoring, in bytes per worker; if the layers are split over workers, of all
   * workers together. `maxMemoryBytes` limits it.
   */
  readonly memoryBytes: number;
  readonly backend: Backend;
  /** Oddities of the checkpoint, and problems with the cache, workers or permissions, that did not prevent loading. */
  readonly warnings: readonly string[];
}
