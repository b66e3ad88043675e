// Serves the built page (.build/www) to this machine only: `node www/server/serve.mjs`. PORT sets the port; the default is the
// first free one from 8080.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

import { strictHeaders } from "./headers.mjs";
import { answerFromHub, isHubPath } from "./hub.mjs";

const root = fileURLToPath(new URL("../../.build/www", import.meta.url));

/** The content types of all files that are served, by extension. */
const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".safetensors": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** Computed ETags, by file name, size and modification time. */
const etags = new Map();

if (!existsSync(join(root, "index.html"))) {
  console.error("Ranklet demo: .build/www is missing; ./build.sh demo builds it");
  process.exit(1);
}
const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
listen(process.env.PORT === undefined ? 8080 : Number(process.env.PORT));

async function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, { allow: "GET, HEAD" });
  const path = pathOf(request.url);
  if (path !== undefined && isHubPath(path)) return answerFromHub(path, request, response);
  const file = path === undefined ? undefined : await findFile(path === "/" ? "/index.html" : path);
  if (file === undefined) return refuse(response, 404, {});
  const etag = await etagOf(file);
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, { ...strictHeaders, etag });
    response.end();
    return;
  }
  response.writeHead(200, { ...strictHeaders, etag, "content-type": types[extname(file.name)], "content-length": file.size });
  if (request.method === "HEAD") response.end();
  else await pipeline(createReadStream(file.name), response).catch(() => response.destroy());
}

/** Returns the decoded path of a request, or undefined if it is malformed. */
function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
}

/** Returns the file for a path, or undefined if it is outside the built folder or of a type that is not served. */
async function findFile(path) {
  if (path.includes("\0") || path.includes("\\") || !Object.hasOwn(types, extname(path))) return undefined;
  const name = join(root, path);
  if (!name.startsWith(root + sep)) return undefined;
  const found = await stat(name).catch(() => undefined);
  return found?.isFile() ? { name, size: found.size, modifiedMs: found.mtimeMs } : undefined;
}

/** Returns an ETag that identifies the content of a file. */
async function etagOf({ name, size, modifiedMs }) {
  const key = `${name} ${size} ${modifiedMs}`;
  if (!etags.has(key)) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(name), hash);
    etags.set(key, `"${hash.digest("base64url")}"`);
  }
  return etags.get(key);
}

function refuse(response, status, extra) {
  response.writeHead(status, { ...strictHeaders, ...extra, "content-length": 0 });
  response.end();
}

function listen(port) {
  server.once("error", (error) => {
    if (error.code === "EADDRINUSE" && process.env.PORT === undefined && port < 65535) return listen(port + 1);
    console.error(`Ranklet demo: cannot listen on port ${port}: ${error.message}`);
    process.exitCode = 1;
  });
  server.listen(port, "127.0.0.1", () => {
    server.removeAllListeners("error");
    console.log(`Ranklet demo: http://127.0.0.1:${server.address().port}/`);
  });
}
