// Several workers: the same scores as one, whatever happens to some of them.
import assert from "node:assert/strict";
import { afterEach, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { asked, failing, failingLate, loadPool, modelFiles, silent } from "../support/pool.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { loadScorer } = await import(new URL("load.js", dist));
const { node } = await import(new URL("platform/node.js", dist));
const { windows } = await import(new URL("windows.js", dist));
const { Cutter } = await import(new URL("worker/shares.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const several = checkpoint((labels) => labels > 1);

/** Short and long ones, and some that are equal: more than a window. */
const many = Array.from({ length: 700 }, (_, at) => `document ${at % 690} has ${(at % 690) * 7919} words ${"of its own ".repeat(at % 13)}`);
const query = "a query";

async function all(parts) {
  const come = [];
  for await (const part of parts) come.push(part);
  return come;
}

async function last(parts) {
  return (await all(parts)).at(-1);
}

/** A promise, and the function that resolves it. */
function signal() {
  let tell;
  return { told: new Promise((resolve) => (tell = resolve)), tell };
}

/** Resolves when every worker has ended. */
function ended(started) {
  return Promise.all(started.map(({ worker }) => new Promise((resolve) => (worker.threadId === -1 ? resolve() : worker.once("exit", resolve)))));
}

describe("any number of workers", () => {
  const candidates = Array.from({ length: 300 }, (_, at) => (at * 37) % 700);
  let expected;
  let labels;
  before(async () => {
    expected = await answers(0);
    labels = await labelled(0);
  });

  async function answers(workers) {
    const reranker = await Reranker.load(url, { workers });
    const collection = await reranker.prepare(many);
    const { results, usage, backend, timings } = await reranker.rerank({ query, documents: many });
    const streamed = (await all(reranker.stream({ query, documents: many }))).flatMap((part) => part.results);
    const found = {
      scores: await reranker.score(many.map((document, at) => [`${query} ${at % 3}`, document]), { scores: "raw" }),
      reranked: [results, usage],
      streamed: streamed.sort((a, b) => a.index - b.index),
      ranked: (await last(collection.rank(query))).results,
      chosen: (await last(collection.rank(query, { candidates, topN: 50 }))).results,
    };
    assert.equal(backend.workers, workers);
    assert.ok(timings.engineMs > 0);
    reranker.dispose();
    return found;
  }

  async function labelled(workers) {
    const reranker = await Reranker.load(several.url, { workers });
    const scores = await reranker.score(many.map((document) => [query, document]));
    reranker.dispose();
    return scores;
  }

  for (const workers of [1, 2, 3]) {
    test(`${workers} give the same bits as the calling thread, in the same order`, async () => {
      assert.deepEqual(await answers(workers), expected);
      assert.deepEqual(await labelled(workers), labels);
    });
  }
});

test("a window is as large as there are workers to share it", () => {
  const cut = (workers) => [...windows(Array(1000).fill("d"), ({ length }) => length, workers)].map(({ length }) => length);
  assert.deepEqual(cut(0), [256, 256, 256, 232]);
  assert.deepEqual(cut(1), [256, 256, 256, 232]);
  assert.deepEqual(cut(3), [768, 232]);
  const long = [...windows(Array(9).fill("d".repeat(20_000)), ({ length }) => length, 2)].map(({ length }) => length);
  assert.deepEqual(long, [4, 4, 1]);
});

describe("shares of a work", () => {
  const shares = (work, workers, maxLength = 512) => {
    const cutter = new Cutter(work, maxLength);
    const cut = [];
    for (let share; (share = cutter.next(workers)) !== undefined; ) cut.push(share);
    assert.ok(cutter.done);
    return cut;
  };
  const characters = ({ work }) => work.documents.join("").length;
  const asQuery = (documents) => ({ kind: "query", query, documents, reading: { maxTokensPerDocument: undefined, longDocuments: "truncate" } });

  test("are neighbours, all of them, large at first and small in the end", () => {
    const cut = shares(asQuery(many), 2);
    assert.deepEqual(cut.flatMap(({ work }) => work.documents), many);
    assert.deepEqual(cut.flatMap(({ places }) => [...places]), [...many.keys()]);
    const sizes = cut.map(characters);
    const whole = many.join("").length;
    assert.ok(sizes[0] > whole / 5 && sizes[0] < whole / 3, `${sizes} of ${whole}`);
    for (const size of sizes.slice(-3)) assert.ok(size > 300 && size < 1500, `${sizes}`);
    assert.ok(sizes.length > 8, `${sizes}`);
  });

  test("have the queries of their pairs", () => {
    const queries = many.map((_, at) => `query ${at}`);
    const cut = shares({ kind: "pairs", queries, documents: many }, 3);
    assert.deepEqual(cut.flatMap(({ work }) => work.queries), queries);
    assert.deepEqual(cut.flatMap(({ work }) => work.documents), many);
  });

  test("are of one document where that is long, which counts for no more than what is read of it", () => {
    assert.deepEqual(shares(asQuery(Array(4).fill("long ".repeat(1000))), 2).map(({ places }) => places.length), [1, 1, 1, 1]);
    const cut = shares(asQuery(["long ".repeat(100_000), ...Array(63).fill("long ".repeat(50))]), 2, 48);
    assert.ok(cut.length > 3 && cut[0].places.length > 5, `${cut.map(({ places }) => places.length)}`);
  });
});

describe("a pool", () => {
  let reranker;
  let started;
  const pool = async (...args) => ({ reranker, started } = await loadPool(...args));
  afterEach(() => reranker?.dispose());

  test("has each worker score some, and streams what each has scored when it has", async () => {
    await pool(3);
    const parts = await all(reranker.stream({ query, documents: many, returnDocuments: true }));
    const shares = started.map((worker) => asked(worker, "score").length);
    assert.ok(Math.min(...shares) > 0 && shares.reduce((sum, count) => sum + count) > 6, `${shares} shares`);
    let done = 0;
    for (const part of parts) assert.deepEqual([part.done, part.total], [(done += part.results.length), 700]);
    const results = parts.flatMap((part) => part.results);
    assert.ok(results.every(({ index, document }) => document === many[index]));
    assert.deepEqual(results.map(({ index }) => index).sort((a, b) => a - b), [...many.keys()]);
    assert.ok(results.some(({ index }, at) => index !== at), "no worker waits for another's turn");
  });

  test("gives what is small to one worker, and two small calls to two", async () => {
    await pool(2);
    const small = () => reranker.rerank({ query, documents: many.slice(0, 6) });
    await small();
    assert.deepEqual(started.map((worker) => asked(worker, "score").length), [1, 0]);
    await Promise.all([small(), small()]);
    assert.deepEqual(started.map((worker) => asked(worker, "score").length), [2, 1]);
  });

  test("gives the best of a collection so far while it goes on, equal ones in the order asked for", async () => {
    await pool(2);
    const collection = await reranker.prepare(many);
    const scores = await reranker.score(many.map((document) => [query, document]));
    const candidates = [...many.keys()].reverse();
    const tops = await all(collection.rank(query, { candidates }));
    assert.ok(tops.length > 3);
    for (const { results, done } of tops) {
      assert.equal(results.length, done);
      for (const [at, { index, score }] of results.entries()) {
        assert.equal(score, scores[index]);
        const before = results[at - 1];
        if (before !== undefined) assert.ok(before.score > score || (before.score === score && before.index > index));
      }
    }
  });

  test("shares a collection out: every document is prepared once", async () => {
    await pool(3);
    await reranker.prepare(many);
    const prepared = started.map((worker) => asked(worker, "prepare").flatMap(({ batch }) => batch.documents));
    assert.deepEqual(prepared.flat().sort(), [...many].sort());
    const characters = prepared.map((documents) => documents.join("").length);
    assert.ok(Math.max(...characters) - Math.min(...characters) < 500, `${characters}`);
  });

  test("frees a collection in every worker; another one stays", async () => {
    await pool(2);
    const gone = await reranker.prepare(many);
    const kept = await reranker.prepare(many);
    const underWay = gone.rank(query);
    gone.dispose();
    await assert.rejects(all(underWay), { code: "disposed" });
    assert.equal((await last(kept.rank(query))).done, 700);
    for (const worker of started) assert.equal(asked(worker, "forget").length, 1);
  });

  test("two calls at once are right, and neither waits for the other", async () => {
    await pool(2);
    const queries = ["one", "two words"];
    const alone = [];
    for (const text of queries) alone.push((await reranker.rerank({ query: text, documents: many })).results);
    const turns = [];
    const calls = queries.map((text) => reranker.rerank({ query: text, documents: many, onProgress: () => turns.push(text) }));
    assert.deepEqual((await Promise.all(calls)).map(({ results }) => results), alone);
    assert.deepEqual(new Set(turns.slice(0, 8)), new Set(queries), `turns: ${turns.slice(0, 8)}`);
  });

  test("an abort ends a call in every worker, and the next call is right", async () => {
    await pool(2);
    const expected = await reranker.rerank({ query, documents: many });
    const controller = new AbortController();
    const { told, tell } = signal();
    let [parts, partsAtAbort] = [0, 0];
    const call = reranker.rerank({ query, documents: many, signal: controller.signal, onProgress: () => (parts++, tell()) });
    await told;
    controller.abort("enough");
    partsAtAbort = parts;
    await assert.rejects(call, { code: "aborted", cause: "enough" });
    for (const worker of started) assert.ok(asked(worker, "cancel").length > 0);
    assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected.results);
    assert.equal(parts, partsAtAbort, "nothing is told of after the abort");
  });

  test("what a listener throws ends its call in every worker, and is not tried again", async () => {
    await pool(2);
    const thrown = new Error("mine");
    let told = 0;
    const onProgress = () => {
      told++;
      throw thrown;
    };
    await assert.rejects(reranker.rerank({ query, documents: many, onProgress }), (error) => error === thrown);
    assert.equal((await reranker.rerank({ query, documents: many })).results.length, 700);
    assert.equal(told, 1);
    assert.equal(started.length, 2);
  });

  test("dispose rejects what is under way and ends every worker", async () => {
    await pool(2);
    const collection = await reranker.prepare(many);
    const ranking = collection.rank(query);
    await ranking.next();
    const calls = [reranker.rerank({ query, documents: many }), all(ranking), reranker.prepare(many)];
    setImmediate(() => reranker.dispose());
    for (const { reason } of await Promise.allSettled(calls)) assert.equal(reason?.code, "disposed");
    await ended(started);
    await rejectsWith("disposed", /load the model again/, () => reranker.score([["q", "d"]]));
    assert.equal(started.length, 2, "no worker was started anew");
  });

  test("errors name the document where the caller has it", async () => {
    const files = modelFiles();
    const tokenizer = JSON.parse(await files.get("tokenizer.json").text());
    tokenizer.added_tokens.push({ ...tokenizer.added_tokens.at(-1), id: 1000, content: "[BEYOND]" });
    files.set("tokenizer.json", new Blob([JSON.stringify(tokenizer)]));
    await pool(2, { files });
    const documents = many.with(600, "a word [BEYOND] the vocabulary");
    const message = /^document 600: the token "\[BEYOND\]"/;
    await rejectsWith("tokenizer", message, () => reranker.rerank({ query, documents }));
    await rejectsWith("tokenizer", message, () => all(reranker.stream({ query, documents })));
    await rejectsWith("tokenizer", /^pair 600: the token/, () => reranker.score(documents.map((document) => [query, document])));
    const collection = await reranker.prepare(documents);
    await rejectsWith("tokenizer", message, () => all(collection.rank(query, { candidates: [5, 600, 7] })));
    assert.equal((await reranker.rerank({ query, documents: many })).results.length, 700);
  });
});

describe("a pool that loses workers", () => {
  let reranker;
  let started;
  let expected;
  const pool = async (...args) => ({ reranker, started } = await loadPool(...args));
  before(async () => {
    const other = await Reranker.load(url, { workers: 0 });
    expected = (await other.rerank({ query, documents: many })).results;
    other.dispose();
  });
  afterEach(() => reranker?.dispose());

  /** Reranks, and does something when the first micro-batch is scored. */
  async function rerankWhile(meanwhile) {
    let first = true;
    let done = 0;
    const onProgress = (progress) => {
      assert.ok(progress.done > done, "nothing is told of twice");
      done = progress.done;
      if (first) meanwhile();
      first = false;
    };
    return (await reranker.rerank({ query, documents: many, onProgress })).results;
  }

  for (const lost of [[0], [1], [0, 1], [0, 1, 2]]) {
    test(`scores all the same when ${lost.length} of 3 end in the middle of a call (${lost})`, async () => {
      await pool(3);
      assert.deepEqual(await rerankWhile(() => lost.forEach((at) => void started[at].worker.terminate())), expected);
      assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected);
      assert.equal(started.length, 3 + lost.length, "and replaces them");
    });
  }

  test("ranks a collection all the same, and prepares again only what is lost", async () => {
    await pool(2);
    const collection = await reranker.prepare(many);
    const ranking = collection.rank(query);
    await ranking.next();
    void started[1].worker.terminate();
    assert.deepEqual((await last(ranking)).results, expected);
    const prepared = (worker) => asked(worker, "prepare").flatMap(({ batch }) => batch.documents);
    assert.equal(started.length, 3);
    assert.deepEqual(prepared(started[2]), prepared(started[1]));
    assert.ok(prepared(started[2]).length < 400);
  });

  test("prepares a collection all the same", async () => {
    await pool(2);
    const preparing = reranker.prepare(many, { onProgress: () => void started[0].worker.terminate() });
    assert.deepEqual((await last((await preparing).rank(query))).results, expected);
  });

  for (const [document, message] of [["trap", /failed \(unreachable\)/], ["exit", /the worker ended/]]) {
    test(`gives a document up that costs two workers (${document}), and the next call is right`, async () => {
      await pool(2);
      await rejectsWith("internal", message, () => reranker.rerank({ query, documents: [document] }));
      assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected);
      assert.ok(started.length <= 4, `${started.length} workers`);
    });
  }

  test("a call that costs one worker of two does not end the calls beside it", async () => {
    await pool(2);
    const results = rerankWhile(() => void started[0].worker.terminate());
    const beside = reranker.score(many.map((document) => [query, document]));
    assert.deepEqual(await results, expected);
    assert.equal((await beside).length, 700);
  });

  test("does without one that cannot be replaced, and does not try for ever", async () => {
    await pool(2, { program: (at) => (at < 2 ? new URL("../support/children/trapping-worker.js", import.meta.url) : failing) });
    assert.deepEqual(await rerankWhile(() => void started[1].worker.terminate()), expected);
    for (let at = 0; at < 3; at++) assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected);
    assert.equal(started.length, 3);
  });

  test("says why when none can be replaced, and tries again with the next call", async () => {
    let program = new URL("../support/children/trapping-worker.js", import.meta.url);
    await pool(2, { program: () => program });
    const working = program;
    program = failing;
    for (const { worker } of started) await worker.terminate();
    await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, () => reranker.rerank({ query, documents: many }));
    program = working;
    assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected);
  });

  for (const [name, end, code] of [
    ["an abort", (controller) => controller.abort(), "aborted"],
    ["dispose", () => reranker.dispose(), "disposed"],
  ]) {
    test(`does not hold up ${name} while all are being replaced`, async () => {
      await pool(2, { program: (at) => (at < 2 ? new URL("../support/children/trapping-worker.js", import.meta.url) : silent) });
      for (const { worker } of started) await worker.terminate();
      const controller = new AbortController();
      const call = reranker.score([["q", "d"]], { signal: controller.signal });
      setTimeout(() => end(controller), 50);
      await assert.rejects(call, { code });
    });
  }
});

