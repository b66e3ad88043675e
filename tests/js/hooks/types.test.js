// The types of the hooks, with those of the real frameworks.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { frameworkProject } from "../support/package/framework-project.js";

describe("types", () => {
  let project;
  before(() => {
    project = frameworkProject();
    cpSync(fileURLToPath(new URL("consumers", import.meta.url)), project.folder, { recursive: true });
  });
  after(() => project?.remove());

  const strict = {
    target: "ES2022",
    lib: ["ES2023", "DOM", "DOM.Iterable", "ESNext.Disposable"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    jsx: "react-jsx",
    types: [],
  };
  const bundler = { module: "ESNext", moduleResolution: "Bundler" };
  const cases = {
    "react.tsx": { ...bundler, skipLibCheck: false },
    "vue.ts": { ...bundler, skipLibCheck: true },
    "svelte.ts": { ...bundler, skipLibCheck: true },
    "node10.ts": { module: "ESNext", moduleResolution: "node10", skipLibCheck: false },
  };
  for (const [file, options] of Object.entries(cases)) {
    test(`${file} compiles in strict mode`, () => {
      writeFileSync(join(project.folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }));
      const { status, output } = project.run("tsc", "-p", ".");
      assert.equal(output, "");
      assert.equal(status, 0);
    });
  }
});
