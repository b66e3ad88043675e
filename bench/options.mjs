// The command line's options, and what they mean for a run.
import { parseArgs } from "node:util";

const sections = ["speed", "no-vnni", "shapes", "load", "memory", "flat", "families", "layers", "gpu", "serve", "python"];

/** The parts of a comparison with another revision, of which a run without --only leaves the last one out. */
const comparedParts = ["native", "browser", "node", "large"];

export const help = `./build.sh bench [options]
  --quick              few documents and repetitions, small shapes; checks that everything runs
  --no-build           measure the existing build
  --only SECTIONS      comma-separated sections: ${sections.join(", ")}
  --against REV        compare this build with that of another revision, and measure nothing else; --only then takes some of
                       ${comparedParts.join(", ")}; "large" loads a model of 1.1 GB in a browser
  --repetitions N      repetitions in all sections
  --max-documents N    skip runs with more than N documents
  --engines PATTERN    engines of the section "speed" whose name (where/engine/weights/threads) matches, e.g. chromium/.*/1
  --w100 FILE          JSON with "query" and "documents" to take texts from, instead of texts in the repository
  --checkpoint DIR     f32 or f16 checkpoint of MiniLM-L6 shape, instead of the default model
  --xlmr DIR           folder with XLM-R's tokenizer for the shapes that have it, instead of a synthetic one
  --hardware           in the section "gpu", use the GPU of this machine instead of a software adapter
  --shapes NAMES       comma-separated shapes of the sections "families" and "layers"
  --publish            also write the measured sections into docs/benchmarks.md, and docs/bench.svg`;

const optionTypes = {
  quick: { type: "boolean", default: false },
  only: { type: "string" },
  repetitions: { type: "string" },
  "max-documents": { type: "string" },
  engines: { type: "string" },
  w100: { type: "string" },
  checkpoint: { type: "string" },
  xlmr: { type: "string" },
  shapes: { type: "string" },
  hardware: { type: "boolean", default: false },
  against: { type: "string" },
  publish: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
};

/**
 * Parses the arguments.
 * @throws {Error} with a message for the user if an option is unknown or has a wrong value
 */
export function readOptions(args) {
  const { values } = parseArgs({ args, options: optionTypes });
  const isComparison = values.against !== undefined;
  const known = isComparison ? comparedParts : sections;
  const only = values.only?.split(",") ?? (isComparison ? known.slice(0, -1) : known);
  const unknown = only.find((section) => !known.includes(section));
  if (unknown !== undefined) throw new Error(`--only takes ${known.join(", ")}${isComparison ? " with --against" : ""}, not ${unknown}`);
  if (values.publish && isComparison) throw new Error("--publish cannot be used with --against: docs/benchmarks.md has no such section");
  const repetitions = wholeNumber("repetitions", values.repetitions);
  const maxDocuments = wholeNumber("max-documents", values["max-documents"]);
  if (!isPattern(values.engines ?? "")) throw new Error(`--engines takes a regular expression, not ${values.engines}`);
  if (values.publish && values.quick) throw new Error("--publish cannot be used with --quick: the figures of a quick run mean nothing");
  if (values.publish && values.engines !== undefined)
    throw new Error("--publish cannot be used with --engines: a section needs all its engines");
  return { ...values, only: isComparison ? ["versions"] : only, parts: isComparison ? only : [], repetitions, maxDocuments };
}

function isPattern(text) {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
}

function wholeNumber(name, text) {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} takes a whole number of at least 1, not ${text}`);
  return Number(text);
}

/**
 * Returns the sizes of all sections. `speed`, `noVnni`, `shape` and `flat` have pairs [documents, repetitions]; in `flat` all documents have the same length; `typed` is [documents, tokens of a pair]. A quick run runs everything once or twice with very few documents.
 */
export function benchConfig({ quick, hardware, repetitions, shapes, engines: pattern = "", maxDocuments = Infinity }) {
  const fullConfig = {
    speed: [
      [10, 5],
      [100, 3],
      [1000, 1],
    ],
    noVnni: [100, 3],
    shapes: ["minilm-l6", "minilm-l12", "bert-base", "bert-large"],
    shape: [100, 2],
    loads: 5,
    memory: 100,
    flat: [
      [10, 15],
      [100, 7],
      [1000, 3],
      [10_000, 1],
    ],
    versions: { documents: 100, typed: [50, 60], repetitions: 9, loads: 9 },
    gpu: hardware ? { pages: [100, 7], native: [100, 7] } : { pages: [4, 3], native: [4, 2] },
    families: [
      "ettin-17m",
      "ettin-32m",
      "ettin-68m",
      "ettin-150m",
      "ms-marco-electra-base",
      "mmarco-minilm-l12",
      "mxbai-rerank-base",
      "bge-reranker-base",
      "bge-reranker-large",
    ],
    family: 20,
    layers: [100, 5],
    layerShapes: ["bge-reranker-base", "bge-reranker-large"],
    python: [100, 7],
    serve: { connections: 64, documents: 10, requests: 256, steadySeconds: 60, turns: 3, turnSeconds: 20 },
  };
  const quickConfig = {
    speed: [
      [3, 2],
      [6, 2],
    ],
    noVnni: [6, 2],
    shapes: ["minilm-l6", "minilm-l12"],
    shape: [4, 2],
    loads: 2,
    memory: 6,
    flat: [
      [4, 2],
      [16, 2],
    ],
    versions: { documents: 6, typed: [4, 60], repetitions: 2, loads: 2 },
    gpu: { pages: [2, 1], native: [2, 1] },
    families: ["ettin-17m"],
    family: 4,
    layers: [4, 1],
    layerShapes: ["bge-reranker-base"],
    python: [4, 2],
    serve: { connections: 4, documents: 2, requests: 8, steadySeconds: 11, turns: 2, turnSeconds: 1 },
  };
  const engines = new RegExp(pattern);
  const isWithinMax = ([documents]) => documents <= maxDocuments;
  const base = {
    ...(quick ? quickConfig : fullConfig),
    ...(shapes === undefined ? {} : { families: shapes.split(","), layerShapes: shapes.split(",") }),
  };
  const chosen = { ...base, engines, hardware, speed: base.speed.filter(isWithinMax), flat: base.flat.filter(isWithinMax) };
  if (repetitions === undefined) return chosen;
  const withRepetitions = ([documents]) => [documents, repetitions];
  return {
    ...chosen,
    speed: chosen.speed.map(withRepetitions),
    noVnni: withRepetitions(chosen.noVnni),
    shape: withRepetitions(chosen.shape),
    versions: { ...chosen.versions, repetitions, loads: repetitions },
    python: withRepetitions(chosen.python),
    layers: withRepetitions(chosen.layers),
    loads: repetitions,
    flat: chosen.flat.map(withRepetitions),
    serve: { ...chosen.serve, turns: repetitions },
  };
}
