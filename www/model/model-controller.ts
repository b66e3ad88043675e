import { RankletError, type Reranker } from "../../pkg/dist/index.js";
import type { DevicePanel } from "../panels/device-panel.js";
import type { NetworkPanel } from "../panels/network-panel.js";
import type { Ranker } from "../search/ranker.js";
import { element, setText } from "../ui/dom.js";
import { messageOf } from "../ui/errors.js";
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

  async load(choice: ModelChoice, device = this.#device): Promise<void> {
    const { card, network, ranker } = this.#deps;
    this.#loading?.abort();
    this.#background?.abort();
    this.#takeWaiting()?.dispose();
    if (ranker.reranker === undefined) this.#current = choice;
    const controller = (this.#loading = new AbortController());
    const { signal } = controller;
    const endLoad = network.beginLoad();
    card.begin(modelName(choice), () => this.cancel());
    try {
      const reranker = await loadModel(choice, { ...device, signal, onProgress: (progress) => card.progress(progress) });
      if (signal.aborted) return reranker.dispose();
      card.hide();
      this.#use(reranker, choice, device);
      if (choice.kind === "small" && choice.isTemporary) void this.#loadInBackground(device);
    } catch (error) {
      if (!signal.aborted) await this.showFailure(error, choice, device);
    } finally {
      // After a failure, this resets the fields to the choice in use.
      this.#deps.devices.show(ranker.reranker?.info.backend, this.#device);
      endLoad();
      if (this.#loading === controller) this.#loading = undefined;
    }
  }

  /** Puts the model that was loaded in the background in use, if there is one. */
  useWaiting(): void {
    const reranker = this.#takeWaiting();
    if (reranker === undefined) return;
    this.#use(reranker, { kind: "embedded" }, this.#device);
    this.#deps.devices.show(reranker.info.backend, this.#device);
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
      if (!this.#deps.hasResults()) return this.useWaiting();
      this.#offer.hidden = false;
      announce("The larger model is loaded.");
    } catch (error) {
      if (signal.aborted) return;
      this.#current = { kind: "small", isTemporary: false };
      await this.showFailure(error, embedded, device);
    } finally {
      endLoad();
    }
  }

  #takeWaiting(): Reranker | undefined {
    const reranker = this.#waiting;
    this.#waiting = undefined;
    this.#offer.hidden = true;
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
    const { kind } = this.#current;
    const name = kind === "embedded" || kind === "small" ? modelName(this.#current) : "Cross-encoder";
    setText(element("ranklet-about", HTMLElement), `${name} (${info.modelType}), ${(info.parameters / 1e6).toFixed(1)} million parameters`);
  }
}
