import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import Ajv from "ajv/dist/2020.js";

import { dist, root } from "../../support/paths.js";
import { client } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const description = JSON.parse(readFileSync(new URL("docs/openapi.json", root), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema({ $id: "api", components: description.components });

let reranker;
before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
after(() => reranker.dispose());

/** Asserts that a value has the form of a schema, whose references are those of the description. */
function assertForm(schema, value, what) {
  const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/'));
  assert.ok(ajv.validate(absolute, value), `${what}: ${ajv.errorsText()}\n${JSON.stringify(value)}`);
}

/** Returns the schema of a described answer, which may be a reference to a common one. */
function jsonForm(response) {
  const described = response.$ref === undefined ? response : description.components.responses[response.$ref.split("/").at(-1)];
  return described.content["application/json"].schema;
}

test("the description has the handler's paths and no others", async () => {
  const { message } = await (await client(reranker).get("/")).json();
  const known = message.slice(message.indexOf("known paths are ") + "known paths are ".length).split(", ");
  assert.deepEqual(Object.keys(description.paths), known);
});

for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    describe(`${method.toUpperCase()} ${path}`, () => {
      const requests = Object.entries(operation.requestBody?.content["application/json"].examples ?? { empty: {} });
      for (const [name, { value }] of requests) {
        test(`answers the example "${name}" in the described form`, async () => {
          const { post, get } = client(reranker);
          if (method === "post") assertForm(operation.requestBody.content["application/json"].schema, value, "the example");
          const response = method === "post" ? await post(path, value) : await get(path);
          assert.equal(response.status, 200);
          const [type] = Object.keys(operation.responses[200].content);
          assert.ok(response.headers.get("content-type").startsWith(type));
          if (type === "application/json") assertForm(jsonForm(operation.responses[200]), await response.json(), "the answer");
        });
      }

      if (method === "post") {
        test("answers wrong requests in the described form", async () => {
          const refused = [
            [{}, {}],
            [{}, { query: 1, texts: ["a"], text_1: 1 }],
            [{ maxDocuments: 1 }, { query: "q", documents: ["a", "b"], text_1: "q" }],
            [{ apiKeys: "k" }, { query: "q", documents: ["a"] }],
          ];
          const statuses = new Set();
          for (const [options, body] of refused) {
            const response = await client(reranker, options).post(path, body);
            statuses.add(response.status);
            const form = operation.responses[response.status];
            assert.ok(form !== undefined, `status ${response.status} is not described`);
            assertForm(jsonForm(form), await response.json(), `the answer with status ${response.status}`);
          }
          assert.ok(statuses.size >= 3, [...statuses].join());
        });
      }
    });
  }
}
