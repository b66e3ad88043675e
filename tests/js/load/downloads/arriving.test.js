// Large weights, which workers of a page read while they are downloaded.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { assertClose } from "../../support/assert.js";
import { launchFirefox } from "../../support/browsers/firefox.js";
import { withHubPage } from "../../support/browsers/hub-page.js";
import { launchWebKit, noWebKit } from "../../support/browsers/webkit.js";
import { scoresFrom } from "../../support/models/hub-model.js";
import { writeRandomModel } from "../../support/models/random-model.js";
import { faults, filesIn, inTurn } from "../../support/servers/hub.js";

const id = "some-org/large";
const weights = "model.safetensors";
const megabyte = 2 ** 20;
const layers = { workers: 2, split: "layers" };

/** Ends a file before its port has been received. Returns the messages of the port. Runs in a page. */
async function receiveLate() {
  const { ArrivingFile } = await import("/pkg/model/arriving-file.js");
  let resolve;
  const file = new ArrivingFile(3, ({ onPiece }) => {
    onPiece(new Blob(["abc"]));
    return new Promise((done) => {
      resolve = done;
    });
  });
  const data = file.forWorker();
  const channel = new MessageChannel();
  channel.port1.postMessage(data, [data.port]);
  resolve(new Blob(["abc"]));
  await file.whole;
  await new Promise((done) => setTimeout(done, 50));
  const { port } = await new Promise((done) => (channel.port2.onmessage = (event) => done(event.data)));
  const messages = [];
  const ended = new Promise((done) => {
    port.onmessage = ({ data: piece }) => {
      messages.push(piece);
      if (piece === null) done();
    };
    setTimeout(done, 60_000);
  });
  await ended;
  return Promise.all(messages.map((piece) => (piece === null ? null : piece.text())));
}

describe("large weights", () => {
  const context = withHubPage();
  const folder = mkdtempSync(join(tmpdir(), "ranklet-arriving-"));
  let files;
  let expected;
  before(async () => {
    const model = pathToFileURL(`${folder}/`);
    writeRandomModel(model, { layers: 2, hidden: 384 });
    files = filesIn(model);
    expected = await scoresFrom(model);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const load = (options, fault, on) => {
    context.hub.publish(id, files);
    // A page does not see the length of a file on another origin, but that in the list.
    context.hub.lists = true;
    if (fault !== undefined) context.hub.setFault(weights, fault);
    return context.load({ workers: 1, ...options }, { source: id, on });
  };
  const assertRight = (outcome) => assertClose(outcome.scores ?? [JSON.stringify(outcome)], expected, 1e-5, "scores");

  /** Asserts that a load downloads the weights, and is right. */
  async function downloads(options, fault, on) {
    const before = context.hub.requests.length;
    assertRight(await load(options, fault, on));
    const requested = context.hub.requests.slice(before).filter(({ path }) => path.endsWith(weights));
    assert.notEqual(requested.length, 0, `the weights were not requested with ${JSON.stringify(options)}`);
  }

  /** Asserts that loads with each of these options download the weights, without a cache and into a new Cache of this name. */
  async function downloadsWithEach(variants, on) {
    for (const [name, options] of Object.entries(variants)) {
      for (const cache of [false, name]) await downloads({ cache, ...options }, undefined, on);
    }
  }

  test("a worker reports wrong weights before they are complete", async () => {
    const wrong = ({ response, head, bytes }) => {
      const damaged = Buffer.from(bytes.subarray(0, 20 * megabyte));
      damaged.fill("?", 8, 100);
      response.writeHead(200, head).write(damaged);
    };
    for (const cache of [false, true]) {
      const outcome = await load({ cache }, wrong);
      assert.equal(outcome.code, "weights", JSON.stringify(outcome));
      assert.match(outcome.message, /may be damaged: try again/);
      context.hub.clearFaults();
    }
  });

  test("workers with all layers or some of them read weights while they are stored or not", async () => {
    const variants = { one: {}, two: { workers: 2 }, layers };
    await downloadsWithEach(variants);
    context.hub.down = true;
    for (const [name, options] of Object.entries(variants)) assertRight(await load({ cache: name, ...options }));
  });

  test("a download that breaks goes on, and one that begins again is read when it is complete", async () => {
    const broken = faults.cutAt(30 * megabyte);
    for (const isCached of [false, true]) {
      for (const [workers, ...answers] of [
        [1, broken],
        [2, broken, faults.whole],
      ]) {
        await downloads({ workers, cache: isCached && `of ${workers}` }, inTurn(answers));
        assert.equal(answers.length, 0, "every answer was sent");
      }
    }
  });

  for (const [name, launch] of [
    ["Firefox", launchFirefox],
    ["WebKit", launchWebKit],
  ]) {
    test(`workers read weights while they are stored or not in ${name}`, { skip: name === "WebKit" && noWebKit }, async () => {
      const browser = await launch();
      try {
        const on = await browser.newPage();
        await on.goto(context.page.url());
        await downloadsWithEach({ one: {}, layers }, on);
        assert.deepEqual(await on.evaluate(receiveLate), ["abc", null]);
      } finally {
        await browser.close();
      }
    });
  }

  test("a file with another SHA-256 is refused although the engine has read it", async () => {
    const damaged = ({ response, head, bytes }) => {
      const changed = Buffer.from(bytes);
      changed[changed.length - 3] ^= 1;
      response.writeHead(200, head).end(changed);
    };
    for (const cache of [false, true]) {
      const outcome = await load({ cache }, damaged);
      assert.equal(outcome.code, "integrity", JSON.stringify(outcome));
      context.hub.clearFaults();
    }
    assert.deepEqual(await context.models(), []);
    assertRight(await load({}));
  });
});
