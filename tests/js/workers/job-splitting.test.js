// Cutting documents into windows, and jobs into the chunks that workers score.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { dist } from "../support/paths.js";
import { manyDocuments, query } from "../support/pool.js";

const { windows } = await import(new URL("scoring/windows.js", dist));
const { JobSplitter } = await import(new URL("worker/job-splitter.js", dist));

test("the size of a window is proportional to the number of workers", () => {
  const cut = (workers) => [...windows(Array(1000).fill("d"), ({ length }) => length, workers)].map(({ length }) => length);
  assert.deepEqual(cut(0), [256, 256, 256, 232]);
  assert.deepEqual(cut(1), [256, 256, 256, 232]);
  assert.deepEqual(cut(3), [768, 232]);
  const long = [...windows(Array(9).fill("d".repeat(20_000)), ({ length }) => length, 2)].map(({ length }) => length);
  assert.deepEqual(long, [4, 4, 1]);
});

describe("chunks of a job", () => {
  const chunks = (job, workers, maxLength = 512) => {
    const splitter = new JobSplitter(job, maxLength);
    const cut = [];
    for (let chunk; (chunk = splitter.next(workers)) !== undefined; ) cut.push(chunk);
    assert.ok(splitter.done);
    return cut;
  };
  const characters = ({ job }) => job.documents.join("").length;
  const asQuery = (documents) => ({
    kind: "query",
    query,
    documents,
    limits: { maxTokensPerDocument: undefined, longDocuments: "truncate" },
  });

  test("chunks of a job are consecutive and cover it, with large ones first and small ones at the end", () => {
    const cut = chunks(asQuery(manyDocuments), 2);
    assert.deepEqual(
      cut.flatMap(({ job }) => job.documents),
      manyDocuments,
    );
    assert.deepEqual(
      cut.flatMap(({ indices }) => [...indices]),
      [...manyDocuments.keys()],
    );
    const sizes = cut.map(characters);
    const whole = manyDocuments.join("").length;
    assert.ok(sizes[0] > whole / 5 && sizes[0] < whole / 3, `${sizes} of ${whole}`);
    for (const size of sizes.slice(-3)) assert.ok(size > 300 && size < 1500, `${sizes}`);
    assert.ok(sizes.length > 8, `${sizes}`);
  });

  test("chunks of pairs have the queries of their documents", () => {
    const queries = manyDocuments.map((_, at) => `query ${at}`);
    const cut = chunks({ kind: "pairs", queries, documents: manyDocuments }, 3);
    assert.deepEqual(
      cut.flatMap(({ job }) => job.queries),
      queries,
    );
    assert.deepEqual(
      cut.flatMap(({ job }) => job.documents),
      manyDocuments,
    );
  });

  test("a chunk is a single document if that is long, and a document counts only as far as it is read", () => {
    assert.deepEqual(
      chunks(asQuery(Array(4).fill("long ".repeat(1000))), 2).map(({ indices }) => indices.length),
      [1, 1, 1, 1],
    );
    const cut = chunks(asQuery(["long ".repeat(100_000), ...Array(63).fill("long ".repeat(50))]), 2, 48);
    assert.ok(cut.length > 3 && cut[0].indices.length > 5, `${cut.map(({ indices }) => indices.length)}`);
  });
});
