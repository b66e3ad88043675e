import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { read } from "../support/docs/markdown.js";
import { installPacked } from "../support/package/packed.js";
import { runTestTool } from "../support/package/tools.js";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));

describe("the packed package's types", () => {
  let project;
  before(() => {
    project = installPacked();
    cpSync(fileURLToPath(new URL("../support/package/consumer.ts", import.meta.url)), join(project.folder, "consumer.ts"));
    mkdirSync(join(project.folder, "node_modules/@types"));
    const guides = ["applications", "js-errors"].flatMap((page) => [...read(`docs/${page}.md`).matchAll(/^```ts\n(.*?)^```/gms)]);
    assert.ok(guides.length >= 2, "the guides have programs in TypeScript");
    for (const [at, [, code]] of guides.entries()) writeFileSync(join(project.folder, `guide-${at}.ts`), code);
    for (const name of ["@types/node", "undici-types"]) symlinkSync(join(modules, name), join(project.folder, "node_modules", name));
  });
  after(() => project.remove());

  const consumers = {
    "a page, through a bundler": { module: "ESNext", moduleResolution: "Bundler", lib: ["ES2022", "DOM"], types: [] },
    "a page, where options may be undefined": {
      module: "ESNext",
      moduleResolution: "Bundler",
      lib: ["ES2022", "DOM"],
      types: [],
      exactOptionalPropertyTypes: false,
    },
    "Node, without the DOM": { module: "NodeNext", lib: ["ES2022"], types: ["node"] },
  };
  for (const [name, options] of Object.entries(consumers)) {
    test(`the packed package's types and the programs of the guides compile in strict mode for ${name}`, () => {
      const strict = {
        target: "ES2022",
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        noEmit: true,
      };
      writeFileSync(
        join(project.folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions: { ...strict, ...options }, include: ["*.ts"] }),
      );
      runTestTool(project.folder, "tsc", "-p", ".");
    });
  }
});
