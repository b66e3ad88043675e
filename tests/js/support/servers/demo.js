import { startServer } from "../children/processes.js";
import { inRepository } from "../paths.js";

/** Starts the demo's own server on a free port: { url, stop }. `env` is what it finds in its environment besides. */
export async function startDemo(env = {}) {
  const { found, stop } = await startServer(process.execPath, [inRepository("www/server/serve.mjs")], {
    pattern: /^Ranklet demo: (http:\/\/127\.0\.0\.1:\d+\/)$/m,
    env: { PORT: "0", ...env },
  });
  return { url: found, stop };
}
