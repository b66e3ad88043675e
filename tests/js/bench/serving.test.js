import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { preparePython } from "../../../bench/models/models.mjs";
import { markdown } from "../../../bench/report/report.mjs";
import { percentile, runLoad } from "../../../bench/serving/load-generator.mjs";
import { speedReport } from "../support/bench-report.js";
import { listen } from "../support/servers/listen.js";

const server = (id, rates, p99_ms) => ({ id, label: `server ${id}`, rates, p50_ms: 10, p99_ms });
const servers = [
  server("ranklet", [60, 80, 90], 100),
  server("sentence-transformers", [10, 10, 10], 400),
  server("onnxruntime", [30, 20, 30], 90),
];
const steady = { seconds: 60.4, requests: 4000, errors: [], p50_ms: 10, p99_ms: 90, settled_bytes: 80e6, final_bytes: 81e6 };
const report = speedReport({ speed: undefined, serve: { connections: 64, documents: 10, tokens: 1025.2, steady, servers } });

test("a percentile is the value that this share of the values is below", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.deepEqual([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)], [101, 199, 7]);
});

test("the targets of servers are the median of the turns' ratios, and the ratio of p99", () => {
  const measured = report.targets.filter(({ target }) => target.startsWith("serve")).map(({ measured, met }) => [measured, met]);
  assert.deepEqual(measured, [
    [8, true],
    [0.25, true],
    [3, true],
    [100 / 90, false],
  ]);
});

test("the report of servers has a row for each, and the memory of a minute", () => {
  const text = markdown(report);
  assert.match(text, /64 connections, each with one request under way; 10 documents and 1025 tokens per request/);
  assert.match(text, /\| server onnxruntime \| 30\.0 \| 10\.0 ms \| 90\.0 ms \| 3\.0 \|/);
  assert.match(
    text,
    /4000 requests, 0 errors, p50 10\.0 ms, p99 90\.0 ms; memory of the process 80\.0 MB after 10 s and 81\.0 MB at the end/,
  );
});

test("a Python without packages is refused with what it lacks", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-python-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const python = join(folder, "python");
  writeFileSync(python, "#!/bin/sh\necho fastapi uvicorn\n", { mode: 0o755 });
  const before = process.env.RANKLET_BENCH_PYTHON;
  process.env.RANKLET_BENCH_PYTHON = python;
  t.after(() => (before === undefined ? delete process.env.RANKLET_BENCH_PYTHON : (process.env.RANKLET_BENCH_PYTHON = before)));
  assert.throws(() => preparePython(["serve"]), /python has no fastapi, uvicorn; bench\/requirements\.txt lists what is needed/);
});

test("the load has a request per connection at a time, and counts wrong answers as errors", { timeout: 30_000 }, async () => {
  let [running, most] = [0, 0];
  const server = await listen((request, response) => {
    most = Math.max(most, ++running);
    request.resume().once("end", () =>
      setTimeout(() => {
        running--;
        response.writeHead(request.headers["content-length"] === "1" ? 200 : 500).end("{}");
      }, 5),
    );
  });
  const checked = new Set();
  const { latencies, errors } = await runLoad({
    url: `${server.url}/`,
    bodies: ["1", "22", "3"],
    connections: 3,
    seconds: 0.3,
    check: (_, index) => checked.add(index),
  });
  await server.stop();
  assert.equal(most, 3);
  assert.deepEqual([...checked].sort(), [0, 2]);
  assert.ok(latencies.length >= 2 && latencies.every((ms) => ms >= 4));
  assert.ok(errors.length >= 1 && errors.every((error) => error === "status 500: {}"));
});
