// On a server, components render without loading a model.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { runNode } from "../support/children/processes.js";
import { frameworkProject } from "../support/package/framework-project.js";

const programs = {
  react: `
import { useRanking, useReranker } from "ranklet/react";
import { createElement, StrictMode, useState } from "react";
import { renderToString } from "react-dom/server";
function Search() {
  // A second render, with a document as LangChain's splitters return it.
  const [rendered, setRendered] = useState(false);
  if (!rendered) setRendered(true);
  const { reranker, loading } = useReranker();
  const { results } = useRanking(reranker, "q", [{ pageContent: "a", metadata: { loc: { lines: { from: 1, to: 2 } } }, date: new Date(0) }]);
  return createElement("p", null, JSON.stringify({ loading, results }).replaceAll('"', "'"));
}
const html = renderToString(createElement(StrictMode, null, createElement(Search)));`,
  vue: `
import { useRanking, useReranker } from "ranklet/vue";
import { createSSRApp, h } from "vue";
import { renderToString } from "vue/server-renderer";
const html = await renderToString(createSSRApp({
  setup() {
    const { reranker, loading } = useReranker();
    const { results } = useRanking(reranker, "q", ["a"]);
    return () => h("p", { innerHTML: JSON.stringify({ loading: loading.value, results: results.value }).replaceAll('"', "'") });
  },
}));`,
  svelte: `
import { useRanking, useReranker } from "ranklet/svelte";
const model = useReranker();
const ranking = useRanking(() => model.reranker, () => "q", () => ["a"]);
const html = "<p>" + JSON.stringify({ loading: model.loading, results: ranking.results }).replaceAll('"', "'") + "</p>";`,
};

describe("server rendering", () => {
  let project;
  before(() => (project = frameworkProject()));
  after(() => project?.remove());

  for (const [framework, program] of Object.entries(programs)) {
    test(`${framework} renders the state of loading and loads nothing`, () => {
      const script = join(project.folder, `${framework}.js`);
      writeFileSync(
        script,
        `let workers = 0;\nprocess.on("worker", () => workers++);\n${program}\nsetTimeout(() => console.log(html, workers), 300);\n`,
      );
      const { status, stdout, stderr } = runNode(script, project.folder);
      assert.equal(status, 0, stderr);
      assert.match(
        stdout,
        /<p[^>]*>\{(?:'|&#x27;|&#39;)loading(?:'|&#x27;|&#39;):true,(?:'|&#x27;|&#39;)results(?:'|&#x27;|&#39;):\[\]\}<\/p> 0\n$/,
      );
    });
  }
});
