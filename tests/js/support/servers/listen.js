import { createServer } from "node:http";

/**
 * Starts a server on a free port of this machine.
 * @param {(request, response) => void} answer
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>} `url` has no slash at its end; `stop` ends open connections too
 */
export async function listen(answer) {
  const server = createServer(answer);
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}
