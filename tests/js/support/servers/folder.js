import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

import { listen } from "./listen.js";

const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * Serves a folder like a plain web server, on a free port.
 * @param {Record<string, string>} headers sent with every file
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function serveFolder(folder, headers) {
  const { url, stop } = await listen(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const body = await readFile(join(folder, decodeURIComponent(path))).catch(() => undefined);
    response.writeHead(body === undefined ? 404 : 200, { "content-type": types[extname(path)] ?? "application/octet-stream", ...headers });
    response.end(body);
  });
  return { url: `${url}/`, stop };
}
