import { cpSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { inRepository } from "../paths.js";
import { installPacked } from "./packed.js";
import { runTool } from "./tools.js";

/** The folder whose packages are those of frameworks. */
const modules = fileURLToPath(new URL("../../hooks/node_modules/", import.meta.url));

/**
 * Creates a project with the packed package and the frameworks' packages.
 * @param {string | undefined} example the example whose files are copied, except for its manifest
 */
export function frameworkProject(example) {
  const project = installPacked();
  for (const name of readdirSync(modules)) {
    if (name !== "ranklet" && name !== ".package-lock.json") symlinkSync(join(modules, name), join(project.folder, "node_modules", name));
  }
  const filter = (path) => !path.endsWith("package.json") && !path.includes("node_modules");
  if (example !== undefined) cpSync(inRepository(`examples/${example}`), project.folder, { recursive: true, filter });
  /** Runs a program of the frameworks' packages in the project. */
  const run = (tool, ...args) => runTool(project.folder, tool, args, { tools: join(modules, ".bin") });
  return { ...project, run };
}
