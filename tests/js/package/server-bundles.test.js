import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { installPacked } from "../support/package/packed.js";
import { installTools, runTestTool, runTool } from "../support/package/tools.js";
import { unlessLong } from "../support/skips.js";

const app = fileURLToPath(new URL("../support/package/app/", import.meta.url));

/** How bundlers bundle a handler for Node, by what uses them so: a program and its arguments. `out` is the bundle's path. */
const bundlers = {
  "esbuild in CommonJS (AWS Lambda, Electron's main process)": {
    out: "cjs/out.cjs",
    command: ["esbuild", "handler.js", "--bundle", "--platform=node", "--format=cjs", "--outfile=cjs/out.cjs"],
  },
  "esbuild as an ES module (AWS Lambda)": {
    out: "esm/out.mjs",
    command: ["esbuild", "handler.js", "--bundle", "--platform=node", "--format=esm", "--outfile=esm/out.mjs"],
  },
  "Vite for servers, without externals": { out: "vite-ssr/out.mjs", command: ["vite", "build", "--config", "vite.es.mjs"] },
  "Vite in CommonJS (Electron's main process)": { out: "vite-cjs/out.cjs", command: ["vite", "build", "--config", "vite.cjs.mjs"] },
};

describe("the packed package in bundles for Node", () => {
  let project;
  let assets;
  before(() => {
    project = installPacked();
    assets = join(project.folder, "node_modules/ranklet/dist/assets");
    cpSync(app, project.folder, { recursive: true });
    for (const [format, folder, name] of [
      ["es", "vite-ssr", "out.mjs"],
      ["cjs", "vite-cjs", "out.cjs"],
    ]) {
      const rollupOptions = { output: { format, entryFileNames: name } };
      const config = { ssr: { noExternal: true }, build: { ssr: "handler.js", outDir: folder, rollupOptions } };
      writeFileSync(join(project.folder, `vite.${format}.mjs`), `export default ${JSON.stringify(config)};`);
    }
  });
  after(() => project.remove());

  /** Calls the handler of a bundle, in one process, once for the code of each list of arguments. Returns the answers or errors. */
  function call(out, ...calls) {
    const script = join(project.folder, "call.mjs");
    writeFileSync(
      script,
      `
import { readFileSync } from "node:fs";
const { handler } = await import(${JSON.stringify(resolve(project.folder, out))}).then((module) => module.handler ? module : module.default);
const assets = ${JSON.stringify(assets)};
const answers = [];
for (const call of [${calls.map((code) => `() => handler(${code})`).join()}]) answers.push(await call().catch(({ name, code, message }) => ({ name, code, message })));
console.log(JSON.stringify(answers));
process.exit();
`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd: project.folder, encoding: "utf8", timeout: 120_000 });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  }

  for (const [
    name,
    {
      out,
      command: [tool, ...args],
    },
  ] of Object.entries(bundlers)) {
    describe(name, () => {
      before(() => runTestTool(project.folder, tool, ...args));

      /** Copies the bundle to a folder from which no package is found, for one test, and returns its path there. */
      function copyElsewhere(t) {
        const elsewhere = mkdtempSync(join(tmpdir(), "ranklet-bundle-"));
        t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
        cpSync(join(project.folder, out, ".."), elsewhere, { recursive: true });
        return join(elsewhere, basename(out));
      }

      test("it ranks without any option where the package is installed", () => {
        const [{ best, workers, warnings }] = call(out, "");
        assert.deepEqual([best, warnings], [1, []]);
        assert.ok(workers > 0);
      });

      test("without the package's files it ranks with the options wasm and a model, and otherwise load says what to do", (t) => {
        const out = copyElsewhere(t);
        const wasm = "`${assets}/ranklet_bg.wasm`";
        const [missing, noModel, ...ranked] = call(
          out,
          "",
          `undefined, { wasm: ${wasm} }`,
          `\`\${assets}/default\`, { wasm: ${wasm} }`,
          `\`\${assets}/default\`, { wasm: readFileSync(${wasm}) }`,
        );
        assert.deepEqual([missing.name, missing.code], ["RankletError", "unsupported"]);
        assert.match(missing.message, /^the engine is missing: there is no file:.*assets\/ranklet_(relaxed_)?bg\.wasm; /);
        const advice =
          /--external:ranklet; Vite: ssr\.external; Next\.js: serverExternalPackages; SvelteKit: .* as a dependency.*copy node_modules\/ranklet\/dist\/assets/;
        assert.match(missing.message, advice);
        assert.match(noModel.message, /^config\.json is missing: there is no file:/);
        assert.match(noModel.message, advice);
        for (const { best, workers, warnings } of ranked) {
          assert.deepEqual([best, workers], [1, 0]);
          assert.match(warnings.join(), /the calling thread: the worker cannot be started: there is no file:.*worker\.mjs/);
        }
      });

      test("with the package's folder of files next to it, it ranks in workers without any option", (t) => {
        const out = copyElsewhere(t);
        cpSync(assets, join(out, "../assets"), { recursive: true });
        const [{ best, workers, warnings }] = call(out, "");
        assert.deepEqual([best, warnings], [1, []]);
        assert.ok(workers > 0);
      });
    });
  }

  test("with the package left out of the bundle (external), it ranks without any option", () => {
    mkdirSync(join(project.folder, "external"));
    runTestTool(
      project.folder,
      "esbuild",
      "handler.js",
      "--bundle",
      "--platform=node",
      "--format=esm",
      "--external:ranklet",
      "--outfile=external/out.mjs",
    );
    assert.equal(call("external/out.mjs", "")[0].best, 1);
  });

  test("webpack's bundle for Node ranks where it was built", { skip: unlessLong("installs the tools") }, () => {
    installTools(project.folder, "webpack@5.113.0", "webpack-cli@6.0.1");
    const config = {
      mode: "production",
      target: "node20",
      entry: "./handler.js",
      experiments: { outputModule: true },
      output: { path: join(project.folder, "webpack"), filename: "out.mjs", library: { type: "module" } },
    };
    writeFileSync(join(project.folder, "webpack.config.mjs"), `export default ${JSON.stringify(config)};`);
    const { status, output } = runTool(project.folder, "webpack", []);
    assert.equal(status, 0, output);
    assert.equal(call("webpack/out.mjs", "")[0].best, 1);
  });

  test("a program that bun compiles ranks with files that it embeds", { skip: unlessLong("installs the tools") }, () => {
    installTools(project.folder, "bun@1.4.5");
    writeFileSync(
      join(project.folder, "program.js"),
      `
import wasm from "ranklet/assets/ranklet_relaxed_bg.wasm" with { type: "file" };
import config from "ranklet/assets/default/config.json" with { type: "file" };
import tokenizer from "ranklet/assets/default/tokenizer.json" with { type: "file" };
import weights from "ranklet/assets/default/model.safetensors" with { type: "file" };
import { handler } from "./handler.js";
const model = { "config.json": config, "tokenizer.json": tokenizer, "model.safetensors": weights };
console.log(JSON.stringify(await handler(model, { wasm, workers: 0 })));
`,
    );
    const { status, output } = runTool(project.folder, "bun", ["build", "--compile", "program.js", "--outfile", "program"]);
    assert.equal(status, 0, output);
    const elsewhere = join(project.folder, "elsewhere");
    mkdirSync(elsewhere);
    const { stdout, stderr } = spawnSync(join(project.folder, "program"), { cwd: elsewhere, encoding: "utf8", timeout: 120_000 });
    assert.equal(JSON.parse(stdout || `"${stderr}"`).best, 1, stderr);
  });
});
