import { fileURLToPath } from "node:url";

import { buildSync } from "esbuild";

import { dist } from "../paths.js";

/** Where `sendBundle` serves the package: next to its assets. */
export const bundlePath = "/pkg/bundled.js";

let bundle;

/** Answers with the package in one file, which loads faster than its many modules. */
export function sendBundle(_, response) {
  bundle ??= buildSync({ entryPoints: [fileURLToPath(new URL("index.js", dist))], bundle: true, format: "esm", write: false })
    .outputFiles[0].contents;
  response.setHeader("content-type", "text/javascript").end(bundle);
}
