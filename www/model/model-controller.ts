import type { Reranker } from "../../pkg/dist/index.js";
import type { DevicePanel } from "../panels/device-panel.js";
import type { NetworkPanel } from "../panels/network-panel.js";
import type { Ranker } from "../search/ranker.js";
import { element, setHidden, setText } from "../ui/dom.js";
import { reasonOf } from "../ui/errors.js";
import { bytes } from "../ui/format.js";
import { announce } from "../ui/status-line.js";
import type { LoadCard } from "./load-card.js";
import { adviceFor } from "./model-advice.js";
import { type DeviceChoice, downloadSize, loadModel, type ModelChoice, modelName } from "./model-choice.js";

export interface ModelControllerDependencies {
  readonly ranker: Ranker;
  readonly card: LoadCard;
  readonly network: NetworkPanel;
  readonly devices: DevicePanel;
  /** Called when a model is in use: documents must be prepared for it. */
  readonly onLoaded: () => void;
  /** Called when the small model stays in use, because the larger one could not be loaded. */
  readonly onLargerFailed: () => void;
  /** Whether the page shows results. A model that is loaded in the background then waits for `useWaiting`. */
  readonly hasResults: () => boolean;
  /** Called when the user wants to choose another model. */
  readonly onChoose: () => void;
}

/**
 * Loads models, one at a time; the current one stays in use until the next one is loaded. After the small model that is
 * temporary, the embedded one is loaded in the background.
 */
export class ModelController {
  readonly #deps: ModelControllerDependencies;
  #current: ModelChoice = { kind: "embedded" };
  #device: DeviceChoice = { device: "auto", dtype: "auto" };
  #loading: AbortController | undefined;
  #hasBegun = false;
  /** Aborts loading in the background. */
  #background: AbortController | undefined;
  /** A model that was loaded in the background. */
  #waiting: Reranker | undefined;
  /** Offers to rank again with the model that waits. It lies over the page, so that nothing moves. */
  readonly #offer = element("larger-model", HTMLElement);

  constructor(dependencies: ModelControllerDependencies) {
    this.#deps = dependencies;
    element("use-larger-model", HTMLButtonElement).addEventListener("click", () => this.useWaiting());
  }

  /** The model in use, or the first one to load. */
  get current(): ModelChoice {
    return this.#current;
  }

  /** The device that the user chose. */
  get device(): DeviceChoice {
    return this.#device;
  }

  /** Whether a model has begun to load. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  async load(choice: ModelChoice, device = this.#device): Promise<void> {
    const { card, network, ranker } = this.#deps;
    this.#hasBegun = true;
    this.#loading?.abort();
    // It would share the network with this model. If this one does not arrive, it is loaded again.
    this.#background?.abort();
    if (ranker.reranker === undefined) [this.#current, this.#device] = [choice, device];
    const controller = (this.#loading = new AbortController());
    const { signal } = controller;
    const endLoad = network.beginLoad();
    card.begin(modelName(choice), () => this.cancel());
    try {
      const reranker = await loadModel(choice, { ...device, signal, onProgress: (progress) => card.progress(progress) });
      if (signal.aborted) return reranker.dispose();
      this.#takeWaiting()?.dispose();
      card.hide();
      this.#use(reranker, choice, device);
      this.#endLoading();
    } catch (error) {
      if (signal.aborted) return;
      const advice = await adviceFor(choice, error);
      if (signal.aborted) return;
      this.#showFailure("The model could not be loaded", `${reasonOf(error)} ${advice}`, choice, device);
      this.#endLoading();
    } finally {
      endLoad();
    }
  }

  /** Must be called when a model has arrived, or not: then the larger model, if the small one stands in for it, is loaded again. */
  #endLoading(): void {
    this.#loading = undefined;
    this.#showDevice();
    const isTemporary = this.#current.kind === "small" && this.#current.isTemporary;
    if (isTemporary && this.#deps.ranker.reranker !== undefined && this.#waiting === undefined) void this.#loadInBackground(this.#device);
  }

  /** Shows the device in use; while a model loads, the fields keep what the user chose for it. */
  #showDevice(): void {
    if (this.#loading === undefined) this.#deps.devices.show(this.#deps.ranker.reranker?.info.backend, this.#device);
  }

  /** Puts the model that was loaded in the background in use, if there is one. */
  useWaiting(): void {
    const reranker = this.#takeWaiting();
    if (reranker === undefined) return;
    this.#use(reranker, { kind: "embedded" }, this.#device);
    this.#showDevice();
  }

  /** Loads the embedded model while the small one is in use. */
  async #loadInBackground(device: DeviceChoice): Promise<void> {
    const embedded: ModelChoice = { kind: "embedded" };
    const { signal } = (this.#background = new AbortController());
    const endLoad = this.#deps.network.beginLoad();
    try {
      const reranker = await loadModel(embedded, { ...device, signal, onProgress: () => {} });
      if (signal.aborted) return reranker.dispose();
      this.#waiting = reranker;
      // The card, if it is shown, names the model in use.
      if (!this.#deps.hasResults() && this.#deps.card.isHidden) return this.useWaiting();
      setHidden(this.#offer, false);
      announce("The larger model is loaded.");
    } catch (error) {
      if (signal.aborted) return;
      const advice = await adviceFor(embedded, error);
      if (signal.aborted) return;
      this.#current = { kind: "small", isTemporary: false };
      this.#showFailure("The larger model could not be loaded", `${reasonOf(error)} ${advice}`, embedded, device);
      this.#deps.onLargerFailed();
    } finally {
      endLoad();
    }
  }

  #takeWaiting(): Reranker | undefined {
    const reranker = this.#waiting;
    this.#waiting = undefined;
    setHidden(this.#offer, true);
    return reranker;
  }

  #use(reranker: Reranker, choice: ModelChoice, device: DeviceChoice): void {
    this.#deps.ranker.setReranker(reranker);
    [this.#current, this.#device] = [choice, device];
    this.#showModel();
    this.#deps.onLoaded();
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
    const { card, ranker } = this.#deps;
    if (ranker.reranker === undefined) card.canceled(() => void this.load(this.#current));
    else card.hide();
    this.#endLoading();
    announce("Loading was canceled.");
    return true;
  }

  /** Shows why a model could not be loaded and what the user can do. */
  #showFailure(title: string, detail: string, choice: ModelChoice, device: DeviceChoice): void {
    const { card, ranker, onChoose } = this.#deps;
    // The model in use may not have prepared the documents yet.
    const keepAction = ranker.reranker !== undefined ? [{ label: `Keep ${modelName(this.#current)}`, run: () => card.hide() }] : [];
    announce(`${title}. ${detail}`);
    card.failed(title, detail, [
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
    const { kind } = this.#current;
    const name = kind === "embedded" || kind === "small" ? modelName(this.#current) : "Cross-encoder";
    setText(element("ranklet-about", HTMLElement), `${name} (${info.modelType}), ${(info.parameters / 1e6).toFixed(1)} million parameters`);
  }
}
