// The recipes in examples/: projects that a reader follows from the README alone. Every run checks them without installing
// anything. With --long each README is followed in a new folder with the packed package, and its result is checked.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { parseAst } from "vite";

import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { filesOf } from "../support/files.js";
import { pack } from "../support/package/packed.js";
import { dist, inRepository } from "../support/paths.js";
import { unlessLong } from "../support/skips.js";
import { run, startCommand } from "./commands.js";
import { readReadme } from "./readme.js";

/**
 * What a README does not say: `servers` are commands that do not end, `first` is the title of the first result on the page
 * for the text that the README tells to type, `check` reads the output of the last command, and `former` is the code that the
 * recipe replaces, whose packages are not installed.
 */
const recipes = {
  "ai-sdk": {},
  cohere: { servers: ["npm run server"] },
  langchain: {},
  minisearch: { servers: ["npm run preview"], first: "Get a refund" },
  orama: {},
  pagefind: { servers: ["npm run preview"], first: "Saddle height" },
  pglite: {},
  "transformers-js": { former: "before.js" },
  worker: { servers: ["npm run dev"], check: (output) => assert.equal(JSON.parse(output).results[0].index, 1) },
  "worker-small": { servers: ["npm run dev"], check: (output) => assert.equal(JSON.parse(output).results[0].index, 1) },
};

const manifest = JSON.parse(readFileSync(inRepository("pkg/package.json"), "utf8"));
const runnable = /^(npm install|npm start|npm run (\S+)|node (\S+)( .*)?|curl .*)$/;
const minute = 60_000;

for (const [name, { former }] of Object.entries(recipes)) {
  const folder = inRepository(`examples/${name}`);
  describe(`examples/${name}`, () => {
    const { scripts, dependencies, devDependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const sources = filesOf(folder)
      .map(({ path }) => path)
      .filter((path) => path.endsWith(".js") && !/^(node_modules|dist)\//.test(path));
    const { commands, snippets } = readReadme(folder);

    test("pins its packages, Ranklet at the version of this repository", () => {
      assert.equal(dependencies.ranklet, manifest.version);
      for (const [dependency, version] of Object.entries({ ...dependencies, ...devDependencies })) {
        assert.match(version, /^\d+\.\d+\.\d+$/, dependency);
      }
    });

    test("has a README with commands that exist, and code that is that of its files", () => {
      assert.equal(commands[0].line, "npm install");
      for (const { line } of commands) {
        const [, command, script, file] = runnable.exec(line) ?? assert.fail(line);
        if (command === "npm start") assert.ok(scripts.start, line);
        if (script !== undefined) assert.ok(scripts[script], line);
        if (file !== undefined) assert.ok(sources.includes(file), line);
      }
      for (const { file, lines } of snippets) {
        const text = readFileSync(join(folder, file), "utf8")
          .split("\n")
          .map((line) => line.trim())
          .join("\n");
        assert.ok(text.includes(lines.join("\n")), `${file} has not: ${lines.join("\n")}`);
      }
    });

    test("imports its dependencies, and what Ranklet exports", async () => {
      for (const path of sources) {
        for (const { type, source, specifiers = [] } of parseAst(readFileSync(join(folder, path), "utf8")).body) {
          if (type !== "ImportDeclaration" || /^(\.|node:)/.test(source.value)) continue;
          const [, dependency, entry] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(source.value);
          assert.equal(dependencies[dependency] === undefined, path === former, `${path} imports ${source.value}`);
          if (dependency !== "ranklet" || ["/default-model", "/small-model"].includes(entry)) continue;
          const { node, default: file } = manifest.exports[`.${entry ?? ""}`];
          const module = await import(new URL((node ?? file).replace("./dist/", ""), dist));
          for (const { imported } of specifiers) assert.ok(imported.name in module, `${path}: ${imported.name} of ${source.value}`);
        }
      }
    });
  });
}

describe("a new project that follows the README of", { skip: unlessLong("installs the tools") }, () => {
  let packed, browser;
  before(async () => {
    packed = pack();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    packed?.remove();
  });

  for (const [name, { servers = [], first, check }] of Object.entries(recipes)) {
    test(`examples/${name} works`, { timeout: 15 * minute }, async () => {
      const folder = mkdtempSync(join(tmpdir(), `ranklet-recipe-${name}-`));
      cpSync(inRepository(`examples/${name}`), folder, { recursive: true, filter: (path) => !/node_modules|package-lock/.test(path) });
      const file = join(folder, "package.json");
      const project = JSON.parse(readFileSync(file, "utf8"));
      project.dependencies.ranklet = `file:${packed.tarball}`;
      writeFileSync(file, JSON.stringify(project, undefined, 2));

      const { commands, typed } = readReadme(folder);
      const started = [];
      try {
        for (const [at, { line, output }] of commands.entries()) {
          if (servers.includes(line)) {
            started.push(await startCommand(line, folder, 2 * minute));
            continue;
          }
          const printed = await run(line, folder, line === "npm install" ? 10 * minute : 3 * minute);
          if (output !== undefined) assert.equal(withoutNpm(printed), output, line);
          if (check !== undefined && at === commands.length - 1) check(printed);
        }
        if (first !== undefined) await search(browser, started.at(-1).url, typed, first);
      } finally {
        for (const { stop } of started) await stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});

test("every recipe of examples/ is in the table, and examples/README.md names all examples", () => {
  const examples = readdirSync(inRepository("examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const withReadme = examples.filter((name) => readdirSync(inRepository(`examples/${name}`)).includes("README.md"));
  assert.deepEqual(withReadme.sort(), Object.keys(recipes).sort());
  const index = readFileSync(inRepository("examples/README.md"), "utf8");
  for (const name of examples) assert.ok(index.includes(`[${name}](${name})`), name);
});

/** The output without the two lines in which `npm start` repeats the command. */
function withoutNpm(output) {
  return output.replace(/^\n?> .*\n> .*\n\n/, "");
}

/** Types into the page's field, key by key, and waits until a result is the first. */
async function search(browser, url, typed, first) {
  const { page, problems, open } = await openDemo(browser, url);
  try {
    await open();
    await page.locator("#query").pressSequentially(typed);
    const heading = page.locator("#results li:first-child h2", { hasText: first });
    await heading.waitFor({ timeout: minute });
    assert.deepEqual(problems, []);
  } finally {
    await page.close();
  }
}
