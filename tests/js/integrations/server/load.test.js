// Many connections at once: every answer is right, and the memory of `ranklet serve` does not grow. With --long the program
// is loaded for a minute.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { serve } from "@hono/node-server";

import { runLoad } from "../../../../bench/serving/load-generator.mjs";
import { rankletServer } from "../../../../bench/serving/servers.mjs";
import { steadyLoad } from "../../../../bench/serving/steady.mjs";
import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";
import { unlessLong } from "../../support/skips.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createHandler } = await import(new URL("server/index.js", dist));
const { query, documents } = question;

const connections = 64;
const shortSeconds = 1;
/** Buffers of connections may still grow after the first measurement. */
const maxGrowth = 8e6;

/** Different numbers of documents, so that micro-batches have parts of several requests. */
const requests = [3, 1, 2].map((count) => ({
  query,
  documents: Array.from({ length: count }, (_, index) => `${documents[index % 3]} (${index})`),
}));
const bodies = requests.map((request) => JSON.stringify(request));
const timeout = 180_000;

let reranker, expected;
before(async () => {
  reranker = await Reranker.load();
  expected = await Promise.all(requests.map(async (request) => (await reranker.rerank({ ...request, scores: "sigmoid" })).results));
});
after(() => reranker?.dispose());

/** Throws unless the answer has the ranking and the bits that Ranklet gives to this request alone. */
function check({ results }, index) {
  assert.deepEqual(
    results.map(({ index, relevance_score: score }) => ({ index, score: Math.fround(score) })),
    expected[index],
  );
}

describe(`${connections} connections`, () => {
  test("to the handler get right answers", { timeout }, async () => {
    const server = serve({ fetch: createHandler(reranker), port: 0, hostname: "127.0.0.1" });
    await new Promise((listening) => server.once("listening", listening));
    try {
      const url = `http://127.0.0.1:${server.address().port}/rerank`;
      const { latencies, errors } = await runLoad({ url, bodies, connections, seconds: shortSeconds, check });
      assert.deepEqual(errors, []);
      assert.ok(latencies.length >= connections);
    } finally {
      await new Promise((closed) => server.close(closed));
    }
  });

  test("to ranklet serve get right answers", { timeout }, async () => {
    const server = await rankletServer().open();
    try {
      const { latencies, errors } = await runLoad({ url: server.url, bodies, connections, seconds: shortSeconds, check });
      assert.deepEqual(errors, []);
      assert.ok(latencies.length >= connections);
    } finally {
      await server.close();
    }
  });

  test("to ranklet serve for a minute leave its memory as it is", { timeout, skip: unlessLong("has the time") }, async (t) => {
    const server = await rankletServer().open();
    try {
      const { requests, errors, settled_bytes, final_bytes } = await steadyLoad(server, { bodies, connections, seconds: 60, check });
      t.diagnostic(
        `${requests} requests; ${(settled_bytes / 1e6).toFixed(1)} MB after 10 s, ${(final_bytes / 1e6).toFixed(1)} MB after 60 s`,
      );
      assert.deepEqual(errors, []);
      assert.ok(final_bytes - settled_bytes < maxGrowth, `${settled_bytes} bytes after 10 s, ${final_bytes} after 60 s`);
    } finally {
      await server.close();
    }
  });
});
