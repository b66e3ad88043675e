// Puts the page together: the parts, what they tell each other, and what people can do with them.
import { CodeSample } from "./code-sample.js";
import { Comparison } from "./comparison.js";
import { DocumentsDialog } from "./documents-dialog.js";
import { bundledDocuments, type DocumentSet } from "./document-set.js";
import { DevicePanel } from "./device-panel.js";
import { element } from "./dom.js";
import { onFileDropped } from "./drop.js";
import { Examples } from "./examples.js";
import { LatencyChart } from "./latency-chart.js";
import { LoadCard } from "./load-card.js";
import { ModelDialog } from "./model-dialog.js";
import { Models } from "./models.js";
import { offlineReady } from "./offline.js";
import { Ranker } from "./ranker.js";
import { Search } from "./search.js";
import { listenForShortcuts } from "./shortcuts.js";
import { Shelf } from "./shelf.js";
import { StatusLine } from "./status-line.js";
import { Traffic } from "./traffic.js";

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
