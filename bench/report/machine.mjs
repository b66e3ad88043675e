// The machine and the software with which a run measures.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";

import { processorFeatures, startChromium, withoutVnni } from "../engines/chromium.mjs";
import { inRepository } from "../paths.mjs";

/** Returns the machine, and the versions of all software that takes part. */
export async function describeMachine(site, python) {
  const browser = await startChromium(site);
  const { version: chromium } = browser;
  await browser.close();
  const features = await processorFeatures();
  const withoutVnniFeatures = await processorFeatures(withoutVnni.split("=").at(-1));
  const installed = (name) => JSON.parse(readFileSync(inRepository(`bench/node_modules/${name}/package.json`), "utf8")).version;
  const run = (command, ...args) => execFileSync(command, args, { encoding: "utf8", cwd: inRepository("."), stdio: "pipe" }).trim();
  const packages = ["onnxruntime", "onnx", "torch", "transformers", "sentence-transformers", "fastembed", "fastapi", "uvicorn"];
  const packageVersions = `import importlib.metadata as m; print(*(f"{d.name} {d.version}" for d in m.distributions() if d.name in ${JSON.stringify(packages)}), sep="\\n")`;
  return {
    machine: {
      processor: os.cpus()[0]?.model ?? "unknown",
      cores: os.cpus().length,
      memory_bytes: os.totalmem(),
      system: `${os.type()} ${os.release()} ${os.arch()}`,
      avx_vnni: features.AVX_VNNI ?? false,
      avx_vnni_switched_off: withoutVnniFeatures.AVX_VNNI ?? false,
      v8_features: features,
    },
    software: {
      ranklet: run("git", "describe", "--always", "--dirty"),
      rust: run("rustc", "--version").split(" ")[1],
      chromium,
      node: process.version,
      "transformers.js": installed("@huggingface/transformers"),
      "onnxruntime-web": installed("onnxruntime-web"),
      ...(python === undefined
        ? {}
        : Object.fromEntries(
            run(python, "-c", packageVersions)
              .split("\n")
              .map((line) => line.split(" ")),
          )),
    },
  };
}
