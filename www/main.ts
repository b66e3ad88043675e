// Creates the parts of the page and connects them to each other and to the input elements.
import { DocumentController } from "./documents/document-controller.js";
import { DocumentsDialog } from "./documents/documents-dialog.js";
import { onFileDropped } from "./documents/drag-and-drop.js";
import { CompareDialog } from "./explain/compare-dialog.js";
import { Explanations } from "./explain/explanations.js";
import { LoadCard } from "./model/load-card.js";
import { firstModel } from "./model/model-choice.js";
import { ModelController } from "./model/model-controller.js";
import { ModelDialog } from "./model/model-dialog.js";
import { whenOfflineReady } from "./offline/register.js";
import { CodeSample } from "./panels/code-sample.js";
import { DevicePanel } from "./panels/device-panel.js";
import { LatencyChart } from "./panels/latency-chart.js";
import { NetworkPanel } from "./panels/network-panel.js";
import { Comparison } from "./search/comparison.js";
import { Examples } from "./search/examples.js";
import { Ranker } from "./search/ranker.js";
import { Search } from "./search/search.js";
import { element } from "./ui/dom.js";
import { listenForShortcuts } from "./ui/shortcuts.js";
import { StatusLine } from "./ui/status-line.js";

const query = element("query", HTMLInputElement);
const ranker = new Ranker();
const modelDialog = new ModelDialog(
  (choice) => void modelController.load(choice),
  (choice, signal) => modelController.downloadSize(choice, signal),
);
const devices = new DevicePanel((choice) => void modelController.load(modelController.current, choice));
const modelController = new ModelController({
  ranker,
  card: new LoadCard(),
  network: new NetworkPanel(),
  devices,
  onLoaded: () => {
    search.modelChanged();
    void documentController.prepare();
  },
  onLargerFailed: () => search.showIdle(),
  hasResults: () => search.hasQuery,
  onChoose: () => modelDialog.open(),
});
const comparison = new Comparison();
const code = new CodeSample();
const search = new Search({
  ranker,
  status: new StatusLine(),
  comparison,
  explanations: new Explanations({ ranker, list: comparison.rankletList, dialog: new CompareDialog(), code, onFailure: sentencesFailed }),
  chart: new LatencyChart(),
  code,
  model: () => modelController.current,
  useWaitingModel: () => modelController.useWaiting(),
  device: () => modelController.device,
  devices,
});
const documentController = new DocumentController({ ranker, search, examples: new Examples(searchFor) });
const documentsDialog = new DocumentsDialog((documents) => documentController.use(documents));

query.addEventListener("input", () => search.setQuery(query.value));
element("search", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
element("choose-model", HTMLButtonElement).addEventListener("click", () => modelDialog.open());
element("choose-documents", HTMLButtonElement).addEventListener("click", () => documentsDialog.open());
onFileDropped((file) => void documentsDialog.read(file));
listenForShortcuts({ search: () => query.focus(), escape: cancelOrClear });
element("bundled-documents", HTMLButtonElement).addEventListener("click", () => void documentController.useBundled());
// The user may have typed before this program ran.
search.setQuery(query.value);
void documentController.useBundled();
void loadFirstModel();

/** Loads the first model when the page can cache it, unless the user has chosen one meanwhile. */
async function loadFirstModel(): Promise<void> {
  await whenOfflineReady();
  const choice = await firstModel();
  if (!modelController.hasBegun) await modelController.load(choice);
}

function sentencesFailed(error: unknown): void {
  search.showFailure("The best sentences could not be marked", error);
}

function searchFor(text: string): void {
  query.value = text;
  search.setQuery(text);
  query.focus();
}

function cancelOrClear(): void {
  if (search.cancel() || modelController.cancel()) return;
  searchFor("");
}
