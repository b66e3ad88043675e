// What can be said on the command line.
import { parseArgs } from "node:util";

const peerSections = ["speed", "no-vnni", "shapes", "load", "memory", "flat", "families", "gpu"];
const sections = [...peerSections, "versions"];

export const help = `./build.sh bench [options]
  --quick              few documents and repetitions, small shapes: does everything run?
  --no-build           measure what is built
  --only SECTIONS      of ${sections.join(", ")}; separated by commas
  --repetitions N      instead of each section's own
  --most N             leave out what has more documents than that
  --engines PATTERN    in "speed", those alone whose name (where/engine/weights/threads) matches, as chromium/.*/1
  --w100 FILE          { "query", "documents" } to take texts from, instead of the bench's own
  --checkpoint DIR     an f32 or f16 checkpoint of MiniLM-L6 shape, instead of the default model
  --xlmr DIR           XLM-R's tokenizer for the shapes that have it, instead of a made-up one
  --hardware           "gpu" uses the GPU of this machine, in Chromium too, and not a software adapter
  --shapes NAMES       of the families' shapes, separated by commas
  --baseline DIR       for "versions": the repository of another build, with its program and package, to compare with this one
  --publish            also writes the measured sections into docs/benchmarks.md, and docs/bench.svg`;

const optionTypes = {
  quick: { type: "boolean", default: false },
  only: { type: "string" },
  repetitions: { type: "string" },
  most: { type: "string" },
  engines: { type: "string" },
  w100: { type: "string" },
  checkpoint: { type: "string" },
  xlmr: { type: "string" },
  shapes: { type: "string" },
  hardware: { type: "boolean", default: false },
  baseline: { type: "string" },
  publish: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
};

/** Reads the arguments; throws with a line for the person where they make no sense. */
export function readOptions(args) {
  const { values } = parseArgs({ args, options: optionTypes });
  const only = values.only?.split(",") ?? peerSections;
  const unknown = only.find((section) => !sections.includes(section));
  if (unknown !== undefined) throw new Error(`${unknown} is not one of ${sections.join(", ")}`);
  if (only.includes("versions") !== (values.baseline !== undefined)) throw new Error("--only versions and --baseline DIR need each other");
  const [repetitions, most] = [wholeNumber("repetitions", values.repetitions), wholeNumber("most", values.most)];
  if (!isPattern(values.engines ?? "")) throw new Error(`--engines takes a regular expression, not ${values.engines}`);
  if (values.publish && values.quick) throw new Error("a quick run measures nothing that may be published");
  if (values.publish && values.engines !== undefined) throw new Error("--publish needs all engines: leave out --engines");
  return { ...values, only, repetitions, most };
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
 * How much is measured. A quick run goes every way once or twice, with next to no work.
 * `speed` and `shapes` have pairs of documents and repetitions; `flat` likewise, all documents of one length.
 */
export function benchConfig({ quick, hardware, repetitions, shapes, engines: pattern = "", most: maxDocuments = Infinity }) {
  const fullConfig = {
    speed: [[10, 5], [100, 3], [1000, 1]],
    noVnni: [100, 3],
    shapes: ["minilm-l6", "minilm-l12", "bert-base", "bert-large"],
    shape: [100, 2],
    loads: 5,
    memory: 100,
    flat: [[10, 15], [100, 7], [1000, 3], [10_000, 1]],
    versions: [100, 7],
    gpu: hardware ? { pages: [100, 7], native: [100, 7] } : { pages: [4, 3], native: [4, 2] },
    families: [
      "ettin-17m", "ettin-32m", "ettin-68m", "ettin-150m", "ms-marco-electra-base", "mmarco-minilm-l12", "mxbai-rerank-base",
      "bge-reranker-base", "bge-reranker-large",
    ],
    family: 20,
  };
  const quickConfig = {
    speed: [[3, 2], [6, 2]],
    noVnni: [6, 2],
    shapes: ["minilm-l6", "minilm-l12"],
    shape: [4, 2],
    loads: 2,
    memory: 6,
    flat: [[4, 2], [16, 2]],
    versions: [6, 2],
    gpu: { pages: [2, 1], native: [2, 1] },
    families: ["ettin-17m"],
    family: 4,
  };
  const engines = new RegExp(pattern);
  const isWithinMax = ([documents]) => documents <= maxDocuments;
  const base = { ...(quick ? quickConfig : fullConfig), ...(shapes === undefined ? {} : { families: shapes.split(",") }) };
  const chosen = { ...base, engines, hardware, speed: base.speed.filter(isWithinMax), flat: base.flat.filter(isWithinMax) };
  if (repetitions === undefined) return chosen;
  const withRepetitions = ([documents]) => [documents, repetitions];
  return {
    ...chosen,
    speed: chosen.speed.map(withRepetitions),
    noVnni: withRepetitions(chosen.noVnni),
    shape: withRepetitions(chosen.shape),
    versions: withRepetitions(chosen.versions),
    loads: repetitions,
    flat: chosen.flat.map(withRepetitions),
  };
}
