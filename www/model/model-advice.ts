import { RankletError } from "../../pkg/dist/index.js";
import { adviceByCodeOf } from "../ui/errors.js";
import { hubPath, type ModelChoice } from "./model-choice.js";

/** The maximum time that the message about a failure waits for the advice. */
const hubTimeoutMs = 3000;

/** Returns what the user can do about a model that failed to load. */
export async function adviceFor(choice: ModelChoice, error: unknown): Promise<string> {
  if (!(error instanceof RankletError)) return "Try again, or use a newer browser.";
  const advice = adviceByCodeOf(error);
  if (advice !== undefined) return advice;
  if (choice.kind === "files") return "Choose all files of the same model together.";
  if (error.code === "network" && !navigator.onLine) return "This device is offline. Connect to a network and try again.";
  if (choice.kind === "hub") return hubAdvice();
  if (error.code === "network") return "The server did not send a file. Try again in a moment.";
  if (choice.kind === "folder") return "The folder must contain all files of the model.";
  return "Try again. If it fails again, this copy of the page is damaged: clear the site data and reload.";
}

async function hubAdvice(): Promise<string> {
  const request = fetch(new URL(hubPath, document.baseURI), { method: "HEAD", signal: AbortSignal.timeout(hubTimeoutMs) });
  const hubProxy = await request.catch(() => undefined);
  if (hubProxy === undefined) return "The server of this page does not answer. Try again in a moment.";
  if (hubProxy.ok) return "Check the id. If it is correct, the server of this page cannot reach the hub: check its output.";
  return (
    "The server of this page does not forward files from a hub; ./build.sh demo starts one that does. You can also put the " +
    "model's folder next to the page and enter its address, or download the files and choose them."
  );
}
