// Clients of PyPI against the handler and `ranklet serve`. The recorded requests of each client are answered in every run. With --long the
// clients themselves are installed and called, and the recording is compared with what they send now.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { serve } from "@hono/node-server";

import { rankletServer } from "../../../../bench/serving/servers.mjs";
import { dist, root } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";
import { unlessLong } from "../../support/skips.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createHandler } = await import(new URL("server/index.js", dist));
const { query, documents, best } = question;
const key = "key of the test";
const recording = new URL("tests/fixtures/rerank_clients.json", root);

/** The file of packages that each client is installed from, and the fields of the response that it cannot do without. */
const clients = {
  cohere_v2: { packages: "current", reads: ["results"] },
  cohere_v1: { packages: "current", reads: ["results"] },
  voyageai: { packages: "current", reads: ["data", "usage.total_tokens"] },
  llama_index_jina: { packages: "current", reads: ["results"] },
  llama_index_tei: { packages: "current", reads: [] },
  haystack_jina: { packages: "current", reads: ["results", "usage", "model"] },
  haystack_tei: { packages: "current", reads: [] },
  langchain_cohere: { packages: "cohere5", reads: ["results"] },
  llama_index_cohere: { packages: "cohere5", reads: ["results"] },
  haystack_cohere: { packages: "cohere5", reads: ["results"] },
  infinity_client: { packages: "infinity", reads: ["results", "usage", "model"] },
};

let reranker, ranking;
before(async () => {
  reranker = await Reranker.load();
  ranking = (await reranker.rerank({ query, documents, scores: "sigmoid" })).results;
  assert.equal(ranking[0].index, best);
});
after(() => reranker.dispose());

describe("the recorded request of", () => {
  const requests = JSON.parse(readFileSync(recording, "utf8"));

  for (const [name, { reads }] of Object.entries(clients)) {
    test(`${name} is answered as it reads it`, async () => {
      const { path, headers, body } = requests[name];
      const handler = createHandler(reranker, { apiKeys: key });
      const answer = await handler(new Request(`http://localhost${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
      assert.equal(answer.status, 200);
      const value = await answer.json();
      for (const field of reads) {
        const read = field.split(".").reduce((object, member) => object[member], value);
        assert.ok(read !== undefined && read !== null, `${field} is missing`);
      }
      const rows = reads.length === 0 ? value : value[reads[0]];
      assert.ok(Array.isArray(rows));
      const found = rows.map((row) => ({ index: row.index, score: row.relevance_score ?? row.score }));
      assert.deepEqual(found, ranking.slice(0, body.top_n ?? body.top_k ?? ranking.length));
    });
  }
});

describe("the client", {
  skip: unlessLong("installs the clients and calls them"),
}, () => {
  const sent = {};
  let current, server, origin, program;
  before(async () => {
    program = await rankletServer(["--api-key", key]).open();
    const handler = createHandler(reranker, { apiKeys: key });
    const record = async (request) => {
      const copy = request.clone();
      const { authorization, "content-type": type } = Object.fromEntries(request.headers);
      sent[current] = { path: new URL(request.url).pathname, headers: { authorization, "content-type": type }, body: await copy.json() };
      return handler(request);
    };
    server = serve({ fetch: record, port: 0, hostname: "127.0.0.1" });
    await new Promise((listening) => server.once("listening", listening));
    origin = `http://127.0.0.1:${server.address().port}`;
  });
  after(async () => {
    await program?.close();
    await new Promise((closed) => server.close(closed));
  });

  /** Calls the client. Returns the best two results. */
  async function results(name, packages, url) {
    const script = fileURLToPath(new URL("python/call_clients.py", import.meta.url));
    const { stdout } = await promisify(execFile)(python(packages), [script, url, key, name]);
    return JSON.parse(stdout).map(([index, score]) => ({ index, score: Math.fround(score) }));
  }

  for (const [name, { packages }] of Object.entries(clients)) {
    test(`${name} gets the ranking, and sends the recorded request`, async () => {
      current = name;
      assert.deepEqual(await results(name, packages, origin), ranking.slice(0, 2));
      assert.deepEqual(await results(name, packages, new URL(program.url).origin), ranking.slice(0, 2));
      // RANKLET_RECORD writes the recording anew.
      if (process.env.RANKLET_RECORD !== undefined) writeFileSync(recording, `${JSON.stringify(sent, undefined, 2)}\n`);
      assert.deepEqual(sent[name], JSON.parse(readFileSync(recording, "utf8"))[name]);
    });
  }
});

/** Returns a Python with the packages of `python/requirements-NAME.txt`, which is set up the first time. */
function python(name) {
  const folder = fileURLToPath(new URL(`.build/python-${name}/`, root));
  const program = `${folder}bin/python`;
  if (!existsSync(`${folder}ready`)) {
    execFileSync("python3", ["-m", "venv", folder], { timeout: 120_000 });
    execFileSync(
      program,
      ["-m", "pip", "install", "--quiet", "-r", fileURLToPath(new URL(`python/requirements-${name}.txt`, import.meta.url))],
      { stdio: "inherit", timeout: 600_000 },
    );
    writeFileSync(`${folder}ready`, "");
  }
  return program;
}
