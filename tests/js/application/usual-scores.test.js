// The scores of the package's models that docs/models.md names, so that readers can choose a threshold.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";

import { read, tableAfter } from "../support/docs/markdown.js";
import { dist, root } from "../support/paths.js";

const threshold = 0.15;
const answers = JSON.parse(readFileSync(new URL("answers.json", import.meta.url), "utf8"));
const { passages, queries } = JSON.parse(readFileSync(new URL("www/documents/collection.json", root), "utf8"));

describe("the usual scores in docs/models.md", () => {
  let columns;
  before(async () => (columns = await Promise.all([measured(undefined), measured("ranklet/small")])));

  test("are those of the models", () => {
    const rows = tableAfter(read("docs/models.md"), "<!-- usual scores -->\n").map(([, ...cells]) => cells);
    assert.deepEqual(
      rows,
      columns[0].map((_, at) => columns.map((column) => column[at])),
    );
  });

  test("are for the threshold that docs/applications.md and docs/models.md recommend", () => {
    for (const page of ["applications", "models"])
      assert.match(read(`docs/${page}.md`), new RegExp(`start with \`minScore: ${threshold}\``, "i"));
  });
});

/** Returns the cells of a model, from the first row to the last. */
async function measured(model) {
  const { Reranker } = await import(new URL("index.node.js", dist));
  const reranker = await Reranker.load(model, { workers: 1 });
  try {
    const score = async (pairs) => [...(await reranker.score(pairs))].sort((a, b) => a - b);
    const exact = await score(answers);
    const others = await score(answers.flatMap(([query], at) => answers.toSpliced(at, 1).map(([, other]) => [query, other])));
    const inPassages = await score(queries.map(({ query, answer }) => [query, passages.find(({ id }) => id === answer).text]));
    return [range(exact), `at most ${others.at(-1).toFixed(2)}`, range(inPassages), kept(exact), kept(inPassages), kept(others)];
  } finally {
    reranker.dispose();
  }
}

function range(sorted) {
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return `${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)}, median ${median.toFixed(2)}`;
}

function kept(scores) {
  return `${scores.filter((score) => score >= threshold).length} of ${scores.length.toLocaleString("en")}`;
}
