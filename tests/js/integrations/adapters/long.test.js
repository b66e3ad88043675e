// Frameworks that take minutes to install.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { installPacked } from "../../support/package/packed.js";
import { installTools, runTool } from "../../support/package/tools.js";
import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";
import { unlessLong } from "../../support/skips.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { query, documents } = question;
const packages = ["genkit@1.42.0", "@mastra/core@0.24.9", "@mastra/rag@1.3.6", "typescript@7.0.2", "@types/node@20.19.43"];

describe("in the real framework", { skip: unlessLong("installs Genkit and Mastra") }, () => {
  let project, expected;
  before(async () => {
    project = installPacked();
    installTools(project.folder, ...packages);
    cpSync(fileURLToPath(new URL("long/", import.meta.url)), project.folder, { recursive: true });
    const reranker = await Reranker.load(undefined, { workers: 1 });
    const score = async (scores) => (await reranker.rerank({ query, documents, topN: 2, scores })).results;
    expected = { model: await score("model"), sigmoid: await score("sigmoid") };
    reranker.dispose();
  });
  after(() => project?.remove());

  const run = (script) =>
    JSON.parse(
      execFileSync(process.execPath, [script, JSON.stringify([query, ...documents])], {
        cwd: project.folder,
        encoding: "utf8",
        timeout: 300_000,
      })
        .trim()
        .split("\n")
        .at(-1),
    );

  test("Genkit ranks, and keeps content and metadata", () => {
    assert.deepEqual(
      run("genkit.mjs"),
      expected.model.map(({ index, score }) => ({ text: documents[index], metadata: { source: `${index}.txt`, score } })),
    );
  });

  test("Mastra ranks the results of a vector search", () => {
    assert.deepEqual(
      run("mastra.mjs"),
      expected.sigmoid.map(({ index, score }) => ({ id: `${index}`, score })),
    );
  });

  test("the types are those of the frameworks", () => {
    const options = {
      target: "ES2022",
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
      lib: ["ES2023", "DOM"],
    };
    writeFileSync(join(project.folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] }));
    const { status, output } = runTool(project.folder, "tsc", ["-p", "."]);
    assert.equal(output, "");
    assert.equal(status, 0);
  });
});
