// Forwards files of a model hub to the page, and the lists of them. The page's policy allows requests to its own server only.
// Requests for files that src/checkpoint/model_files.json does not allow are refused, and nothing but the file's address is
// sent to the hub.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { strictHeaders } from "./headers.mjs";

const hubUrl = (process.env.RANKLET_HUB ?? "https://huggingface.co").replace(/\/+$/, "");

const layout = JSON.parse(readFileSync(new URL("../../src/checkpoint/model_files.json", import.meta.url), "utf8"));
const rootFiles = new Set([...layout.files, ...layout.weights].flatMap(({ name, replacements = [] }) => [name, ...replacements]));
const shardSuffixes = layout.weights.map(({ shardSuffix }) => shardSuffix).filter((suffix) => suffix !== null);
const moduleFiles = new Set([layout.modules.config, ...layout.modules.weights]);

/** The address of a file: owner, name and revision of the repository, and the path in it. */
const segment = String.raw`[A-Za-z0-9][\w.-]{0,95}`;
const hubAddress = new RegExp(`^/hub/(?<repository>${segment}/${segment}/resolve/${segment})/(?<path>.+)$`);
/** The address of the list of a repository's files. */
const listAddress = new RegExp(`^/hub/(?<list>api/models/${segment}/${segment}/revision/${segment})$`);

/** Whether `path` is an address of the hub. */
export function isHubPath(path) {
  return path.startsWith("/hub/");
}

/** Answers a GET or HEAD request. `/hub/` itself tells the page that this server forwards files. */
export async function answerFromHub(path, request, response) {
  if (path === "/hub/") return sendText(response, 200, `This server forwards model files from ${hubUrl}.`);
  const file = hubFile(path);
  if (file === undefined) return sendText(response, 404, "This is not the address of a model file.");
  const stop = new AbortController();
  response.once("close", () => stop.abort());
  let found;
  try {
    // Uncompressed, because content-length must be the length of the bytes that are forwarded.
    found = await fetch(`${hubUrl}/${file}`, { method: request.method, headers: { "accept-encoding": "identity" }, signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) sendText(response, 502, `The hub could not be reached: ${error.cause?.message ?? error.message}`);
    return;
  }
  await forward(found, request, response);
}

/** Returns the path of a model file on the hub, or of the list of its files; undefined if `path` is no such address. */
function hubFile(path) {
  const list = listAddress.exec(path)?.groups.list;
  if (list !== undefined) return list.includes("..") ? undefined : `${list}?blobs=true`;
  const address = hubAddress.exec(path)?.groups;
  if (address === undefined || address.repository.includes("..") || !isModelFile(address.path)) return undefined;
  return `${address.repository}/${address.path}`;
}

function isModelFile(path) {
  if (rootFiles.has(path) || isDataFile(path)) return true;
  const [name, fileInFolder, ...deeper] = path.split("/");
  if (!isAllowedName(name) || deeper.length > 0) return false;
  return fileInFolder === undefined ? shardSuffixes.some((suffix) => name.endsWith(suffix)) : moduleFiles.has(fileInFolder);
}

/** Whether the path is that of a file beside an ONNX file that has its tensors. */
function isDataFile(path) {
  const { suffix, dataSuffixes } = layout.onnx;
  const plain = path.replace(/_\d{1,2}$/, "");
  return dataSuffixes.some((ending) => plain.endsWith(suffix + ending) && rootFiles.has(plain.slice(0, -ending.length)));
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
    // The commit of the branch, so that the page can request all files of one commit.
    ...(commit === null ? {} : { "x-repo-commit": commit }),
  });
  if (request.method === "HEAD" || found.body === null) {
    await found.body?.cancel();
    response.end();
    return;
  }
  // If the hub's response breaks off, so does this one, and the page notices it.
  await pipeline(Readable.fromWeb(found.body), response).catch(() => response.destroy());
}

function sendText(response, status, text) {
  const body = `${text}\n`;
  response.writeHead(status, { ...strictHeaders, "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
