import { checkTargets } from "../../../bench/report/targets.mjs";

const engine = (where, peer, dtype, threads) => ({ label: peer, where, peer, dtype, threads });

/** Returns a report of one size with two engines in Chromium; `more` replaces fields. */
export function speedReport(more = {}) {
  const engines = {
    "chromium/ranklet/q8/1": engine("Chromium", "ranklet", "q8", 1),
    "chromium/transformers.js-sorted/q8/1": engine("Chromium", "transformers.js-sorted", "q8", 1),
  };
  const ms = { "chromium/ranklet/q8/1": [10, 20, 10], "chromium/transformers.js-sorted/q8/1": [50, 60, 1000] };
  const made = {
    quick: false,
    when: "2026-12-01T10:00:00.000Z",
    machine: { processor: "<x>", cores: 2, memory_bytes: 8e9, system: "none", avx_vnni: true },
    software: { ranklet: "abc", chromium: "156.0", "transformers.js": "4" },
    texts: "nothing",
    models: [{ name: "minilm-l6", layers: 6, hidden: 384, weights: "none", bytes: {} }],
    engines,
    notes: [],
    speed: {
      sizes: [
        { documents: 100, tokens: [7, 7, 7], engines: Object.keys(ms).map((id) => ({ id, ms: ms[id], backend: { file: "x.wasm" } })) },
      ],
      agreement: [],
    },
    ...more,
  };
  return { ...made, targets: checkTargets(made) };
}
