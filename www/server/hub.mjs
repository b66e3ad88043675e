// Forwards a model hub's files to the page, whose policy lets it ask its own server alone. Only files that
// src/checkpoint/model_files.json allows can be asked for, and nothing but their names is sent to the hub.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { strictHeaders } from "./headers.mjs";

const hubUrl = (process.env.RANKLET_HUB ?? "https://huggingface.co").replace(/\/+$/, "");

const layout = JSON.parse(readFileSync(new URL("../../src/checkpoint/model_files.json", import.meta.url), "utf8"));
const rootFiles = new Set([...layout.files, ...layout.weights].map(({ name }) => name));
const shardSuffixes = layout.weights.map(({ shardSuffix }) => shardSuffix).filter((suffix) => suffix !== null);
const moduleFiles = new Set([layout.modules.config, ...layout.modules.weights]);

/** Owner, repository and revision, and the file's path in the repository. */
const segment = String.raw`[A-Za-z0-9][\w.-]{0,95}`;
const hubAddress = new RegExp(`^/hub/(?<repository>${segment}/${segment}/resolve/${segment})/(?<path>.+)$`);

/** Whether the hub's door is what `path` asks for. */
export function isHubPath(path) {
  return path.startsWith("/hub/");
}

/** Answers a GET or HEAD for `path`: `/hub/` itself says that the door is there, all else is a file of a model. */
export async function answerFromHub(path, request, response) {
  if (path === "/hub/") return sendText(response, 200, `Models come through here from ${hubUrl}.`);
  const file = hubFile(path);
  if (file === undefined) return sendText(response, 404, "No file of a model has such an address.");
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

/** The hub's path of a model's file, or undefined for any other address. */
function hubFile(path) {
  const address = hubAddress.exec(path)?.groups;
  if (address === undefined || address.repository.includes("..") || !isModelFile(address.path)) return undefined;
  return `${address.repository}/${address.path}`;
}

function isModelFile(path) {
  if (rootFiles.has(path)) return true;
  const [name, fileInFolder, ...deeper] = path.split("/");
  if (!isAllowedName(name) || deeper.length > 0) return false;
  return fileInFolder === undefined ? shardSuffixes.some((suffix) => name.endsWith(suffix)) : moduleFiles.has(fileInFolder);
}

/** Whether a shard or a module's folder may have this name. */
function isAllowedName(name) {
  const { maxBytes, punctuation, forbidden } = layout.names;
  const isAllowed = (character) => /[A-Za-z0-9]/.test(character) || punctuation.includes(character);
  return name.length <= maxBytes && !/^\.|^$/.test(name) && !name.includes(forbidden) && [...name].every(isAllowed);
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
