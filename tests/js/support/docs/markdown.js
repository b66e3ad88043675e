import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { inRepository } from "../paths.js";

/** Folders that hold generated files, or nothing of the project. */
const skipped = new Set(["node_modules", "target", "dist", "artifacts", "corpus", "shared"]);

/** The paths of all Markdown files of the repository, relative to its root. */
export function markdownFiles(folder = "") {
  return readdirSync(inRepository(folder || "."), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) || entry.name.startsWith(".") ? [] : markdownFiles(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

/** The text of a file of the repository. */
export function read(path) {
  return readFileSync(inRepository(path), "utf8");
}

/** The text without code blocks and code spans, in which nothing is a link or a heading. */
export function withoutCode(text) {
  return text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, (span) => "x".repeat(span.length));
}

/** The code spans outside code blocks. */
export function codeSpans(text) {
  return [...text.replace(/^```.*?^```/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
}

/** The anchors of a text's headings, as GitHub makes them. */
export function anchors(text) {
  const seen = new Map();
  return [...text.replace(/^```.*?^```/gms, "").matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) => {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** The rows of the first table after `marker`, each a list of cells; the header row and the line below it are left out. */
export function tableAfter(text, marker) {
  const start = text.indexOf(marker);
  if (start === -1) return undefined;
  const [, ...rows] = text
    .slice(start + marker.length)
    .trimStart()
    .split("\n\n", 1)[0]
    .split("\n")
    .slice(1);
  return rows.map((row) =>
    row
      .replace(/^\||\|$/g, "")
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}
