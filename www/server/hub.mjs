// The demo server's door to a model hub: the page's policy lets it ask its own server alone, so this asks for it. Only
// the files of a model can be asked for, and nothing but their names is passed on.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { strictHeaders } from "./headers.mjs";

const hubUrl = (process.env.RANKLET_HUB ?? "https://huggingface.co").replace(/\/+$/, "");

const name = String.raw`[A-Za-z0-9][\w.-]{0,95}`;
const files = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "config_sentence_transformers.json",
  "sentence_bert_config.json",
  "modules.json",
  // Weights in one file or in several, which the index names.
  `${name}.safetensors`,
  `${name}.bin`,
  "model.safetensors.index.json",
  "pytorch_model.bin.index.json",
  // A module of a chain has a folder of its own.
  `(?:${name}/)config.json`,
  `(?:${name}/)model.safetensors`,
  `(?:${name}/)pytorch_model.bin`,
].map((file) => file.replace(/\.(?=\w+$)/, String.raw`\.`));
const filePath = new RegExp(`^/hub/(${name}/${name}/resolve/${name}/(?:${files.join("|")}))$`);

/** Whether the hub's door is what `path` asks for. */
export function isHubPath(path) {
  return path.startsWith("/hub/");
}

/** Answers a GET or HEAD for `path`: `/hub/` itself says that the door is there, all else is a file of a model. */
export async function answerFromHub(path, request, response) {
  if (path === "/hub/") return sendText(response, 200, `Models come through here from ${hubUrl}.`);
  const file = filePath.exec(path)?.[1];
  if (file === undefined || file.includes("..")) return sendText(response, 404, "No file of a model has such an address.");
  const stop = new AbortController();
  response.once("close", () => stop.abort());
  let found;
  try {
    // The length must be that of the bytes passed on, so they come uncompressed.
    found = await fetch(`${hubUrl}/${file}`, { method: request.method, headers: { "accept-encoding": "identity" }, signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) sendText(response, 502, `The hub could not be reached: ${error.cause?.message ?? error.message}`);
    return;
  }
  await forward(found, request, response);
}

async function forward(found, request, response) {
  const [length, commit] = [found.headers.get("content-length"), found.headers.get("x-repo-commit")];
  response.writeHead(found.status, {
    ...strictHeaders,
    "content-type": "application/octet-stream",
    ...(length === null ? {} : { "content-length": length }),
    // Which commit a branch stands for, so that all files are taken from one.
    ...(commit === null ? {} : { "x-repo-commit": commit }),
  });
  if (request.method === "HEAD" || found.body === null) {
    await found.body?.cancel();
    response.end();
    return;
  }
  // A body that breaks off ends the connection, so that the page notices; one nobody waits for ends quietly.
  await pipeline(Readable.fromWeb(found.body), response).catch(() => response.destroy());
}

function sendText(response, status, text) {
  const body = `${text}\n`;
  response.writeHead(status, { ...strictHeaders, "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
