// Downloads that are interrupted in Deno and Bun, as interrupted.test.js tests them in Node.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { files, id, model, withHub } from "../../support/models/hub-model.js";
import { installTools } from "../../support/package/tools.js";
import { dist, inRepository } from "../../support/paths.js";
import { faults, filesIn, inTurn, restAnsweredBy, sendFile } from "../../support/servers/hub.js";
import { unlessLong } from "../../support/skips.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const child = fileURLToPath(new URL("../../support/children/load-child.js", import.meta.url));
const weights = "model.safetensors";
const large = { id: "some-org/large", url: new URL(`file://${inRepository("models/default/")}`) };
large.files = filesIn(large.url);
const sizeOf = (all) => [...all.values()].reduce((sum, { length }) => sum + length, 0);
/** Max time of a process. */
const timeout = 60_000;

for (const [runtime, install] of [
  ["Deno", () => [inRepository("tests/js/node_modules/.bin/deno"), "run", "--allow-all"]],
  [
    "Bun",
    (folder) => {
      installTools(folder, "bun@1.4.5");
      return [join(folder, "node_modules/.bin/bun")];
    },
  ],
]) {
  describe(`downloads in ${runtime}`, { skip: unlessLong("installs the tools"), timeout: 600_000 }, () => {
    const context = withHub();
    let tools;
    let command;
    let right;
    before(() => {
      tools = mkdtempSync(join(tmpdir(), "ranklet-runtime-"));
      writeFileSync(join(tools, "package.json"), "{}");
      command = install(tools);
    });
    beforeEach(async () => {
      right ??= await load(id, join(tools, "cache"));
      Object.assign(context.hub, { requests: [], sent: 0 });
    });
    after(() => rmSync(tools, { recursive: true, force: true }));

    /** Starts a load in a process of its own. */
    function start(of = id, folder = context.cache) {
      const [program, ...args] = command;
      const started = spawn(program, [...args, child, of, context.hub.url, folder], {
        timeout,
        killSignal: "SIGKILL",
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [output, errors] = ["", ""];
      started.stdout.on("data", (text) => (output += text));
      started.stderr.on("data", (text) => (errors += text));
      const ended = new Promise((resolve) => started.on("close", (code, signal) => resolve({ code, signal, output, errors })));
      return { started, ended };
    }

    async function load(of, folder) {
      const { output, errors } = await start(of, folder).ended;
      assert.notEqual(output, "", errors);
      return JSON.parse(output);
    }

    /** Asserts that a load is right, fetched hardly any byte twice, and is in the cache. */
    async function loadsWithLittleWaste(of = id, { size = sizeOf(files), expected = right } = {}) {
      assert.deepEqual(await load(of), expected);
      assert.ok(context.hub.sent <= 1.05 * size, `${context.hub.sent} bytes were sent for ${size}`);
      await isCached(of, expected);
    }

    async function isCached(of = id, expected = right) {
      const requested = context.hub.requests.length;
      context.hub.down = true;
      assert.deepEqual(await load(of), expected);
      context.hub.down = false;
      assert.equal(context.hub.requests.length, requested);
    }

    test(`in ${runtime}, a model has the scores of Node, and loads from the cache`, async () => {
      const reranker = await Reranker.load(model.url, { workers: 0 });
      const [expected] = await reranker.score([["a query", "a document"]]);
      reranker.dispose();
      assert.deepEqual([right.warnings, Math.abs(right.score - expected) < 1e-5], [[], true], JSON.stringify({ right, expected }));
      await loadsWithLittleWaste();
    });

    test(`in ${runtime}, a download that breaks off in several places continues there`, async () => {
      context.hub.publish(large.id, large.files);
      const { length } = large.files.get(weights);
      const expected = await load(large.id, join(context.cache, "expected"));
      context.hub.sent = 0;
      const part = Math.floor(length / 12);
      const answers = Array.from({ length: 10 }, (_, at) => faults.cutAt(part + at * 1000, 50));
      context.hub.setFault(weights, inTurn(answers));
      context.hub.setFault("tokenizer.json", inTurn([faults.cutAt(1000, 50)]));
      await loadsWithLittleWaste(large.id, { size: sizeOf(large.files), expected });
      assert.equal(answers.length, 0, "every answer was sent");
    });

    test(`in ${runtime}, a load waits as long as the server asks`, async () => {
      context.hub.setFault("tokenizer.json", inTurn([faults.retryAfter(429, 1), faults.retryAfter(503, 1)]));
      const started = Date.now();
      await loadsWithLittleWaste();
      assert.ok(Date.now() - started >= 1990);
    });

    for (const [what, rest, beginning] of [
      ["its ETag changes", sendFile, faults.olderBeginning],
      ["its server ignores ranges", faults.whole],
      ["its server answers 416", faults.outOfRange],
      ["its server sends another range", faults.wrongRange],
    ]) {
      test(`in ${runtime}, a file starts again if ${what}`, async () => {
        const fault = restAnsweredBy(rest, beginning);
        context.hub.setFault("tokenizer.json", fault);
        assert.deepEqual(await load(), right);
        assert.ok(fault.wasSent);
      });
    }

    test(`in ${runtime}, weights with another SHA-256 are refused and not cached`, async () => {
      const wrong = Buffer.from(files.get(weights));
      wrong[wrong.length - 1] ^= 1;
      context.hub.setFault(weights, (exchange) => sendFile({ ...exchange, bytes: wrong }));
      const { code, message } = await load();
      assert.equal(code, "integrity", message);
      assert.deepEqual(context.models(), []);
      context.hub.clearFaults();
      assert.deepEqual(await load(), right);
      await isCached();
    });

    test(`in ${runtime}, a process that is killed in the middle is continued by the next one`, async () => {
      context.hub.publish(large.id, large.files);
      const expected = await load(large.id, join(context.cache, "expected"));
      context.hub.sent = 0;
      const { length } = large.files.get(weights);
      let timer;
      const half = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error("the weights were not requested")), timeout);
        context.hub.setFault(weights, ({ response, head, bytes }) => {
          response.writeHead(200, head).write(bytes.subarray(0, length / 2), () => setTimeout(resolve, 1000));
        });
      });
      const { started, ended } = start(large.id);
      await half;
      clearTimeout(timer);
      started.kill("SIGKILL");
      await ended;
      assert.ok(existsSync(context.cache));
      context.hub.clearFaults();
      await loadsWithLittleWaste(large.id, { size: sizeOf(large.files), expected });
    });

    test(`in ${runtime}, several processes that begin together download a model once`, async () => {
      const scores = await Promise.all([load(), load(), load()]);
      assert.deepEqual(scores, [right, right, right]);
      assert.equal(context.hub.requests.filter(({ origin }) => origin === "elsewhere").length, 1);
    });
  });
}