describe("loading a pool", () => {
  const trapping = new URL("../support/children/trapping-worker.js", import.meta.url);

  test("of a number waits for every worker", async () => {
    const { reranker, started } = await loadPool(3);
    await Promise.all(["one", "two", "three"].map((document) => reranker.score([[query, document]])));
    assert.deepEqual(started.map((worker) => asked(worker, "score").length), [1, 1, 1]);
    reranker.dispose();
  });

  for (const [when, program] of [["at once", failing], ["when the others are ready", failingLate]]) {
    test(`of a number fails where one fails ${when}, and leaves no worker behind`, async () => {
      const started = [];
      const loading = () => loadPool(3, { program: (at) => (at === 1 ? program : trapping), started });
      await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, loading);
      assert.equal(started.length, 3);
      await ended(started);
    });
  }

  test("of as many as there are processors fails where the first does, and leaves no worker behind", async () => {
    const started = [];
    const files = modelFiles().set("config.json", new Blob(["{"]));
    await rejectsWith("config", /config\.json/, () => loadPool(3, { all: false, files, started }));
    assert.equal(started.length, 3);
    await ended(started);
  });

  test("of as many as there are processors waits for the first alone, does without one that fails, and has the others join", async () => {
    const { reranker, started } = await loadPool(4, { all: false, program: (at) => [trapping, failing, silent, trapping][at] });
    const { told, tell } = signal();
    const joined = setInterval(() => asked(started[3], "score").length > 0 && tell(), 5);
    const expected = (await reranker.rerank({ query, documents: many })).results;
    assert.equal(started.length, 4);
    const stop = new AbortController();
    const calls = (async () => {
      while (!stop.signal.aborted) assert.deepEqual((await reranker.rerank({ query, documents: many })).results, expected);
    })();
    await told;
    clearInterval(joined);
    stop.abort();
    await calls;
    assert.equal(started.length, 4);
    reranker.dispose();
  });

  test("of as many as there are processors: a collection is shared out over all of them", async () => {
    const { reranker, started } = await loadPool(2, { all: false });
    await reranker.prepare(many);
    for (const worker of started) assert.ok(asked(worker, "prepare").length > 0);
    reranker.dispose();
  });
});

describe("how many workers", () => {
  const load = async (platform) => {
    let started = 0;
    const startWorker = () => (started++, node.startWorker());
    const { scorer, info } = await loadScorer({ ...node, startWorker, ...platform }, url);
    scorer.dispose();
    return [info.backend.workers, started];
  };

  test("auto is one a processor, at most 4, and one where the model is large", async () => {
    assert.deepEqual(await load({ processors: () => 1 }), [1, 1]);
    assert.deepEqual(await load({ processors: () => 3 }), [3, 3]);
    assert.deepEqual(await load({ processors: () => 16 }), [4, 4]);
    const readFile = async (...args) => {
      const blob = await node.readFile(...args);
      return blob && Object.defineProperty(blob, "size", { value: 50e6 });
    };
    assert.deepEqual(await load({ processors: () => 16, readFile }), [1, 1]);
  });

  test("info says how many", async () => {
    for (const workers of [0, 1, 2]) {
      const reranker = await Reranker.load(url, { workers });
      assert.equal(reranker.info.backend.workers, workers);
      reranker.dispose();
    }
    const reranker = await Reranker.load(url);
    assert.ok(reranker.info.backend.workers >= 1 && reranker.info.backend.workers <= 4);
    reranker.dispose();
  });
});
