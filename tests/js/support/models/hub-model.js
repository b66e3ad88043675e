import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach } from "node:test";

import { dist } from "../paths.js";
import { filesIn, startHub } from "../servers/hub.js";
import { checkpoints } from "./fixtures.js";

const { Reranker } = await import(new URL("index.node.js", dist));

/** Two checkpoints with one label and all optional files. */
export const [model, otherModel] = checkpoints().filter(
  ({ url, expected }) => expected.num_labels === 1 && existsSync(new URL("modules.json", url)),
);
export const pairs = model.expected.pairs.slice(0, 3);
/** The files of `model`, and its id on the Hub. */
export const files = filesIn(model.url);
export const id = "some-org/a.model";

/** Returns the scores of `pairs`, by default computed on this thread, which is faster for tests. */
export async function scoresFrom(source, options) {
  const reranker = await Reranker.load(source, { workers: 0, ...options });
  try {
    return await reranker.score(pairs);
  } finally {
    reranker.dispose();
  }
}

/**
 * Starts a Hub for the tests of a file. Each test finds the model on it, and an empty cache.
 * @returns {{ hub, cache, models, load, scores, offline }} `cache` is the folder of the cache
 */
export function withHub() {
  const context = {
    /** Returns the folders of the cache that have a complete model. */
    models: () => readdirSync(context.cache).filter((name) => existsSync(join(context.cache, name, "manifest.json"))),
    /** Loads the model from the Hub through the cache. */
    load: (options) => Reranker.load(id, { baseUrl: context.hub.url, cache: context.cache, workers: 0, ...options }),
    scores: (options) => scoresFrom(id, { baseUrl: context.hub.url, cache: context.cache, ...options }),
    /** Returns the scores of the cached model; fails if there is a request. */
    offline: async (options) => {
      const count = () => context.hub.requests.length + context.hub.listings.length;
      const requested = count();
      context.hub.down = true;
      try {
        return await context.scores(options);
      } finally {
        context.hub.down = false;
        assert.equal(count(), requested, "requests made");
      }
    },
  };
  const { random } = Math;
  const started = new Date();
  before(async () => {
    context.hub = await startHub();
    Math.random = () => random() / 100; // Waits before a request is repeated are random, and so they are short.
  });
  after(async () => {
    Math.random = random;
    await context.hub.stop();
    // A test of an earlier run may have had the same port.
    const stored = (await Reranker.cache.list()).filter(
      ({ url, lastUsed }) => url.startsWith(`${context.hub.url}/`) && lastUsed >= started,
    );
    assert.deepEqual(stored, [], "a test stored models in the user's cache");
  });
  beforeEach(() => {
    context.cache = mkdtempSync(join(tmpdir(), "ranklet-cache-"));
    context.hub.publish(id, files);
  });
  afterEach(() => {
    rmSync(context.cache, { recursive: true, force: true });
    context.hub.reset();
  });
  return context;
}
