// Puts the page together: the parts, what they tell each other, and what people can do with them.
import { CodeSample } from "./panels/code-sample.js";
import { Comparison } from "./search/comparison.js";
import { DocumentsDialog } from "./documents/documents-dialog.js";
import { bundledDocuments, type DocumentSet } from "./documents/document-set.js";
import { DevicePanel } from "./panels/device-panel.js";
import { element } from "./ui/dom.js";
import { onFileDropped } from "./documents/drag-and-drop.js";
import { Examples } from "./search/examples.js";
import { LatencyChart } from "./panels/latency-chart.js";
import { LoadCard } from "./model/load-card.js";
import { ModelDialog } from "./model/model-dialog.js";
import { Models } from "./model/models.js";
import { offlineReady } from "./offline/register.js";
import { Ranker } from "./search/ranker.js";
import { Search } from "./search/search.js";
import { listenForShortcuts } from "./ui/shortcuts.js";
import { Shelf } from "./documents/document-controller.js";
import { StatusLine } from "./ui/status-line.js";
import { Traffic } from "./panels/network-panel.js";

const query = element("query", HTMLInputElement);
const ranker = new Ranker();
const modelDialog = new ModelDialog((choice) => void models.load(choice));
const devices = new DevicePanel((choice) => void models.load(models.current, choice));
const models = new Models({
  ranker,
  card: new LoadCard(),
  traffic: new Traffic(),
  devices,
  onLoaded: () => void shelf.prepare(),
  onChoose: () => modelDialog.open(),
});
const search = new Search({
  ranker,
  status: new StatusLine(),
  comparison: new Comparison(),
  chart: new LatencyChart(),
  code: new CodeSample(),
  model: () => models.current,
  device: () => models.device,
  devices,
  onFailure: (error) => void models.fail(error),
});
const shelf = new Shelf({ ranker, search, onFailure: (error) => void models.fail(error) });
const documentsDialog = new DocumentsDialog((documents) => show(documents));
const examples = new Examples(ask);

query.addEventListener("input", () => search.type(query.value));
element("search", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
element("choose-model", HTMLButtonElement).addEventListener("click", () => modelDialog.open());
element("choose-documents", HTMLButtonElement).addEventListener("click", () => documentsDialog.open());
onFileDropped((file) => void documentsDialog.read(file));
listenForShortcuts({ search: () => query.focus(), escape: cancelOrClear });
void start();

async function start(): Promise<void> {
  const [bundled] = await Promise.all([bundledDocuments(), offlineReady()]);
  element("bundled-documents", HTMLButtonElement).addEventListener("click", () => show(bundled));
  show(bundled);
  // What was typed before this program ran.
  search.type(query.value);
  await models.load(models.current);
}

function show(documents: DocumentSet): void {
  examples.hidden = !documents.bundled;
  shelf.put(documents);
}

function ask(text: string): void {
  query.value = text;
  search.type(text);
  query.focus();
}

function cancelOrClear(): void {
  if (search.cancel() || models.cancel()) return;
  ask("");
}
