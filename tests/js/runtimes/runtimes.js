// The runtimes, and what docs/bundlers.md says about each. runtimes.test.js tests each cell of the table.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { launchChromium } from "../support/browsers/chromium.js";
import { launchFirefox } from "../support/browsers/firefox.js";
import { launchWebKit, noWebKit } from "../support/browsers/webkit.js";
import { installTools } from "../support/package/tools.js";
import { inRepository } from "../support/paths.js";
import { extension, page, serviceWorker, webWorker } from "./browsers.js";
import { inEdgeRuntime, inProcess, inWorkerd } from "./servers.js";

const major = Number(process.versions.node.split(".")[0]);

const node = (version) => {
  const isThis = version.startsWith(`${major}.`);
  return {
    exits: "ends by itself",
    long: !isThis,
    run: (project) => inProcess(project, isThis ? process.execPath : installed(project, `node@${version}`)),
  };
};

/** Installs a runtime from the registry, in a folder of its own, and returns its program. */
function installed(project, tool) {
  const folder = join(project.folder, tool);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), "{}");
  installTools(folder, tool);
  return join(folder, "node_modules/.bin", tool.split("@")[0]);
}

/**
 * By name: `run(project)` runs the probe; `exits`, `memory` in megabytes and `firstScore` in seconds are cells of the table;
 * `long` marks what only the long tests run.
 */
export const runtimes = {
  "Node 20": { ...node("20.20.2"), memory: 230, firstScore: 0.4 },
  "Node 22": { ...node("22.23.3"), memory: 210, firstScore: 0.4 },
  "Node 24": { ...node("24.21.0"), memory: 220, firstScore: 0.4 },
  "Node 25": { ...node("25.9.0"), memory: 230, firstScore: 0.4 },
  "Node 26": { ...node("26.10.0"), memory: 230, firstScore: 0.4 },
  "Deno 2.9": {
    run: (project) => inProcess(project, inRepository("tests/js/node_modules/.bin/deno"), "run", "--allow-all"),
    exits: "ends by itself",
    memory: 220,
    firstScore: 0.4,
  },
  "Bun 1.4": {
    run: (project) => inProcess(project, installed(project, "bun@1.4.5")),
    exits: "ends by itself",
    long: true,
    memory: 280,
    firstScore: 0.4,
  },
  workerd: { run: inWorkerd, exits: "starts no workers", memory: 195, firstScore: 0.5 },
  "Vercel's Edge Runtime": { run: inEdgeRuntime, exits: "starts no workers", memory: 190, firstScore: 0.6 },
  Chromium: { run: () => page(launchChromium), exits: "its workers end", memory: 240, firstScore: 1.1 },
  "Chromium, web worker": { run: () => webWorker(launchChromium), exits: "its workers end", memory: 260, firstScore: 0.6 },
  "Chromium, service worker": { run: () => serviceWorker(launchChromium), exits: "starts no workers", memory: 150, firstScore: 0.6 },
  "Chromium, extension": { run: extension, exits: "starts no workers", memory: 130, firstScore: 0.6 },
  Firefox: { run: () => page(launchFirefox), exits: "its workers end", long: true, memory: 250, firstScore: 1 },
  WebKit: { run: () => page(launchWebKit), exits: "its workers end", skip: noWebKit, long: true, memory: 280, firstScore: 2.1 },
};

/** The columns of the table, in order, each with the text of a runtime's cell. */
export const columns = {
  loads: () => "yes",
  ranks: () => "yes",
  cancels: () => "yes",
  "bad input": () => "refused",
  exits: ({ exits }) => exits,
  memory: ({ memory }) => `about ${memory} MB`,
  "first score": ({ firstScore }) => `about ${firstScore} s`,
};

/** README's groups of runtimes. */
export const groups = {
  "Node 20 to 26, Deno, Bun": ["Node 20", "Node 22", "Node 24", "Node 25", "Node 26", "Deno 2.9", "Bun 1.4"],
  "Chromium, Firefox, WebKit; workers and extensions": [
    "Chromium",
    "Chromium, web worker",
    "Chromium, service worker",
    "Chromium, extension",
    "Firefox",
    "WebKit",
  ],
  "workerd, Vercel's Edge Runtime": ["workerd", "Vercel's Edge Runtime"],
};
