// Prepares the checkpoints that are measured. They are kept in .build/bench/models until their recipe changes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

import { inOutput, inRepository } from "../paths.mjs";

/** Shapes of common BERT checkpoints. */
const shapes = {
  "minilm-l6": { layers: 6, hidden: 384, heads: 12, intermediate: 1536 },
  "minilm-l12": { layers: 12, hidden: 384, heads: 12, intermediate: 1536 },
  "bert-base": { layers: 12, hidden: 768, heads: 12, intermediate: 3072 },
  "bert-large": { layers: 24, hidden: 1024, heads: 16, intermediate: 4096 },
};

/** The path of Ranklet's program. */
export const program = inRepository("target/release/ranklet");

/**
 * Makes a model unless it exists: a q8 folder for Ranklet, and an f32 folder with ONNX files of the same model for the
 * peers. The folders are `{name}-q8` and `{name}` in a folder with the layout of the Hub.
 * @param {string} name a name in `shapes`; "minilm-l6" has the weights of the default model or of `checkpoint`
 */
export function prepareModel(name, python, checkpoint) {
  const real = name === "minilm-l6";
  const source = real ? (checkpoint ?? inRepository("models/default")) : undefined;
  const weights = real
    ? checkpoint === undefined
      ? "the default model; its f32 twin is dequantized"
      : `${checkpoint.split("/").filter(Boolean).at(-1)}, q8 by ranklet quantize`
    : "random";
  const recipe = fingerprint(name, source);
  const [f32Folder, q8Folder] = [inOutput(`models/bench/${name}`), inOutput(`models/bench/${name}-q8`)];
  const recipePath = `${f32Folder}/recipe`;
  if (!existsSync(recipePath) || readFileSync(recipePath, "utf8") !== recipe) {
    console.error(`making ${name} (${weights}) and its ONNX files; later runs use them again`);
    for (const folder of [f32Folder, q8Folder]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(inOutput("models/bench"), { recursive: true });
    makeModel({ name, f32Folder, q8Folder, source, checkpoint, python });
    writeFileSync(recipePath, recipe);
  }
  const bytes = (path) => statSync(path).size;
  return {
    name,
    weights,
    ...shapes[name],
    folders: { f32: f32Folder, q8: q8Folder },
    bytes: {
      "ranklet q8": bytes(`${q8Folder}/model.safetensors`),
      "ranklet f32": bytes(`${f32Folder}/model.safetensors`),
      "onnx q8": bytes(`${f32Folder}/onnx/model_quantized.onnx`),
      "onnx f32": bytes(`${f32Folder}/onnx/model.onnx`),
    },
  };
}

/** Copies the default model, for measurements without peers. */
export function prepareDefault() {
  const folder = inOutput("models/bench/default");
  cpSync(inRepository("models/default"), folder, { recursive: true });
  return { name: "default", folders: { f32: folder, q8: folder } };
}

/**
 * Makes a checkpoint of a family with random weights in f16, unless it exists.
 * @param {string} name a name in shapes.py
 * @param {string} [xlmr] the folder of XLM-R's tokenizer
 */
export function prepareFamily(name, python, xlmr) {
  const [folder, script] = [inOutput(`models/bench/${name}`), inRepository("bench/models/shapes.py")];
  const recipe = createHash("sha256")
    .update(JSON.stringify([name, xlmr ?? null]))
    .update(readFileSync(script))
    .digest("hex");
  const recipePath = `${folder}/recipe`;
  if (!existsSync(recipePath) || readFileSync(recipePath, "utf8") !== recipe) {
    console.error(`making ${name}; later runs use it again`);
    rmSync(folder, { recursive: true, force: true });
    runPython(python, [script, name, folder, inRepository("models/default"), ...(xlmr === undefined ? [] : [xlmr])]);
    writeFileSync(recipePath, recipe);
  }
  return { name, folders: { f32: folder, q8: folder }, bytes: statSync(`${folder}/model.safetensors`).size };
}

function makeModel({ name, f32Folder, q8Folder, source, checkpoint, python }) {
  const script = (...args) => runPython(python, [inRepository("bench/models/checkpoints.py"), ...args]);
  if (checkpoint !== undefined && name === "minilm-l6") {
    cpSync(checkpoint, f32Folder, { recursive: true, dereference: true });
    execFileSync("chmod", ["-R", "u+w", f32Folder]);
    execFileSync(program, ["quantize", "--model", f32Folder, "--dtype", "q8", "--out", q8Folder], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  } else {
    if (source !== undefined) cpSync(source, q8Folder, { recursive: true });
    else {
      const { layers, hidden, heads, intermediate } = shapes[name];
      script("random", inRepository("models/default"), q8Folder, ...[layers, hidden, heads, intermediate].map(String));
    }
    script("dequantize", q8Folder, f32Folder);
  }
  script("export", f32Folder);
}

/** Returns a hash of everything that the model is made from. */
function fingerprint(name, source) {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([name, source ?? null, shapes[name]]));
  for (const file of ["bench/models/checkpoints.py", "bench/requirements.txt", "models/default/model.safetensors"])
    hash.update(readFileSync(inRepository(file)));
  if (source !== undefined) hash.update(readFileSync(`${source}/model.safetensors`));
  return hash.digest("hex");
}

/** Modules of Python that sections need beyond those of the exporter. */
const modules = { serve: ["fastapi", "uvicorn", "sentence_transformers"], python: ["fastembed", "sentence_transformers"] };

/**
 * Returns the path of a Python with onnxruntime and the exporter: RANKLET_BENCH_PYTHON or RANKLET_PYTHON, or that of an
 * environment which this function makes.
 * @param {string[]} sections the sections of the run
 * @throws {Error} if the named Python lacks modules
 */
export function preparePython(sections) {
  const named = process.env.RANKLET_BENCH_PYTHON ?? process.env.RANKLET_PYTHON;
  if (named !== undefined) {
    const needed = [
      "onnxruntime",
      "onnxslim",
      "tokenizers",
      "torch",
      "transformers",
      ...sections.flatMap((section) => modules[section] ?? []),
    ];
    const script = "import importlib.util as u, sys; print(*(n for n in sys.argv[1:] if u.find_spec(n) is None))";
    const missing = execFileSync(named, ["-c", script, ...needed], { encoding: "utf8" }).trim();
    if (missing !== "") throw new Error(`${named} has no ${missing.split(" ").join(", ")}; bench/requirements.txt lists what is needed`);
    return named;
  }
  const folder = inRepository(".build/bench-venv");
  const [python, stampPath] = [`${folder}/bin/python`, `${folder}/requirements.txt`];
  const requirements = inRepository("bench/requirements.txt");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === readFileSync(requirements, "utf8")) return python;
  console.error("making a Python environment in .build/bench-venv; with PyTorch it takes some gigabytes");
  try {
    execFileSync("python3", ["-m", "venv", "--clear", folder], { stdio: "inherit" });
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], { stdio: "inherit" });
  } catch (error) {
    throw new Error(`the Python environment could not be made (Python 3.11 or later with venv is needed): ${error.message}`);
  }
  writeFileSync(`${stampPath}.new`, readFileSync(requirements));
  renameSync(`${stampPath}.new`, stampPath);
  return python;
}

function runPython(python, args) {
  try {
    execFileSync(python, args, { stdio: ["ignore", "ignore", "pipe"], maxBuffer: 1 << 26 });
  } catch (error) {
    throw new Error(
      `${args.slice(0, 2).join(" ")}: ${String(error.stderr ?? error.message)
        .trim()
        .split("\n")
        .slice(-5)
        .join("\n")}`,
    );
  }
}
