import { startServer } from "../children/processes.js";
import { inRepository } from "../paths.js";

/** Starts the demo server on a free port and returns { url, stop }. `env` has additional environment variables. */
export async function startDemo(env = {}) {
  const { found, stop } = await startServer(process.execPath, [inRepository("www/server/serve.mjs")], {
    pattern: /^Ranklet demo: (http:\/\/127\.0\.0\.1:\d+\/)$/m,
    env: { PORT: "0", ...env },
  });
  return { url: found, stop };
}
