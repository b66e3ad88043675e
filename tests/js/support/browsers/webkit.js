import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

import { startServer, stopperOf } from "../children/processes.js";
import { freePort } from "../servers/free-port.js";

/** The reason why WebKit cannot be tested on this system, or false. */
export const noWebKit = process.platform === "darwin" && "WebKitGTK does not run on macOS, and Safari's driver needs a manual permission";

/**
 * Starts WebKitGTK's MiniBrowser, controlled over WebDriver, on a virtual screen, because it has no headless mode.
 * @throws {Error} if it is not installed, so that tests fail instead of skipping
 */
export async function launchWebKit() {
  const driver = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
  if (!existsSync(driver)) {
    throw new Error(`no WebKit at ${driver}: install it (Debian: apt-get install webkit2gtk-driver xvfb) or set WEBKIT_DRIVER`);
  }
  const screen = await startServer("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"], { pattern: /^(\d+)\n/, descriptor: 3 });
  const port = await freePort();
  const child = spawn(driver, [`--port=${port}`], { env: { ...process.env, DISPLAY: `:${screen.found}` }, stdio: "ignore" });
  const ended = once(child, "exit");
  const stopDriver = stopperOf(child);
  const stop = async () => {
    await stopDriver();
    await screen.stop();
  };
  try {
    const session = await openSession(`http://127.0.0.1:${port}`, ended);
    return {
      newPage: async () => pageOf(session),
      close: () => command("DELETE", session).finally(stop),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSession(url, ended) {
  const over = ended.then(([status]) => Promise.reject(new Error(`the driver of WebKit ended with ${status}`)));
  over.catch(() => {}); // The driver also ends after the tests.
  while (
    !(await Promise.race([
      fetch(`${url}/status`).then(
        ({ ok }) => ok,
        () => false,
      ),
      over,
    ]))
  ) {
    await new Promise((done) => setTimeout(done, 50));
  }
  const capabilities = { alwaysMatch: { timeouts: { script: 120_000 } } };
  const { sessionId } = await command("POST", `${url}/session`, { capabilities });
  return `${url}/session/${sessionId}`;
}

/** Returns the window of a session, with the methods of a Playwright page that the tests use. */
function pageOf(session) {
  return {
    goto: (url) => command("POST", `${session}/url`, { url }),
    evaluate: async (run, argument) => {
      // A script of "execute/async" must call its last argument with the result.
      const script = `const [argument, done] = arguments;
        (${run})(argument).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
      const { value, error } = await command("POST", `${session}/execute/async`, { script, args: [argument] });
      if (error !== undefined) throw new Error(error);
      return value;
    },
  };
}

async function command(method, url, body) {
  const response = await fetch(url, { method, body: JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`WebKit: ${value.error}: ${value.message}`);
  return value;
}
