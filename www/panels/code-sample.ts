import { type DeviceChoice, hubPath, type ModelChoice } from "../model/model-choice.js";
import { element, make } from "../ui/dom.js";
import { count, shorten } from "../ui/format.js";
import { announce } from "../ui/status-line.js";

/** The parameters of the last ranking. */
export interface RankingCall {
  readonly model: ModelChoice;
  readonly device: DeviceChoice;
  readonly documents: number;
  readonly query: string;
  readonly candidates: readonly number[];
}

/** Shows a program that repeats the last ranking, with a button that copies it. */
export class CodeSample {
  readonly #code = element("code", HTMLElement);
  readonly #copy = element("copy", HTMLButtonElement);
  #ranking = "";

  constructor() {
    this.#copy.addEventListener("click", () => void this.#copyCode());
  }

  show(call: RankingCall): void {
    this.#ranking = program(call);
    this.#code.replaceChildren(...highlighted(this.#ranking));
    this.#copy.disabled = false;
  }

  /** Adds the call that explains passages of the last ranking, by their indices. */
  showExplanation(call: "explain" | "compare", ...indices: readonly number[]): void {
    const passages = indices.map((index) => `passages[${index}]`).join(", ");
    this.#code.replaceChildren(...highlighted(`${this.#ranking}\nconst explained = await reranker.${call}(query, ${passages});\n`));
  }

  async #copyCode(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#code.textContent ?? "");
      this.#showOnButton("Copied");
    } catch {
      // The browser does not allow writing to the clipboard: select the code, so that the user can copy it.
      getSelection()?.selectAllChildren(this.#code);
      this.#showOnButton("Selected: copy it with the keyboard");
    }
  }

  #showOnButton(text: string): void {
    this.#copy.textContent = text;
    announce(text);
    setTimeout(() => (this.#copy.textContent = "Copy"), 2000);
  }
}

function program({ model, device, documents, query, candidates }: RankingCall): string {
  const first = candidates.slice(0, 6).join(", ");
  const rest = candidates.length > 6 ? ` /* and ${candidates.length - 6} more */` : "";
  const entry = { embedded: "default-model", small: "small-model", hub: undefined, folder: undefined, files: undefined }[model.kind];
  const imported = entry === undefined ? "" : `\nimport "ranklet/${entry}";`;
  return `import { Reranker } from "ranklet";${imported}

const reranker = await Reranker.load(${loadArguments(model, device)});
const collection = await reranker.prepare(passages); // ${count(documents, "passage")}

const query = ${JSON.stringify(shorten(query, 60))};
const candidates = [${first}${rest}]; // from the keyword search
for await (const top of collection.rank(query, { candidates, latest: true })) {
  show(top.results, top.done, top.total); // the best so far, and finally the complete order
}
`;
}

function loadArguments(model: ModelChoice, device: DeviceChoice): string {
  const settings = Object.entries({ ...(model.kind === "hub" ? { baseUrl: hubPath } : {}), ...device });
  const options = settings.filter(([, value]) => value !== "auto").map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const source = sourceText(model);
  if (options.length === 0) return source ?? "";
  return `${source ?? "undefined"}, { ${options.join(", ")} }`;
}

/** Returns the first argument of `load`; `undefined` for the embedded model, which is the default. */
function sourceText(model: ModelChoice): string | undefined {
  switch (model.kind) {
    case "embedded":
      return undefined;
    case "small":
      return '"ranklet/small"';
    case "hub":
      return JSON.stringify(model.id);
    case "folder":
      return JSON.stringify(model.url.href);
    case "files":
      return `{ ${Object.keys(model.files)
        .map((name) => `${JSON.stringify(name)}: file`)
        .join(", ")} }`;
  }
}

const tokens = /(?<comment>\/\/.*|\/\*.*?\*\/)|(?<string>"(?:[^"\\]|\\.)*")|(?<keyword>\b(?:import|from|const|await|for|of|true)\b)/g;

/** Splits a program into text nodes and spans whose class is the kind of token. */
function* highlighted(code: string): Generator<Node> {
  let at = 0;
  for (const match of code.matchAll(tokens)) {
    yield document.createTextNode(code.slice(at, match.index));
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0] ?? "";
    yield make("span", kind, match[0]);
    at = match.index + match[0].length;
  }
  yield document.createTextNode(code.slice(at));
}
