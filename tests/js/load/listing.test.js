// The list of a model's files that a Hub gives, so that no file is requested that does not exist.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { files, id, model, scoresFrom, withHub } from "../support/models/hub-model.js";
import { faults } from "../support/servers/hub.js";

const expected = await scoresFrom(model.url);
const context = withHub();

/** The paths of all requests for files, without those that follow a redirect. */
const paths = () => context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => path);

describe("a Hub that lists a model's files", () => {
  test("exactly the files that the model has are requested, at the commit of config.json", async () => {
    const commit = context.hub.publish(id, new Map([...files, ["README.md", Buffer.from("# A model")]]), "refs/pr/1");
    context.hub.lists = true;
    assert.deepEqual(await context.scores({ revision: "refs/pr/1" }), expected);
    assert.deepEqual(
      context.hub.listings.map(({ path }) => path),
      [`/api/models/${id}/revision/refs%2Fpr%2F1?blobs=true`],
    );
    const wanted = [...files.keys()].filter((name) => name !== "config.json").map((name) => `/${id}/resolve/${commit}/${name}`);
    assert.deepEqual(paths().sort(), [`/${id}/resolve/refs%2Fpr%2F1/config.json`, ...wanted].sort());
    assert.deepEqual(await context.offline({ revision: "refs/pr/1" }), expected);
  });

  test("the list is requested from the folder of the base URL, with the token", async () => {
    context.hub.lists = true;
    context.hub.gated.add(id);
    context.hub.tokens.add("hf_SECRET");
    assert.deepEqual(await context.scores({ baseUrl: `${context.hub.url}/mirror`, token: "hf_SECRET" }), expected);
    const [{ path, authorization }] = context.hub.listings;
    assert.deepEqual([path, authorization], [`/mirror/api/models/${id}/revision/main?blobs=true`, "Bearer hf_SECRET"]);
  });

  test("progress ends with the bytes of all files", async () => {
    context.hub.lists = true;
    const events = [];
    await context.scores({ onProgress: (event) => events.push(event) });
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual(events.at(-1).overall, { loaded: total, total });
  });

  test("a list of another commit than that of config.json does not count", async () => {
    context.hub.lists = true;
    context.hub.publish(id, new Map([["config.json", files.get("config.json")]]));
    const list = context.hub.publish(id, new Map([["config.json", Buffer.from("{}")]]));
    context.hub.publish(id, files);
    context.hub.faults.set("list", ({ response }) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ sha: list, siblings: [{ rfilename: "config.json" }] }));
    });
    assert.deepEqual(await context.scores(), expected);
  });

  const answers = {
    "a status of 500": faults.status(500),
    "a page": faults.page,
    "an array": ({ response }) => response.writeHead(200).end("[]"),
    "no siblings": ({ response }) => response.writeHead(200).end("{}"),
    "siblings that are no list": ({ response }) => response.writeHead(200).end('{"siblings": {"config.json": 1}}'),
    "too many files": ({ response }) => response.writeHead(200).end(JSON.stringify({ siblings: Array(10_001).fill({ rfilename: "a" }) })),
    "a closed connection": ({ request }) => request.socket.destroy(),
  };
  for (const [what, fault] of Object.entries(answers)) {
    test(`with ${what} instead of the list, files are requested one by one`, async () => {
      context.hub.faults.set("list", fault);
      assert.deepEqual(await context.scores(), expected);
      assert.ok(paths().length > files.size);
    });
  }

  test("names in a list that are no strings are ignored", async () => {
    const siblings = [...[...files.keys()].map((rfilename) => ({ rfilename })), { rfilename: 7 }, null, "x"];
    context.hub.faults.set("list", ({ response }) => response.writeHead(200).end(JSON.stringify({ siblings })));
    assert.deepEqual(await context.scores(), expected);
    assert.equal(paths().length, files.size);
  });

  test("a model that does not exist, or is private, has the errors of a Hub without lists", async () => {
    context.hub.lists = true;
    await rejectsWith("network", /config\.json is missing: .* answered 404; check the id/, () =>
      scoresFrom("no/model", { baseUrl: context.hub.url, cache: false }),
    );
    context.hub.gated.add(id);
    await rejectsWith("network", /401 Unauthorized: "some-org\/a\.model" does not exist, or is private or gated/, () => context.scores());
  });

  test("an abort ends the request for the list", async () => {
    const controller = new AbortController();
    context.hub.faults.set("list", () => controller.abort());
    await rejectsWith("aborted", /./, () => context.scores({ signal: controller.signal }));
  });
});
