// Serves everything that a page needs: both libraries, and the models with the layout of the Hub.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, resolve, sep } from "node:path";
import { gzipSync } from "node:zlib";

import { inOutput, inRepository } from "../paths.mjs";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

/** File types that are compressed; weights are not. */
const compressed = new Set([".html", ".js", ".json", ".mjs", ".wasm"]);

const folders = {
  page: inRepository("bench/engines/page"),
  ranklet: inRepository("pkg/dist"),
  // The package of another revision, for sections/versions.mjs.
  "ranklet-baseline": inRepository(".build/against/pkg/dist"),
  transformers: inRepository("bench/node_modules/@huggingface/transformers/dist"),
  onnxruntime: inRepository("bench/node_modules/onnxruntime-web/dist"),
  models: inOutput("models"),
};

const headers = {
  // Both are needed for SharedArrayBuffer, without which the peer has no threads.
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  // Files are not requested again, so the second load is warm for all engines.
  "cache-control": "public, max-age=31536000, immutable",
};

/**
 * Starts the server on a free port.
 * @returns {Promise<{ url: string, answers: { path: string, bytes: number }[], stop: () => Promise<void> }>} `url`
 *   ends with a slash; `answers` are the files sent so far, with the bytes that went over the wire
 */
export async function startSite() {
  const answers = [];
  const packed = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    const path = filePath(decodeURIComponent(pathname));
    if (path === undefined) {
      response.writeHead(404, headers).end();
      return;
    }
    const extension = extname(path);
    const head = { ...headers, "content-type": types[extension] ?? "application/octet-stream" };
    // Ranklet reads all files of a model at one commit; here there is only one.
    if (pathname.startsWith("/models/")) head["x-repo-commit"] = createHash("sha1").update("bench").digest("hex");
    const record = (bytes) => request.method === "GET" && answers.push({ path: pathname, bytes });
    if (compressed.has(extension) && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
      if (!packed.has(path)) packed.set(path, gzipSync(readFileSync(path), { level: 9 }));
      const body = packed.get(path);
      record(body.length);
      response.writeHead(200, { ...head, "content-encoding": "gzip", "content-length": body.length });
      response.end(request.method === "HEAD" ? undefined : body);
      return;
    }
    const { size } = statSync(path);
    record(size);
    response.writeHead(200, { ...head, "content-length": size });
    if (request.method === "HEAD") response.end();
    // Large pieces, because the server shares the processors with what it measures.
    else createReadStream(path, { highWaterMark: 2 ** 20 }).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, answers, stop };
}

/** Returns the file for an address: `/{folder}/{path}`, and for models `/models/{org}/{name}/resolve/{revision}/{path}`. */
function filePath(pathname) {
  const [, name, ...rest] = pathname.split("/");
  const folder = folders[name];
  if (folder === undefined) return undefined;
  if (name === "models") rest.splice(2, 2);
  const path = resolve(folder, rest.join("/") || "index.html");
  return path.startsWith(folder + sep) && existsSync(path) && statSync(path).isFile() ? path : undefined;
}
