import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { inRepository } from "../../support/paths.js";

test("the adapters have the types that the frameworks expect", () => {
  const integrations = fileURLToPath(new URL("..", import.meta.url));
  const folder = mkdtempSync(join(integrations, "node_modules/.types-"));
  try {
    const types = (name) => [inRepository(`pkg/dist/${name}.d.ts`)];
    const adapters = ["ai-sdk", "langchain", "mastra", "orama"].map((name) => [`ranklet/${name}`, types(`adapters/${name}`)]);
    const strict = { target: "ES2022", strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true };
    const options = {
      ...strict,
      module: "ESNext",
      moduleResolution: "Bundler",
      lib: ["ES2023", "DOM", "DOM.Iterable"],
      types: ["node"],
      paths: Object.fromEntries([["ranklet", types("index")], ...adapters]),
    };
    const consumer = fileURLToPath(new URL("consumer.ts", import.meta.url));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: [consumer] }));
    const { status, stdout } = spawnSync(join(integrations, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
