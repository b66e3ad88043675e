import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

/** The reason to skip tests that install large tools from the registry, unless `./build.sh test --long` runs them. */
export const skipUnlessLong = process.env.RANKLET_LONG === "1" ? false : "only ./build.sh test --long installs the tools";

/** Installs tools of exact versions from the registry into a project. */
export function installTools(folder, ...tools) {
  execFileSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", ...tools], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

/** Runs an installed tool in a project and returns { status, output }. */
export function runTool(folder, tool, args, { env = {} } = {}) {
  const program = join(folder, "node_modules/.bin", tool);
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8", env: { ...process.env, ...env }, timeout: 300_000 });
  return { status, output: stdout + stderr };
}
