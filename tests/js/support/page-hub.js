import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const id = "someone/small-model";
const commit = "0123456789abcdef0123456789abcdef01234567";

/** Serves one of the small checkpoints as a hub does: { url, id, commit, requests, stop }. */
export async function startHub({ url: folder }) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request.url);
    const file = new RegExp(`^/${id}/resolve/(?:main|${commit})/([\\w.]+)$`).exec(request.url)?.[1];
    const path = file === undefined ? undefined : fileURLToPath(new URL(file, folder));
    const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-length": size, "x-repo-commit": commit });
    createReadStream(path).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => new Promise((done) => server.close(done).closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, id, commit, requests, stop };
}
