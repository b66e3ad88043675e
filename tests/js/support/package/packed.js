import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { inRepository } from "../paths.js";

/**
 * Packs the package as for publishing.
 * @returns {{ folder: string, tarball: string, remove: () => void }} the tarball, and a new folder around it
 */
export function pack() {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-consumer-"));
  const packed = join(folder, "packed");
  mkdirSync(packed);
  npm(["pack", "--pack-destination", packed], inRepository("pkg"));
  const tarball = join(packed, readdirSync(packed)[0]);
  return { folder, tarball, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Packs the package and installs the tarball offline in an empty project.
 * @returns {{ folder: string, tarball: string, remove: () => void }} the project and the tarball
 */
export function installPacked() {
  const { folder, tarball, remove } = pack();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  npm(["install", "--offline", "--no-audit", "--no-fund", tarball], folder);
  return { folder, tarball, remove };
}

function npm(args, cwd) {
  execFileSync("npm", args, { cwd, stdio: ["ignore", "ignore", "pipe"], timeout: 120_000 });
}
