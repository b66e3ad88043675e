import { createReadStream, existsSync, statSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import { dist, root } from "../paths.js";
import { listen } from "./listen.js";

const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:*";
const types = { ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };

/**
 * Serves a blank page, and the built package under `pkg/`, with a strict content security policy.
 * @param {Record<string, (request, response) => void>} handlers by the beginning of the paths that they answer
 * @returns {Promise<{ url: string, requests: string[], stop: () => Promise<void> }>} `url` ends with a slash;
 *   `requests` has the paths requested so far
 */
export async function startSite(handlers = {}) {
  const requests = [];
  const { url, stop } = await listen((request, response) => {
    requests.push(request.url);
    response.setHeader("content-security-policy", policy);
    const { pathname } = new URL(request.url, "http://site");
    const handler = Object.entries(handlers).find(([start]) => pathname.startsWith(start))?.[1];
    if (handler !== undefined) handler(request, response);
    else if (pathname === "/") response.setHeader("content-type", "text/html").end("<!doctype html><title>blank</title>");
    else sendFile(pathname, response);
  });
  return { url: `${url}/`, requests, stop };
}

/** Answers `/fixtures/` with files of tests/fixtures. */
export function sendFixture(request, response) {
  const path = fileURLToPath(new URL(`tests/${new URL(request.url, "http://site").pathname}`.replace("//", "/"), root));
  if (!existsSync(path)) return response.writeHead(404).end();
  createReadStream(path).pipe(response);
}

function sendFile(pathname, response) {
  const path = pathname.startsWith("/pkg/") ? fileURLToPath(new URL(pathname.slice("/pkg/".length), dist)) : undefined;
  if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream");
  createReadStream(path).pipe(response);
}
