// Serves the demo page on this machine only: `node www/serve.mjs`. PORT chooses the port; without it, the first free
// one from 8080 up.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which folder answers for which part of the address; the first that has the file. */
const folders = [
  ["/www/", join(root, "www")],
  ["/www/", join(root, ".build", "www")],
  ["/pkg/dist/", join(root, "pkg", "dist")],
];

/** What may be served, by ending. */
const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".safetensors": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

const headers = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache",
};

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
  if (path === "/") return refuse(response, 302, { location: "/www/" });
  const file = path === undefined ? undefined : await findFile(path.endsWith("/") ? `${path}index.html` : path);
  if (file === undefined) return refuse(response, 404, {});
  response.writeHead(200, { ...headers, "content-type": types[extname(file.name)], "content-length": file.size });
  if (request.method === "HEAD") response.end();
  else createReadStream(file.name).on("error", () => response.destroy()).pipe(response);
}

/** The decoded path of a request, or undefined where it has none. */
function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
}

/** The file for a path, or undefined: nothing outside the folders, nothing of another type. */
async function findFile(path) {
  if (path.includes("\0") || path.includes("\\") || !Object.hasOwn(types, extname(path))) return undefined;
  for (const [prefix, folder] of folders) {
    if (!path.startsWith(prefix)) continue;
    const name = join(folder, path.slice(prefix.length));
    if (!name.startsWith(folder + sep)) continue;
    const found = await stat(name).catch(() => undefined);
    if (found?.isFile()) return { name, size: found.size };
  }
  return undefined;
}

function refuse(response, status, extra) {
  response.writeHead(status, { ...headers, ...extra, "content-length": 0 });
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
