// The cache in Deno, which permits little by default: what is not permitted is named with the flag that permits it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";

import { id, withHub } from "../support/models/hub-model.js";
import { inRepository } from "../support/paths.js";

const context = withHub();

/** Loads the model in Deno with these permissions, and those that are needed without a cache. */
async function load(permissions, folder, env = {}) {
  const needed = ["--no-prompt", "--allow-net=127.0.0.1", `--allow-read=${inRepository("pkg/dist")}`];
  const child = inRepository("tests/js/support/children/load-child.js");
  const argument = folder === undefined ? [] : [folder];
  const { stdout } = await promisify(execFile)(
    inRepository("tests/js/node_modules/.bin/deno"),
    ["run", ...needed, ...permissions, child, id, context.hub.url, ...argument],
    {
      env: { ...process.env, HOME: context.cache, ...env },
    },
  );
  return JSON.parse(stdout);
}

describe("the cache in Deno", () => {
  test("a model is not stored if the folder for caches cannot be found, and a warning says which flags permit it", async () => {
    for (const permissions of [[], [`--allow-read=${context.cache}`], ["--allow-env"]]) {
      // Without --allow-env another warning says that variables are not read.
      const warnings = (await load(permissions)).warnings.filter((warning) => !warning.includes("environment variables"));
      assert.equal(warnings.length, 1);
      assert.match(
        warnings[0],
        /^the model is not stored in a cache and will be downloaded again next time: Deno does not permit to find .*--allow-env, --allow-sys=homedir, --allow-read and --allow-write/,
      );
    }
  });

  test("a model is not stored in a folder that may not be written, and a warning names the flag", async () => {
    const { warnings } = await load(["--allow-env", "--allow-sys=homedir"]);
    assert.match(warnings[0], /^the model could not be stored in the cache .*Requires (read|write) access to .*--allow-(read|write) flag$/);
    assert.match((await load([`--allow-read=${context.cache}`], context.cache)).warnings[0], /--allow-write flag$/);
  });

  test("a model is stored and read with the permissions", async () => {
    const folder = join(context.cache, "models");
    const permissions = ["--allow-env", `--allow-read=${folder}`, `--allow-write=${folder}`];
    const { score, warnings } = await load(permissions, folder);
    assert.deepEqual(warnings, []);
    context.hub.down = true;
    assert.deepEqual(await load(permissions, folder), { score, warnings });
    context.hub.down = false;
    const home = await load(["--allow-env", "--allow-sys=homedir", `--allow-read=${context.cache}`, `--allow-write=${context.cache}`]);
    assert.deepEqual(home, { score, warnings: [] });
  });

  test("without requests, the error for a cache that may not be read names the flag", async () => {
    const error = await load(["--allow-env"], context.cache, { HF_HUB_OFFLINE: "1" });
    assert.deepEqual([error.name, error.code], ["RankletError", "network"]);
    assert.match(error.message, /HF_HUB_OFFLINE is set.*\(the cache could not be read: Requires read access to .*--allow-read flag\)$/);
  });
});
