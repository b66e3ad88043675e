import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { codeSpans, read, tableAfter } from "../support/docs/markdown.js";
import { dist } from "../support/paths.js";

const { errorCodes } = await import(new URL("index.node.js", dist));
const { loadRefusals } = await import(new URL("load/load-options.js", dist));
const {
  collectionRefusals,
  compareRefusals,
  explainCostRefusals,
  explainRefusals,
  queryRefusals,
  rankingRefusals,
  rankRefusals,
  rerankRefusals,
  scoreRefusals,
  scoringRefusals,
  streamRefusals,
} = await import(new URL("api/options.js", dist));
const guide = ["js-api", "js-errors", "caching", "applications", "explain"].map((name) => `${read(`docs/${name}.md`)}\n`).join("\n");
const typeFiles = [...read("pkg/src/types.ts").matchAll(/"\.\/(types\/\w+)\.js"/g)].map(([, name]) => name);
const types = [...typeFiles, "types/cache", "errors"].map((name) => read(`pkg/src/${name}.ts`)).join("");

/** Every interface that the package exports: its name, what it extends, and its own members with their types. */
function interfaces() {
  const found = new Map();
  for (const [, name, bases = "", body] of types.matchAll(/^export interface (\w+)(?:<[^{]*?>)?(?:\s+extends ([^{]+?))? \{\n(.*?)^\}/gms)) {
    const members = new Map();
    for (const [, member, type] of body.matchAll(/^ {2}(?:readonly )?(\w+)\??(?:<[^(]*>)?(?:: ([^;{]*)|\()/gm))
      members.set(member, type ?? "");
    found.set(name, { members, bases: [...bases.matchAll(/(\w+)(?:<\w+>)?/g)].map(([, base]) => base) });
  }
  return found;
}

const exported = interfaces();

/** All members of an interface, those it inherits included. */
function membersOf(name) {
  const { members, bases } = exported.get(name) ?? { members: new Map(), bases: [] };
  return new Map([...bases.flatMap((base) => [...membersOf(base)]), ...members]);
}

const strings = (text) => [...text.matchAll(/"[^"]*"/g)].map(([literal]) => literal).sort();

/** A type with the aliases of unions of strings written out. */
function expanded(type) {
  return type.replace(/\b\w+\b/g, (word) => new RegExp(`^export type ${word} = ((?:"[^"]*"(?: \\| )?)+);$`, "m").exec(types)?.[1] ?? word);
}

describe("the guide to the JavaScript API", () => {
  // Interfaces that others extend and that no call takes by themselves.
  const bases = ["ScoringOptions", "DocumentOptions", "ResultOptions", "ContributionOptions", "ExplainCostOptions"];

  test("the types are found", () => {
    assert.ok(exported.size >= 20, [...exported.keys()].join());
    assert.ok(membersOf("RerankOptions").has("signal") && membersOf("LoadOptions").has("workers"));
  });

  test("has a table for every exported interface and for nothing else", () => {
    const documented = [...guide.matchAll(/<!-- fields: (\w+) -->/g)].map(([, name]) => name);
    assert.deepEqual(documented.toSorted(), [...exported.keys()].filter((name) => !bases.includes(name)).sort());
  });

  for (const name of [...exported.keys()].filter((name) => !bases.includes(name))) {
    test(`lists exactly the members of ${name}, with the values that they can have`, () => {
      const rows = tableAfter(guide, `<!-- fields: ${name} -->\n`);
      const members = membersOf(name);
      const documented = rows.map(([cell]) => /^`(\w+)/.exec(cell)?.[1]);
      assert.deepEqual(documented.toSorted(), [...members.keys()].sort());
      if (name === "Collection" || name === "CachedModels") return; // Their tables show calls.
      for (const [cell, type] of rows) {
        const member = cell.replaceAll("`", "");
        assert.deepEqual(strings(type), strings(expanded(members.get(member))), `${name}.${member}: ${type}`);
      }
    });
  }

  test("mentions every exported type", () => {
    const spans = codeSpans(guide).join(" ");
    for (const [, name] of types.matchAll(/^export (?:type|interface) (\w+)/gm)) {
      if (bases.includes(name)) continue;
      assert.match(spans + guide, new RegExp(`\\b${name}\\b`), name);
    }
  });

  test("gives the default that the types give", () => {
    // In the types: Default `"main"`. In the guide: the third column of a table of options.
    let compared = 0;
    for (const [, name, , body] of types.matchAll(/^export interface (\w+Options)(?:<[^{]*?>)?(?:\s+extends ([^{]+?))? \{\n(.*?)^\}/gms)) {
      for (const [, comment, member] of body.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*readonly (\w+)/gs)) {
        const value = /Default:? `([^`]+)`(?=[.\s])/.exec(comment)?.[1];
        if (value === undefined) continue;
        for (const table of exported.keys()) {
          if (table !== name && !exported.get(table).bases.includes(name)) continue;
          const row = tableAfter(guide, `<!-- fields: ${table} -->\n`)?.find(([cell]) => cell === `\`${member}\``);
          if (row === undefined) continue;
          compared++;
          assert.ok(row[2].includes(`\`${value}\``), `${table}.${member}: ${row[2]} is not ${value}`);
        }
      }
    }
    assert.ok(compared >= 10, `${compared} defaults were compared`);
  });

  test("lists exactly the error codes", () => {
    const rows = tableAfter(guide, "<!-- error codes -->\n");
    assert.deepEqual(
      rows.map(([cell]) => cell.replaceAll("`", "")),
      [...errorCodes],
    );
  });

  test("lists exactly the options that are refused, with the advice of the error", () => {
    const rows = tableAfter(guide, "<!-- refused options -->\n");
    const inherited = new Map([
      [rankingRefusals, { ...queryRefusals, ...scoringRefusals }],
      [scoreRefusals, scoringRefusals],
      ...[collectionRefusals, streamRefusals, rerankRefusals, rankRefusals].map((refusals) => [refusals, rankingRefusals]),
      [explainRefusals, queryRefusals],
      [explainCostRefusals, explainRefusals],
      [compareRefusals, explainRefusals],
    ]);
    const own = (refusals) => Object.entries(refusals).filter(([option, advice]) => inherited.get(refusals)?.[option] !== advice);
    const calls = [
      ["`rerank`, `stream`, `rank`, `collection.rank`, `explain`, `explainCost`, `compare`", queryRefusals],
      ["`rerank`, `stream`, `rank`, `collection.rank`, `score`", scoringRefusals],
      ["`rerank`, `stream`, `rank`, `collection.rank`", rankingRefusals],
      ["`collection.rank`", collectionRefusals],
      ["`stream`", streamRefusals],
      ["`score`", scoreRefusals],
      ["`explain`, `explainCost`, `compare`", explainRefusals],
      ["`explainCost`", explainCostRefusals],
      ["`compare`", compareRefusals],
      ["`load`", loadRefusals],
      ["`rerank`", rerankRefusals],
      ["`rank`", rankRefusals],
    ];
    assert.deepEqual(
      rows,
      calls.flatMap(([call, refusals]) => own(refusals).map(([option, advice]) => [call, `\`${option}\``, advice])),
    );
  });
});
