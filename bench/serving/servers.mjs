// The servers that are measured, and how to start them.
//
// A server is { id, label, open }. `open()` resolves to { url, pid, settings, close }; `url` takes POST requests with a query
// and documents, and answers with Cohere's `results`.
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";

import { program } from "../models/models.mjs";
import { inRepository } from "../paths.mjs";

/** Loading a model, and measuring settings, may take this long. */
const startTimeoutMs = 300_000;

/** `ranklet serve` with the default model. */
export function rankletServer(options = []) {
  return {
    id: "ranklet",
    label: "ranklet serve, q8",
    open: () => open((port) => [program, ["serve", "--device", "cpu", "--port", port, ...options]]),
  };
}

/** FastAPI with sentence-transformers. */
export function sentenceTransformersServer({ python, model }) {
  return pythonServer(
    "sentence-transformers",
    "FastAPI, sentence-transformers, fp32",
    python,
    "sentence_transformers_server.py",
    model.folders.f32,
  );
}

/** FastAPI with onnxruntime, which scores concurrent requests together. */
export function onnxruntimeServer({ python, model }) {
  return pythonServer("onnxruntime", "FastAPI, onnxruntime int8, dynamic batching", python, "onnxruntime_server.py", model.folders.f32);
}

function pythonServer(id, label, python, script, folder) {
  return { id, label, open: () => open((port) => [python, [inRepository(`bench/serving/${script}`), folder, port]]) };
}

/** Starts a server on a free port and waits until it answers. */
async function open(command) {
  const port = await freePort();
  const [file, args] = command(String(port));
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors = (errors + data).slice(-2000)));
  const closed = new Promise((resolve) => {
    child.once("error", resolve);
    child.once("close", resolve);
  });
  let hasEnded = false;
  closed.then(() => (hasEnded = true));
  const close = async () => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.kill();
    await closed;
    clearTimeout(timer);
  };
  const origin = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const health = await healthOf(origin);
    if (health !== undefined) return { url: `${origin}/rerank`, pid: child.pid, settings: health.settings, close };
    if (hasEnded || performance.now() > deadline) {
      await close();
      throw new Error(`${file} ${args[0]} did not start: ${errors.trim().split("\n").slice(-3).join(" ") || "it printed no error"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Returns what a server says of itself; undefined if it does not answer yet. */
async function healthOf(origin) {
  try {
    const answer = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(1000) });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Returns the memory of a process that is resident now. */
export function residentBytes(pid) {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;
}
