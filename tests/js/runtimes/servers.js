// The probe in runtimes of servers and at the edge.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCommand } from "../support/children/commands.js";
import { memoryOfDescendants } from "../support/children/memory.js";
import { startWorker } from "../support/children/workerd.js";
import { inRepository } from "../support/paths.js";
import { serveFolder } from "../support/servers/folder.js";

const program = (name) => fileURLToPath(new URL(`programs/${name}`, import.meta.url));
const probe = fileURLToPath(new URL("probe.js", import.meta.url));

/** Runs the probe in a process of Node, Deno or Bun that imports the installed package. */
export async function inProcess(project, command, ...args) {
  const entry = join(project.folder, "node_modules/ranklet/dist/index.node.js");
  const run = (mode) => runCommand(command, [...args, program("process.js"), mode, entry], { timeout: 240_000 });
  const probed = await run("probe");
  assert.equal(probed.status, 0, `the process did not end by itself: ${probed.output}`);
  const forgotten = await run("forget");
  const { report, afterDispose } = JSON.parse(probed.output.trim().split("\n").at(-1));
  return {
    report,
    afterDispose,
    memoryBytes: report.memoryBytes,
    remaining: forgotten.status === 0 ? 0 : forgotten.output || "the process",
  };
}

/** Runs the probe in a Worker whose model is in static assets. */
export async function inWorkerd(project) {
  copyFileSync(probe, join(project.folder, "probe.js"));
  const assets = join(project.folder, "node_modules/ranklet/dist/assets");
  const worker = await startWorker(
    project.folder,
    ({ ranklet }) => `
import * as ranklet from "${ranklet}";
import { probe } from "./probe.js";
let running;
const steps = (env) => ({
  start: async () => (running = await probe({ importPackage: async () => ranklet, load: ["/default/", { fetch: env.ASSETS }] })).report,
  finish: () => running.finish(),
});
export default { fetch: async (request, env) => Response.json(await steps(env)[new URL(request.url).pathname.slice(1)]()) };
`,
    { assets },
  );
  const ask = async (step) => {
    const response = await fetch(worker.url + step, { signal: AbortSignal.timeout(240_000) });
    const text = await response.text();
    assert.equal(response.status, 200, text + worker.errors());
    return JSON.parse(text);
  };
  let stopped;
  try {
    const report = await ask("start");
    const memoryBytes = memoryOfDescendants();
    const afterDispose = await ask("finish");
    const isKilled = await (stopped = worker.stop());
    return { report, memoryBytes, afterDispose, remaining: isKilled ? "workerd" : 0 };
  } finally {
    await (stopped ?? worker.stop());
  }
}

/** Runs the probe in Vercel's Edge Runtime, with a compiled engine and the model at a URL. */
export async function inEdgeRuntime(project) {
  const server = await serveFolder(join(project.folder, "node_modules/ranklet/dist/assets"), {});
  try {
    const source = join(project.folder, "function.js");
    writeFileSync(
      source,
      `
import * as ranklet from "ranklet";
import { probe } from ${JSON.stringify(probe)};
let running;
const steps = {
  start: async () => {
    const wasm = await WebAssembly.compile(await (await fetch(${JSON.stringify(`${server.url}ranklet_bg.wasm`)})).arrayBuffer());
    running = await probe({ importPackage: async () => ranklet, load: [${JSON.stringify(`${server.url}default/`)}, { wasm }] });
    return running.report;
  },
  finish: () => running.finish(),
};
addEventListener("fetch", (event) => event.respondWith(steps[new URL(event.request.url).pathname.slice(1)]().then((value) => Response.json(value))));
`,
    );
    const bundle = join(project.folder, "function.bundle.js");
    const esbuild = inRepository("tests/js/node_modules/.bin/esbuild");
    const { status, stderr } = spawnSync(
      esbuild,
      [source, "--bundle", "--format=iife", "--conditions=edge-light", `--outfile=${bundle}`, "--log-level=error"],
      { encoding: "utf8", timeout: 240_000 },
    );
    assert.equal(status, 0, stderr);
    const ran = await runCommand(process.execPath, [program("edge.js"), bundle], { timeout: 240_000 });
    assert.equal(ran.status, 0, ran.output);
    const { report, afterDispose } = JSON.parse(ran.output.trim().split("\n").at(-1));
    return { report, afterDispose, memoryBytes: report.memoryBytes, remaining: 0 };
  } finally {
    await server.stop();
  }
}
