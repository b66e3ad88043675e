// Native engines: processes that read one workload per line and answer with one line.
import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { program as builtProgram } from "../models/models.mjs";
import { inRepository } from "../paths.mjs";

/** Starts `ranklet bench --serve` on the model of a folder, or on the default model. */
export function startRanklet({ program = builtProgram, folder, device, dtype, threads, features }) {
  const args = ["bench", "--serve", "--device", device, "--dtype", dtype, ...(folder === undefined ? [] : ["--model", folder])];
  if (features !== undefined) args.push("--gpu-features", features);
  if (device !== "candle") args.push("--threads", String(threads));
  // candle takes its number of threads from this variable.
  return start(program, args, { RAYON_NUM_THREADS: String(threads) });
}

/** Starts onnxruntime on an exported model. */
export function startOnnxruntime({ python, folder, file, threads }) {
  return start(python, [inRepository("bench/engines/onnxruntime_server.py"), folder, file, String(threads)]);
}

/** Starts PyTorch on a checkpoint. */
export function startCuda({ python, folder, dtype }) {
  return start(python, [inRepository("bench/engines/pytorch_server.py"), folder, dtype]);
}

/** Starts a Python package on a checkpoint. `.build/bench/wheel` has the package of this repository. */
export function startPythonPackage({ python, name, folder, dtype, threads, batch }) {
  const args = [inRepository("bench/engines/python_package.py"), name, folder, dtype, threads, batch].map(String);
  // OpenMP and the libraries below it take their number of threads from this variable.
  return start(python, args, { PYTHONPATH: inRepository(".build/bench/wheel"), OMP_NUM_THREADS: String(threads), HF_HUB_OFFLINE: "1" });
}

/**
 * Loads the default model in a new Node process and scores a workload.
 * @param {string} dist the folder of a built package
 * @returns {Promise<{ ms: number, processor_ms: number }>} the time from the import to the first score, and the process's processor time
 */
export async function loadInNode(dist, workload) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    inRepository("bench/engines/node-load.mjs"),
    dist,
    JSON.stringify(workload),
  ]);
  return JSON.parse(stdout);
}

/** @returns {Promise<{ loaded: object, score: (workload: object) => Promise<object>, close: () => Promise<void> }>} */
async function start(command, args, environment = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors += data));
  // When the process exits, its stdout ends, and that is reported below.
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextAnswer = async () => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value);
    await ended;
    throw new Error(`${command.split("/").at(-1)} ended: ${errors.trim().split("\n").slice(-3).join(" ") || "it printed no error"}`);
  };
  const loaded = await nextAnswer();
  return {
    loaded,
    score: (workload) => {
      child.stdin.write(`${JSON.stringify({ query: workload.query, documents: workload.documents })}\n`);
      return nextAnswer();
    },
    close: async () => {
      child.kill();
      await ended;
    },
  };
}
