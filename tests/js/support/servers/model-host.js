import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const commit = "0123456789abcdef0123456789abcdef01234567";

/**
 * Serves models like a hub and returns { url, commit, requests, stop }.
 * @param {Record<string, (file: string) => URL | undefined>} models by id, functions that return the URL of a file
 */
export async function startModelHost(models) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request.url);
    const [, id, file] = new RegExp(`^/([\\w-]+/[\\w-]+)/resolve/(?:main|${commit})/([\\w./-]+)$`).exec(request.url) ?? [];
    const url = models[id]?.(file);
    const path = url === undefined ? undefined : fileURLToPath(url);
    const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-length": size, "x-repo-commit": commit });
    createReadStream(path).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => new Promise((done) => server.close(done).closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, commit, requests, stop };
}
