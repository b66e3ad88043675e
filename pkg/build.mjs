// Builds dist/ around the engine that wasm-bindgen has put into dist/wasm: compiles src/ and copies the default model.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const dist = new URL("dist/", import.meta.url);
const model = new URL("../models/default/", import.meta.url);
const modelFiles = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "config_sentence_transformers.json",
  "model.safetensors",
];

if (!existsSync(new URL("wasm/ranklet_bg.wasm", dist))) {
  console.error("pkg/dist/wasm/ranklet_bg.wasm is missing: build the engine first (./build.sh wasm)");
  process.exit(1);
}
for (const name of readdirSync(dist)) {
  if (name !== "wasm") rmSync(new URL(name, dist), { recursive: true });
}
execFileSync("npx", ["--no-install", "tsc", "-p", "."], { cwd: fileURLToPath(new URL(".", import.meta.url)), stdio: "inherit" });
mkdirSync(new URL("default/", dist));
for (const name of modelFiles) copyFileSync(new URL(name, model), new URL(`default/${name}`, dist));
