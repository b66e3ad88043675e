import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import workerd from "workerd";

import { startServer } from "./processes.js";

/**
 * Starts a Worker in workerd and returns { url, stop, errors }.
 * @param {string} folder a project in which ranklet is installed
 * @param {(entries: { ranklet: string, model: string, small: string, server: string }) => string} source returns the Worker's code for the paths to import
 * @param {{ assets?: string, inspectorPort?: number }} options a folder that the binding `ASSETS` serves; a port for V8's inspector
 */
export async function startWorker(folder, source, { assets, inspectorPort } = {}) {
  const manifest = JSON.parse(readFileSync(join(folder, "node_modules/ranklet/package.json"), "utf8"));
  const entry = (name) => `./${join("node_modules/ranklet", manifest.exports[name].workerd ?? manifest.exports[name].default)}`;
  const main = join(folder, "worker.js");
  writeFileSync(
    main,
    source({ ranklet: entry("."), model: entry("./default-model"), small: entry("./small-model"), server: entry("./server") }),
  );
  const config = join(folder, "config.capnp");
  writeFileSync(
    config,
    configuration(
      [...modulesFrom(main, new Set())].map((path) => relative(folder, path)),
      assets,
    ),
  );
  const inspector = inspectorPort === undefined ? [] : [`--inspector-addr=127.0.0.1:${inspectorPort}`];
  const { found, stop, errors } = await startServer(workerd.default, ["serve", config, "--control-fd=3", ...inspector], {
    pattern: /"socket":"http","port":(\d+)/,
    descriptor: 3,
  });
  return { url: `http://127.0.0.1:${found}/`, stop, errors };
}

/** Returns all modules that `path` imports, directly or not. Imports must be relative, because a Worker has no others. */
function modulesFrom(path, found) {
  if (found.has(path)) return found;
  if (!existsSync(path)) throw new Error(`the Worker imports ${path}, which is not in the package`);
  found.add(path);
  if (!path.endsWith(".js")) return found;
  for (const [, specifier] of readFileSync(path, "utf8").matchAll(/^(?:import|export)\b(?:[^"=;]*\bfrom)? *"([^"]+)";$/gm)) {
    if (!specifier.startsWith(".")) throw new Error(`${path} imports "${specifier}", which a Worker has not`);
    modulesFrom(join(dirname(path), specifier), found);
  }
  return found;
}

function configuration(modules, assets) {
  // workerd has no static assets of its own; a folder as a service answers as they do.
  const [service, binding] =
    assets === undefined
      ? ["", ""]
      : [`\n    (name = "assets", disk = (path = ${JSON.stringify(assets)})),`, `\n  bindings = [(name = "ASSETS", service = "assets")],`];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),${service}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
${modules.map((name) => `    (name = "${name}", ${kindOf(name)} = embed "${name}"),`).join("\n")}
  ],
  compatibilityDate = "2026-01-01",${binding}
);
`;
}

function kindOf(name) {
  if (name.endsWith(".js")) return "esModule";
  return name.endsWith(".wasm") ? "wasm" : "data";
}
