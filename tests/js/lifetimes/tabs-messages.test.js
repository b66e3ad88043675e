// Tabs with another version of the package, and invalid messages. No other tab waits for them or is harmed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { withTabs } from "../support/browsers/shared-tabs.js";
import { until } from "../support/until.js";

describe("messages of other tabs", { timeout: 600_000 }, () => {
  const { openTab, share, ranked, dispose, whenEnded } = withTabs();

  test("a tab with another version of the package, which has the same model, does not keep others waiting", async () => {
    const [first, other, third] = [await openTab(), await openTab(), await openTab()];
    await share(first);
    // Its shared worker is another one, and has the same lock.
    await other.evaluate(async () => {
      const { name } = (await navigator.locks.query()).held.find(({ name }) => /^ranklet [0-9a-f]{64}$/.test(name));
      await new Promise(
        (resolve) =>
          void navigator.locks.request(name, { mode: "shared" }, () => {
            resolve();
            return new Promise(() => {});
          }),
      );
    });
    await dispose(first);
    await sleep(400);
    const { backend, warnings } = await share(third);
    assert.deepEqual([backend.shared, warnings], ["tabs", []]);
    await dispose(third);
    await other.close();
    await whenEnded(third);
  });

  test("a tab whose first message is of another version of the package loads an engine of its own", async () => {
    const [first, other] = [
      await openTab(),
      await openTab(() => {
        const { postMessage } = MessagePort.prototype;
        MessagePort.prototype.postMessage = function (message, ...rest) {
          return postMessage.call(this, message?.type === "join" ? { type: "join", locks: [message.lock] } : message, ...rest);
        };
      }),
    ];
    await share(first);
    const { backend, warnings } = await Promise.race([share(other), sleep(100_000).then(() => assert.fail("the tab waits"))]);
    assert.equal(backend.shared, "page");
    assert.deepEqual(warnings, ["the engine is not shared with other tabs: their version of the package is another one"]);
    assert.deepEqual(await ranked(other), await ranked(first));
    await dispose(other);
    await dispose(first);
    await whenEnded(first);
  });

  test("an invalid message ends the connection of the tab that sent it, and no other", async () => {
    const [first, second] = [await openTab(), await openTab()];
    await share(first);
    const expected = await ranked(first);
    await second.evaluate(async () => {
      const { name } = (await navigator.locks.query()).held.find(({ name }) => /^ranklet [0-9a-f]{64}$/.test(name));
      const holdForever = (name) =>
        new Promise(
          (resolve) =>
            void navigator.locks.request(name, () => {
              resolve();
              return new Promise(() => {});
            }),
        );
      await holdForever("mine");
      const answers = [];
      const connect = (messages, calls = []) => {
        const { port } = new SharedWorker("/pkg/assets/shared-worker.js", { type: "module", name });
        port.onmessage = ({ data }) => answers.push(data.type === "failed" ? data.message : data.type);
        for (const message of messages) {
          const channel = new MessageChannel();
          port.postMessage(message, [channel.port2]);
          for (const call of calls) channel.port1.postMessage(call);
          channel.port1.onmessage = ({ data }) => answers.push(`${data.type} ${data.code}`);
        }
      };
      const join = { type: "join", lock: "mine" };
      const load = {
        type: "load",
        files: new Map([["config.json", new Blob(["{"])]]),
        settings: { device: "cpu", dtype: "auto" },
        workers: 1,
      };
      const wrong = [
        null,
        7,
        [],
        "leave",
        {},
        { type: "constructor" },
        { type: "join" },
        { type: "progress", progress: {} },
        { ...load, workers: 1e9 },
        load,
        join,
      ];
      for (const message of wrong) connect([join, message]);
      connect([null, { type: "leave" }, load]);
      connect([{ type: "join", lock: "nobody holds it" }]);
      const score = {
        type: "score",
        call: 1,
        scores: "raw",
        job: { kind: "prepared", query: "q", collection: 0, candidates: Uint32Array.of(99) },
      };
      connect(
        [join],
        [
          null,
          {},
          { type: "score", call: 2 },
          score,
          { type: "load", call: 3, files: new Map(), settings: load.settings },
          { type: "cancel", call: 77 },
          { type: "release", collection: 5 },
        ],
      );
      globalThis.answers = answers;
    });
    const answers = () => second.evaluate(() => answers);
    const count = async (pattern) => (await answers()).filter((answer) => pattern.test(answer)).length;
    const counts = async () => [await count(/^the tab (sent an invalid message|was not asked)/), await count(/^failed (input|disposed)/)];
    await until(async () => (await counts()).every((found, at) => found >= [11, 5][at]));
    await sleep(500);
    assert.deepEqual(await counts(), [11, 5], (await answers()).join("\n"));
    assert.deepEqual(await ranked(first), expected);
    await second.close();
    assert.deepEqual(await ranked(first), expected);
  });
});
