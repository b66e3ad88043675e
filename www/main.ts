import { RankletError, Reranker, type DownloadProgress, type RerankResponse } from "../pkg/dist/index.js";

const form = element("form", HTMLFormElement);
const query = element("query", HTMLInputElement);
const documents = element("documents", HTMLTextAreaElement);
const rank = element("rank", HTMLButtonElement);
const cancel = element("cancel", HTMLButtonElement);
const status = element("status", HTMLElement);
const progress = element("progress", HTMLProgressElement);
const error = element("error", HTMLElement);
const results = element("results", HTMLOListElement);

let reranker: Reranker | undefined;
/** When the model was in memory, on the clock of `performance.now()`. */
let loadedAt = Infinity;
let running: AbortController | undefined;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run(showRanking);
});
cancel.addEventListener("click", () => running?.abort());
void run(load);

/** Runs one task at a time and shows how it ends. */
async function run(task: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  if (running !== undefined) return;
  running = new AbortController();
  error.hidden = true;
  setBusy(true);
  try {
    await task(running.signal);
  } catch (reason) {
    showFailure(reason);
  } finally {
    running = undefined;
    setBusy(false);
  }
}

async function load(signal: AbortSignal): Promise<Reranker> {
  if (reranker !== undefined) return reranker;
  status.textContent = "Loading the model…";
  const downloads = new Map<string, DownloadProgress>();
  reranker = await Reranker.load(undefined, {
    signal,
    onProgress: (download) => {
      downloads.set(download.file, download);
      showDownloads([...downloads.values()]);
    },
  });
  loadedAt = performance.now();
  status.textContent = "Ready. The model is in this tab's memory.";
  return reranker;
}

async function showRanking(signal: AbortSignal): Promise<void> {
  const loaded = await load(signal);
  const lines = documents.value.split("\n").filter((line) => line.trim() !== "");
  status.textContent = "Ranking…";
  progress.removeAttribute("value");
  const response = await loaded.rerank({
    query: query.value,
    documents: lines,
    returnDocuments: true,
    signal,
    onProgress: ({ done, total }) => {
      progress.max = total;
      progress.value = done;
    },
  });
  showResponse(response);
}

function showDownloads(downloads: readonly DownloadProgress[]): void {
  const loaded = downloads.reduce((sum, download) => sum + download.loaded, 0);
  const total = downloads.reduce((sum, download) => sum + (download.total ?? download.loaded), 0);
  progress.max = total;
  progress.value = loaded;
  status.textContent = `Loading the model… ${megabytes(loaded)} of ${megabytes(total)} MB`;
}

function showResponse({ results: ranked, usage, backend, timings }: RerankResponse<string>): void {
  results.replaceChildren(...ranked.map(({ document, score }) => resultItem(document ?? "", score)));
  fill("time", `${timings.totalMs.toFixed(0)} ms`);
  fill("tokens", usage.tokens.toLocaleString("en"));
  fill("device", backend.device);
  fill("engine", backend.engine);
  fill("dtype", backend.dtype);
  fill("left", requestsSinceLoad());
  element("empty", HTMLElement).hidden = true;
  element("facts", HTMLElement).hidden = false;
  element("traffic", HTMLElement).hidden = false;
  status.textContent = `Ranked ${usage.documents} ${usage.documents === 1 ? "document" : "documents"}.`;
}

function resultItem(document: string, score: number): HTMLLIElement {
  const item = window.document.createElement("li");
  const bar = part("bar", "");
  bar.style.setProperty("--share", `${Math.min(Math.max(score, 0), 1) * 100}%`);
  item.append(part("text", document), part("score", score.toFixed(4)), bar);
  return item;
}

function part(name: string, text: string): HTMLElement {
  const made = window.document.createElement("div");
  made.className = name;
  made.textContent = text;
  return made;
}

/** Counts what the browser itself recorded; the page's policy lets it reach no other server than its own. */
function requestsSinceLoad(): string {
  const count = performance.getEntriesByType("resource").filter((entry) => entry.startTime > loadedAt).length;
  return count === 0 ? "nothing (0 requests since the model was loaded)" : `${count} requests since the model was loaded`;
}

function showFailure(reason: unknown): void {
  status.textContent = "";
  if (reason instanceof RankletError && reason.code === "aborted") {
    status.textContent = "Cancelled.";
    return;
  }
  const code = reason instanceof RankletError ? ` (${reason.code})` : "";
  error.textContent = `That did not work${code}: ${reason instanceof Error ? reason.message : String(reason)}`;
  error.hidden = false;
}

function setBusy(busy: boolean): void {
  rank.disabled = busy;
  cancel.disabled = !busy;
  progress.hidden = !busy;
  form.setAttribute("aria-busy", String(busy));
}

function fill(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** The element of the page with this id and class; the page and this file must agree. */
function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = window.document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} with the id ${id}`);
}
