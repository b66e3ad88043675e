import { RankletError } from "../../pkg/dist/index.js";
import type { DevicePanel } from "../panels/device-panel.js";
import type { NetworkPanel } from "../panels/network-panel.js";
import type { Ranker } from "../search/ranker.js";
import { element, setText } from "../ui/dom.js";
import { bytes, messageOf } from "../ui/format.js";
import { announce } from "../ui/status-line.js";
import type { LoadCard } from "./load-card.js";
import { adviceFor } from "./model-advice.js";
import { downloadSize, loadModel, modelName, type DeviceChoice, type ModelChoice } from "./model-choice.js";

export interface ModelControllerDependencies {
  readonly ranker: Ranker;
  readonly card: LoadCard;
  readonly network: NetworkPanel;
  readonly devices: DevicePanel;
  /** Called when a model is loaded: documents must be prepared for it. */
  readonly onLoaded: () => void;
  /** Called when the user wants to choose another model. */
  readonly onChoose: () => void;
}

/** Loads models, one at a time; the current one stays in use until the next one is loaded. */
export class ModelController {
  readonly #deps: ModelControllerDependencies;
  #current: ModelChoice = { kind: "embedded" };
  #device: DeviceChoice = { device: "auto", dtype: "auto" };
  #loading: AbortController | undefined;

  constructor(dependencies: ModelControllerDependencies) {
    this.#deps = dependencies;
  }

  /** The model in use, or the first one to load. */
  get current(): ModelChoice {
    return this.#current;
  }

  /** The device that the user chose. */
  get device(): DeviceChoice {
    return this.#device;
  }

  async load(choice: ModelChoice, device = this.#device): Promise<void> {
    const { card, network, ranker } = this.#deps;
    this.#loading?.abort();
    const controller = (this.#loading = new AbortController());
    const { signal } = controller;
    const endLoad = network.beginLoad();
    card.begin(modelName(choice), () => this.cancel());
    try {
      const reranker = await loadModel(choice, { ...device, signal, onProgress: (progress) => card.progress(progress) });
      if (signal.aborted) return reranker.dispose();
      ranker.setReranker(reranker);
      [this.#current, this.#device] = [choice, device];
      card.hide();
      this.#showModel();
      this.#deps.onLoaded();
    } catch (error) {
      if (!signal.aborted) await this.showFailure(error, choice, device);
    } finally {
      // After a failure, this resets the fields to the choice in use.
      this.#deps.devices.show(ranker.reranker?.info.backend, this.#device);
      endLoad();
      if (this.#loading === controller) this.#loading = undefined;
    }
  }

  /** Returns the number of bytes that loading a model would download. The requests count as those of loading. */
  async downloadSize(choice: ModelChoice, signal: AbortSignal): Promise<number> {
    const endLoad = this.#deps.network.beginLoad();
    try {
      return await downloadSize(choice, signal);
    } finally {
      endLoad();
    }
  }

  /** Cancels loading. Returns whether a model was loading. */
  cancel(): boolean {
    if (this.#loading === undefined) return false;
    this.#loading.abort();
    this.#loading = undefined;
    const { card, ranker } = this.#deps;
    if (ranker.reranker === undefined) card.canceled(() => void this.load(this.#current));
    else card.hide();
    announce("Loading was canceled.");
    return true;
  }

  /** Shows why a model cannot be used and what the user can do. */
  async showFailure(error: unknown, choice = this.#current, device = this.#device): Promise<void> {
    const { card, ranker, onChoose } = this.#deps;
    const code = error instanceof RankletError ? ` (${error.code})` : "";
    const keepAction = ranker.ready ? [{ label: `Keep ${modelName(this.#current)}`, run: () => card.hide() }] : [];
    const [reason, advice] = [`${messageOf(error)}${code}.`, await adviceFor(choice, error)];
    announce(`The model could not be loaded. ${reason} ${advice}`);
    card.failed(reason, advice, [
      { label: "Try again", run: () => void this.load(choice, device) },
      { label: "Choose another model", run: onChoose },
      ...keepAction,
    ]);
  }

  #showModel(): void {
    const info = this.#deps.ranker.reranker?.info;
    if (info === undefined) return;
    setText(element("model-name", HTMLElement), modelName(this.#current));
    setText(element("model-size", HTMLElement), `${bytes(info.weights.bytes)}, ${info.backend.dtype}`);
    setText(element("ranklet-about", HTMLElement), `Cross-encoder (${info.modelType}), ${(info.parameters / 1e6).toFixed(1)} million parameters`);
  }
}
