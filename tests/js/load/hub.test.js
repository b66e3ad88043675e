import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { files, id, model, otherModel, scoresFrom, withHub } from "../support/models/hub-model.js";
import { faults, filesIn } from "../support/servers/hub.js";

const [expected, otherExpected] = [await scoresFrom(model.url), await scoresFrom(otherModel.url)];
const context = withHub();

describe("a model of a Hub", () => {
  test("a model of a Hub has the scores of its folder, also from the cache and in a worker", async () => {
    assert.deepEqual(await context.scores(), expected);
    assert.deepEqual(await context.offline(), expected);
    assert.deepEqual(await context.offline({ workers: 1 }), expected);
  });

  test("the first file is requested at the encoded revision, all others at the commit that the Hub names", async () => {
    const commit = context.hub.publish(id, files, "refs/pr/1");
    await context.scores({ revision: "refs/pr/1" });
    const requested = context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => path);
    assert.equal(requested[0], `/${id}/resolve/refs%2Fpr%2F1/config.json`);
    assert.equal(requested.length, 11);
    for (const path of requested.slice(1)) assert.ok(path.startsWith(`/${id}/resolve/${commit}/`), path);
  });

  test("a base URL may have a path, with or without a slash at the end", async () => {
    for (const baseUrl of [`${context.hub.url}/mirror/of`, `${context.hub.url}/mirror/of/`]) {
      assert.deepEqual(await context.scores({ baseUrl, cache: false }), expected);
    }
    const starts = new Set(context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => path.split(id)[0]));
    assert.deepEqual([...starts], ["/mirror/of/"]);
  });

  test("a model that changes during the download is loaded at one commit", async () => {
    context.hub.faults.set("config.json", ({ response, head, bytes }) => {
      response.writeHead(200, head).end(bytes);
      context.hub.publish(id, filesIn(otherModel.url));
    });
    assert.deepEqual(await context.scores(), expected);
    context.hub.faults.clear();
    assert.deepEqual(await context.offline(), expected, "a branch stays at the commit it had");
    assert.deepEqual(await context.scores({ cache: false }), otherExpected);
  });

  test("a file of another commit than the requested one is refused", async () => {
    const commit = context.hub.publish(id, files);
    assert.deepEqual(await context.scores({ revision: commit }), expected);
    context.hub.faults.set("config.json", faults.otherCommit);
    await rejectsWith("integrity", /config\.json is of commit f{40} where [0-9a-f]{40} was expected.*try again/, () =>
      context.scores({ revision: commit, cache: false }),
    );
  });

  test("progress events have the bytes of each file and of all files, from the cache too", async () => {
    const downloaded = [];
    await context.scores({ onProgress: (progress) => downloaded.push(progress) });
    const cached = [];
    await context.offline({ onProgress: (progress) => cached.push(progress) });
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    for (const events of [downloaded, cached]) {
      assert.deepEqual(events.at(-1).overall, { loaded: total, total });
      const last = new Map(events.map((event) => [event.file, event]));
      for (const [name, { length }] of files) assert.deepEqual([last.get(name).loaded, last.get(name).total], [length, length], name);
      let before = 0;
      for (const { overall } of events) {
        assert.ok(overall.total === undefined || overall.total === total);
        assert.ok(overall.loaded >= before, "the progress does not go back");
        before = overall.loaded;
      }
    }
  });
});

describe("a token", () => {
  const token = "hf_SECRET";

  for (const [how, fault] of [
    ["a large file", undefined],
    ["a small file", faults.redirect],
  ]) {
    test(`a token is not sent to another host after a redirect of ${how}`, async () => {
      context.hub.gated.add(id);
      context.hub.tokens.add(token);
      if (fault !== undefined) context.hub.faults.set("tokenizer.json", fault);
      assert.deepEqual(await context.scores({ token }), expected);
      for (const { path, origin, authorization } of context.hub.requests) {
        assert.equal(authorization, origin === "hub" ? `Bearer ${token}` : undefined, path);
      }
      assert.ok(context.hub.requests.some(({ origin }) => origin === "elsewhere"));
    });
  }

  test("a token is sent again after a redirect to the same host", async () => {
    context.hub.gated.add(id);
    context.hub.tokens.add(token);
    context.hub.faults.set("config.json", faults.redirectHere);
    assert.deepEqual(await context.scores({ token }), expected);
  });

  test("the error for a missing or wrong token asks for one and does not repeat it", async () => {
    context.hub.gated.add(id);
    await rejectsWith("network", /answered 401 Unauthorized: "some-org\/a\.model".*private or gated.*option token/, () => context.scores());
    await assert.rejects(context.scores({ token }), ({ code, message }) => {
      assert.match(message, /answered 401 Unauthorized: the token has no access/);
      assert.ok(!message.includes(token));
      return code === "network";
    });
  });

  for (const fault of ["redirectInCircles", "redirectToFile"]) {
    test(`a load with a token fails with a network error if the server redirects wrongly: ${fault}`, async () => {
      context.hub.faults.set("tokenizer.json", faults[fault]);
      await rejectsWith("network", /tokenizer\.json (was redirected more than 10 times|redirects to a URL that is not http)/, () =>
        context.scores({ token }),
      );
    });
  }
});
