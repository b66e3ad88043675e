// What a recipe's README tells its reader to do.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Reads the README of a project.
 * @returns {{ commands: { line: string, output?: string }[], snippets: { file: string, lines: string[] }[], typed?: string }}
 *   the commands in order, each with the output that the README shows; parts of files; and the text to type into the page
 */
export function readReadme(folder) {
  const text = readFileSync(join(folder, "README.md"), "utf8");
  const [commands, snippets] = [[], []];
  for (const [, language, content] of text.matchAll(/^```(\w*)\n(.*?)^```$/gms)) {
    const lines = content.trimEnd().split("\n");
    if (language === "sh") commands.push(...lines.map((line) => ({ line })));
    else if (language === "text") commands.at(-1).output = content;
    else {
      const file = /^(?:\/\/|<!--) (\S+)(?: -->)?$/.exec(lines[0])?.[1];
      if (file === undefined) throw new Error(`a block of code in ${folder}/README.md does not name its file`);
      snippets.push({ file, lines: lines.slice(1).map((line) => line.trim()) });
    }
  }
  return { commands, snippets, typed: /\btype `([^`]+)`/.exec(text)?.[1] };
}
