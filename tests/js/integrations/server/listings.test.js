// The programs of docs/server.md, as a reader copies them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { read } from "../../support/docs/markdown.js";
import { installPacked } from "../../support/package/packed.js";
import { freePort } from "../../support/servers/free-port.js";
import { question } from "../../support/servers/rerank-handler.js";
import { until } from "../../support/until.js";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));
const [node, worker] = [...read("docs/server.md").matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
const { query, documents, best } = question;

describe("the programs of docs/server.md", () => {
  let project;
  before(() => {
    project = installPacked();
    for (const name of ["@hono", "hono"]) symlinkSync(join(modules, name), join(project.folder, "node_modules", name));
  });
  after(() => project.remove());

  const write = (name, code) => {
    const path = join(project.folder, name);
    writeFileSync(path, code);
    return path;
  };

  test("the one for Node answers without further settings", async () => {
    const port = await freePort();
    assert.match(node, /port: 8787\b/);
    const child = spawn(process.execPath, [write("node.js", node.replace("8787", port))], { stdio: ["ignore", "ignore", "inherit"] });
    try {
      const url = `http://127.0.0.1:${port}`;
      const healthy = () =>
        fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        );
      await until(healthy, 60_000);
      const body = JSON.stringify({ query, documents });
      const answer = await fetch(`${url}/v1/rerank`, { method: "POST", headers: { "content-type": "application/json" }, body });
      assert.equal((await answer.json()).results[0].index, best);
    } finally {
      child.kill();
    }
  });

  test("the one for Workers answers without a secret, and with apiKeys only clients that have the key", async () => {
    const models = (program, headers, env) => program.default.fetch(new Request("https://api.example/models", { headers }), env);
    const secret = { API_KEY: "k" };
    const open = await import(pathToFileURL(write("worker.js", worker)));
    assert.equal((await models(open, {}, {})).status, 200);
    const closed = await import(pathToFileURL(write("closed.js", worker.replace("{ maxBody", "{ apiKeys: env.API_KEY, maxBody"))));
    assert.equal((await models(closed, {}, secret)).status, 401);
    assert.equal((await models(closed, { authorization: "Bearer k" }, secret)).status, 200);
  });
});
