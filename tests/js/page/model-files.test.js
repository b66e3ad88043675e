// A model from the user's own files, in a form that only the package knows.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { rank, texts, whenReady, withDemo } from "../support/browsers/page.js";

const fixtures = new URL("../../fixtures/", import.meta.url);

/** The paths of the files in a folder of fixtures. */
function pathsIn(folder) {
  const paths = readdirSync(new URL(folder, fixtures)).map((name) => fileURLToPath(new URL(`${folder}${name}`, fixtures)));
  assert.ok(paths.length > 0, folder);
  return paths;
}

const small = pathsIn("bert-bare-h36/").filter((path) => path.endsWith(".json") && !path.endsWith("expected.json"));

describe("a model from files on the demo page", () => {
  const suite = withDemo();

  for (const weights of ["bin-f32", "sharded-bin", "sharded-safetensors"]) {
    test(`${weights} ranks`, async () => {
      const { page, problems, open, close } = await suite.openPage();
      await open();
      await whenReady(page);
      await choose(page, [...small, ...pathsIn(`weights/${weights}/`)]);
      await page.locator("#model-name", { hasText: "Your files" }).waitFor();
      await rank(page, "Why do astronauts float?");
      assert.ok((await texts(page, "ranklet-list")).length > 0);
      assert.deepEqual(problems, []);
      await close();
    });
  }

  test("a missing file is named by the package's error, and no file by the dialog", async () => {
    const { page, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await choose(page, []);
    await page.locator("#model-error", { hasText: "Choose the files of the model." }).waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await choose(page, small);
    const failed = page.locator('[data-state="failed"]');
    await failed.waitFor();
    assert.match(await failed.textContent(), /model\.safetensors is missing: .*Choose all files of the same model together\./);
    await close();
  });
});

/** Chooses files in the dialog of models, and loads them. */
async function choose(page, paths) {
  await page.click("#choose-model");
  await page.check("#model-from-files");
  await page.setInputFiles("#model-files", paths);
  await page.getByRole("button", { name: "Load this model" }).click();
}
