// Servers that do not answer, or stop sending, without closing the connection. The package waits a minute, and these tests a
// hundredth or a thousandth of that.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { describe, test } from "node:test";

import { rejectsWith } from "../../support/assert.js";
import { files, model, scoresFrom, withHub } from "../../support/models/hub-model.js";
import { dist } from "../../support/paths.js";

const expected = await scoresFrom(model.url);
const context = withHub();
const never = () => new Promise(() => {});
/** Returns a body that sends some bytes, and then neither more nor its end. */
const stalled = (bytes) => new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(bytes)) });

/** Makes every wait shorter. */
function shorten(t, factor) {
  const { setTimeout } = globalThis;
  t.mock.method(globalThis, "setTimeout", (run, ms, ...rest) => setTimeout(run, ms / factor, ...rest));
}

/** Returns a fetch that answers the first requests for a file by `answer`, and requests the others. */
function fetchWith(name, answer, count = 1) {
  let answered = 0;
  return (url, init) => (url.pathname.endsWith(name) && answered++ < count ? answer(init) : fetch(url, init));
}

describe("a silent server", { timeout: 600_000 }, () => {
  test("a file whose request is not answered is requested again, and the first request ends", async (t) => {
    shorten(t, 100);
    let signal;
    const answer = (init) => {
      signal = init.signal;
      return never();
    };
    assert.deepEqual(await context.scores({ fetch: fetchWith("tokenizer.json", answer) }), expected);
    assert.equal(signal.aborted, true);
  });

  test("a file that stops in the middle is continued", async (t) => {
    shorten(t, 100);
    const content = files.get("tokenizer.json");
    const headers = { "content-length": content.length };
    const answer = async () => new Response(stalled(content.subarray(0, 1000)), { headers });
    assert.deepEqual(await context.scores({ fetch: fetchWith("tokenizer.json", answer) }), expected);
  });

  test("a server that never answers is an error", async (t) => {
    shorten(t, 1000);
    await rejectsWith("network", /config\.json could not be fetched: no byte arrived for 60 seconds/, () =>
      context.scores({ fetch: never }),
    );
  });

  for (const [what, answer] of [
    ["is not answered", never],
    ["stops in the middle", async () => new Response(stalled([123]))],
  ]) {
    test(`without a list of files whose request ${what}, files are requested one by one`, async (t) => {
      shorten(t, 100);
      context.hub.lists = true;
      assert.deepEqual(await context.scores({ fetch: fetchWith("/revision/main", answer) }), expected);
    });

    test(`an engine whose request ${what} is an error, and the next load requests it again`, async (t) => {
      shorten(t, 1000);
      const wasm = "https://engine.example/silent.wasm";
      await rejectsWith("network", /no byte arrived for (60|600) seconds/, () => scoresFrom(model.url, { wasm, fetch: answer }));
      const engine = async () => new Response(readFileSync(new URL("assets/ranklet_bg.wasm", dist)));
      assert.deepEqual(await scoresFrom(model.url, { wasm, fetch: engine }), expected);
    });
  }
});

for (const [what, body] of [
  ["a stream of Node", Readable.from(["{}"])],
  ["undefined", undefined],
]) {
  test(`a fetch whose response has ${what} as its body is an input error`, () => {
    const response = { status: 200, ok: true, type: "basic", headers: new Headers(), body };
    return rejectsWith("input", /fetch must return a Response with a web stream as its body/, () =>
      context.scores({ fetch: async () => response }),
    );
  });
}
