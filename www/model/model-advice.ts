import { RankletError } from "../../pkg/dist/index.js";
import { type ModelChoice, hubPath } from "./model-choice.js";

/** What to do about a model that could not be loaded. */
export async function adviceFor(choice: ModelChoice, error: unknown): Promise<string> {
  if (choice.kind === "files") return "Choose config.json, tokenizer.json and model.safetensors of one model, all together.";
  if (!(error instanceof RankletError)) return "Please try again; a newer browser may help.";
  if (!navigator.onLine) return "This device is offline. Try again with a network.";
  if (choice.kind === "hub") return hubAdvice();
  if (error.code === "network") return "The server did not give a file. Try again in a moment.";
  if (choice.kind === "folder") return "The folder must hold config.json, tokenizer.json and model.safetensors.";
  return "Try again. If it stays so, this copy of the page is damaged: clear its site data and reload.";
}

async function hubAdvice(): Promise<string> {
  const hubProxy = await fetch(new URL(hubPath, document.baseURI), { method: "HEAD" }).catch(() => undefined);
  if (hubProxy?.ok === true) return "Check the id. If it is right, this page's server cannot reach the hub: see what it says.";
  return (
    "This page's server hands on no files of a hub (./build.sh demo does). Put the model's folder beside the page and " +
    "give its address, or download the files and choose them."
  );
}
