import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach } from "node:test";

import { dist } from "../paths.js";
import { filesIn, startHub } from "../servers/hub.js";
import { checkpoints } from "./fixtures.js";

const { Reranker } = await import(new URL("index.node.js", dist));

/** Two checkpoints with one label and every optional file. */
export const [model, otherModel] = checkpoints().filter(
  ({ url, expected }) => expected.num_labels === 1 && existsSync(new URL("modules.json", url)),
);
export const pairs = model.expected.pairs.slice(0, 3);
/** The first one's files, and the id under which the Hub has them. */
export const files = filesIn(model.url);
export const id = "some-org/a.model";

/** Scores of `pairs`. Computed on this thread unless the options say otherwise, for speed. */
export async function scoresFrom(source, options) {
  const reranker = await Reranker.load(source, { workers: 0, ...options });
  try {
    return await reranker.score(pairs);
  } finally {
    reranker.dispose();
  }
}

/**
 * A Hub with the model, and an empty cache, for each test of a file: the Hub itself as `hub`, the cache's folder as
 * `cache`.
 */
export function withHub() {
  const context = {
    /** The model, with scores, from the Hub through the cache. */
    load: (options) => Reranker.load(id, { baseUrl: context.hub.url, cache: context.cache, workers: 0, ...options }),
    scores: (options) => scoresFrom(id, { baseUrl: context.hub.url, cache: context.cache, ...options }),
    /** The scores with what is in the cache alone; a request is a failure. */
    offline: async (options) => {
      const asked = context.hub.requests.length;
      context.hub.down = true;
      try {
        return await context.scores(options);
      } finally {
        context.hub.down = false;
        assert.equal(context.hub.requests.length, asked, "requests made");
      }
    },
  };
  before(async () => (context.hub = await startHub()));
  after(() => context.hub.stop());
  beforeEach(() => {
    context.cache = mkdtempSync(join(tmpdir(), "ranklet-cache-"));
    context.hub.publish(id, files);
  });
  afterEach(() => {
    rmSync(context.cache, { recursive: true, force: true });
    Object.assign(context.hub, { requests: [], down: false });
    for (const set of [context.hub.faults, context.hub.gated, context.hub.tokens]) set.clear();
  });
  return context;
}
