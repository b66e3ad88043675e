import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { installPacked } from "../support/package/packed.js";
import { runTestTool } from "../support/package/tools.js";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));

describe("the packed package's types", () => {
  let project;
  before(() => {
    project = installPacked();
    cpSync(fileURLToPath(new URL("../support/package/consumer.ts", import.meta.url)), join(project.folder, "consumer.ts"));
    mkdirSync(join(project.folder, "node_modules/@types"));
    for (const name of ["@types/node", "undici-types"]) symlinkSync(join(modules, name), join(project.folder, "node_modules", name));
  });
  after(() => project.remove());

  const consumers = {
    "a page, through a bundler": { module: "ESNext", moduleResolution: "Bundler", lib: ["ES2022", "DOM"], types: [] },
    "Node, without the DOM": { module: "NodeNext", lib: ["ES2022"], types: ["node"] },
  };
  for (const [name, options] of Object.entries(consumers)) {
    test(`the packed package's types compile in strict mode for ${name}`, () => {
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
        JSON.stringify({ compilerOptions: { ...strict, ...options }, files: ["consumer.ts"] }),
      );
      runTestTool(project.folder, "tsc", "-p", ".");
    });
  }
});
