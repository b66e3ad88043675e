import { createReadStream, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { listen } from "./listen.js";

const commit = "0123456789abcdef0123456789abcdef01234567";

/**
 * Serves models like a hub and returns { url, commit, requests, stop }.
 * @param {Record<string, (file: string) => URL | undefined>} models by id, functions that return the URL of a file
 */
export async function startModelHost(models) {
  const requests = [];
  const { url, stop } = await listen((request, response) => {
    requests.push(request.url);
    const [, id, file] = new RegExp(`^/([\\w-]+/[\\w-]+)/resolve/(?:main|${commit})/([\\w./-]+)$`).exec(request.url) ?? [];
    const found = models[id]?.(file);
    const path = found === undefined ? undefined : fileURLToPath(found);
    const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-length": size, "x-repo-commit": commit });
    createReadStream(path).pipe(response);
  });
  return { url, commit, requests, stop };
}
