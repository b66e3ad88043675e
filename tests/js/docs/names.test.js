import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { codeSpans, markdownFiles, read } from "../support/docs/markdown.js";
import { inRepository } from "../support/paths.js";

// Pages about the code. Guides for users name files of models, which are not in the repository.
const pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/adding-a-family.md", "docs/benchmarks.md", ...markdownFiles("docs/design")];

/** The paths that braces stand for: `tests/{load,text}/main.rs` is two. */
function expanded(path) {
  const braces = /^(.*?)\{([^}]*)\}(.*)$/.exec(path);
  return braces === null ? [path] : braces[2].split(",").flatMap((part) => expanded(`${braces[1]}${part}${braces[3]}`));
}

/** The paths in the code spans of a text. */
function paths(text) {
  const folders = readdirSync(inRepository("."), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const generated = /^(?:target|node_modules|\.build|pkg\/dist)\//;
  return codeSpans(text)
    .filter((span) => folders.some((folder) => span.startsWith(`${folder}/`)) && !generated.test(span) && !span.includes(" "))
    .flatMap(expanded);
}

/** The entries of ARCHITECTURE.md's map as paths: indentation says which folder an entry is in. */
function mapEntries() {
  const [, map] = /## Map\s*```text\n(.*?)```/s.exec(read("ARCHITECTURE.md"));
  const parents = [];
  return map
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, indent, name] = /^( *)(\S+)/.exec(line);
      parents.length = indent.length / 2;
      parents.push(name);
      return parents.join("");
    });
}

function sourceText(folder) {
  return readdirSync(inRepository(folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(rs|ts|wgsl|sh|py)$/.test(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

/** Names of the code in code spans: `CamelCase`, `CONSTANT_NAME`, `snake_case`, `Type::name`. Terms of formulas such as `s_a` are none. */
function identifiers(text) {
  const pattern = /^(?:[A-Z]\w*[a-z]\w*(?:::\w+)*|[A-Z]+(?:_[A-Z]+)+|[a-z]{2,}(?:_[a-z]+)+)$/;
  return codeSpans(text)
    .filter((span) => pattern.test(span))
    .flatMap((span) => span.split("::"));
}

describe("names of the code in the documents", () => {
  for (const page of pages) {
    test(`every file and folder that ${page} names exists`, () => {
      for (const path of paths(read(page))) assert.ok(existsSync(inRepository(path)), path);
    });
  }

  test("every entry of ARCHITECTURE.md's map exists", () => {
    const entries = mapEntries();
    assert.ok(entries.length >= 30, `${entries.length} entries`);
    for (const path of entries) assert.ok(existsSync(inRepository(path)), path);
  });

  test("ARCHITECTURE.md's map has every folder of src/ and pkg/src/", () => {
    const entries = new Set(mapEntries());
    for (const folder of ["src/", "pkg/src/"]) {
      for (const { name } of readdirSync(inRepository(folder), { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
        // Helpers without a subject.
        if (name !== "util") assert.ok(entries.has(`${folder}${name}/`), `${folder}${name}/`);
      }
    }
  });

  test("every type, function and constant that the design notes name is in the code", () => {
    const code = ["src", "pkg/src", "tests", "scripts"].map(sourceText).join("\n");
    for (const page of pages) {
      for (const name of identifiers(read(page))) assert.ok(new RegExp(`\\b${name}\\b`).test(code), `${page}: ${name}`);
    }
  });

  test("code that a document quotes is in the file that it names", () => {
    const plain = (text) =>
      text
        .split("\n")
        .filter((line) => !line.trim().startsWith("//"))
        .join("\n");
    const quotes = pages.flatMap((page) => [...read(page).matchAll(/<!-- from: (\S+) -->\n```\w+\n(.*?)^```/gms)]);
    assert.ok(quotes.length >= 2, "docs/adding-a-family.md quotes code");
    for (const [, path, code] of quotes) assert.ok(plain(read(path)).includes(code), `${path}:\n${code}`);
  });

  test("every command of build.sh that a document names exists, and CONTRIBUTING.md has all of them", () => {
    const named = (text) => new Set([...text.matchAll(/\.\/build\.sh ([a-z][a-z-]*)/g)].map(([, command]) => command));
    const [, help] = /<<'TEXT'\n(.*?)^TEXT$/ms.exec(read("build.sh"));
    for (const page of markdownFiles()) {
      for (const command of named(read(page))) assert.ok(named(help).has(command), `${page}: ./build.sh ${command}`);
    }
    assert.deepEqual([...named(read("CONTRIBUTING.md"))].sort(), [...named(help)].sort());
  });

  test("ARCHITECTURE.md has at most 130 lines", () => {
    assert.ok(read("ARCHITECTURE.md").trimEnd().split("\n").length <= 130);
  });
});
