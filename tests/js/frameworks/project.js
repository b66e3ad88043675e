import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCommand, startListening } from "../support/children/commands.js";
import { serveFolder } from "../support/servers/folder.js";
import { freePort } from "../support/servers/free-port.js";

const templates = fileURLToPath(new URL("projects/", import.meta.url));

/** The document that every page and route must answer. */
export const bestDocument = "Paris is the capital of France and its largest city.";

/**
 * Creates a framework's project in an empty folder and installs its packages.
 * @param framework a row of `frameworks`
 * @param {string} tarball the packed package
 */
export async function createProject(framework, tarball) {
  const project = projectIn(mkdtempSync(join(tmpdir(), "ranklet-framework-")));
  const { packages, ranklet = "dependencies", rank = "rank.js", line } = framework;
  const path = (name) => join(project.folder, name);
  cpSync(join(templates, framework.project), project.folder, { recursive: true });
  const manifest = { name: "project", private: true, type: "module", ...framework.manifest, [framework.part ?? "dependencies"]: packages };
  manifest[ranklet] = { ...manifest[ranklet], ranklet: `file:${tarball}` };
  writeFileSync(path("package.json"), JSON.stringify(manifest));
  try {
    await project.run("npm install --no-audit --no-fund --no-package-lock");
  } catch (error) {
    project.remove();
    throw error;
  }

  /** Writes the files of a line of configuration. */
  const writeLine = ({ files = {} } = {}) => {
    for (const [name, edit] of Object.entries(files))
      writeFileSync(path(name), edit(existsSync(path(name)) ? readFileSync(path(name), "utf8") : ""));
  };
  /** Writes the module that the project's pages and routes import. It loads a model of its own if `model` is given. */
  const writeRank = (model) => {
    mkdirSync(dirname(path(rank)), { recursive: true });
    writeFileSync(path(rank), rankModule(model));
  };
  const build = async (commands = []) => {
    for (const folder of framework.output) rmSync(path(folder), { recursive: true, force: true });
    for (const command of [...framework.build, ...commands]) await project.run(command);
  };
  return {
    ...project,
    /** Writes a project that uses the default model, as docs/bundlers.md says. */
    write: () => {
      writeRank();
      writeLine(line);
    },
    /** Builds what `write` wrote. */
    build: () => build(line?.commands),
    /** Writes and builds a project that does without the line. */
    buildWithoutLine: () => {
      writeRank();
      return build();
    },
    /** Writes and builds a project that loads the model at a URL. */
    buildOwn: (model) => {
      writeRank(model);
      writeLine(line?.own);
      return build(line?.own.commands);
    },
  };
}

function projectIn(folder) {
  const bin = join(folder, "node_modules/.bin");
  // A project may have its own Node in node_modules/.bin.
  const env = { PATH: bin + delimiter + process.env.PATH, HOST: "127.0.0.1", HOSTNAME: "127.0.0.1", NO_COLOR: "1", CI: "1", ...quiet };
  return {
    folder,
    /** Runs a command that must succeed. */
    run: async (command) => {
      const [program, ...args] = command.split(" ");
      const { status, output } = await runCommand(program, args, { cwd: folder, env });
      assert.equal(status, 0, `${command}: ${output}`);
    },
    /** Starts a command that has `PORT` in place of the port, or serves a folder that is given as a path with a slash. */
    serve: async (command) => {
      if (command.endsWith("/")) return serveFolder(join(folder, command), {});
      const port = await freePort();
      // The development server of Next.js refuses pages of 127.0.0.1.
      const url = `http://localhost:${port}/`;
      const [program, ...args] = command.replace("PORT", port).split(" ");
      return { url, ...(await startListening(url, program, args, { cwd: folder, env: { ...env, PORT: String(port) } })) };
    },
    /** Copies some files to a project elsewhere. */
    copy: (files) => {
      const other = projectIn(mkdtempSync(join(tmpdir(), "ranklet-output-")));
      for (const file of files) cpSync(join(folder, file), join(other.folder, file), { recursive: true });
      return other;
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Variables with which the programs collect no statistics. */
const quiet = {
  NEXT_TELEMETRY_DISABLED: "1",
  NUXT_TELEMETRY_DISABLED: "1",
  ASTRO_TELEMETRY_DISABLED: "1",
  NG_CLI_ANALYTICS: "false",
};

function rankModule(model) {
  return `import { Reranker } from "ranklet";
${model === undefined ? 'import "ranklet/default-model";\n' : ""}
const query = "What is the capital of France?";
const documents = ["Berlin is the capital of Germany.", ${JSON.stringify(bestDocument)}];

let loading;

/** Returns the best document, or the error's text. */
export async function best() {
  try {
    const reranker = await (loading ??= Reranker.load(${model === undefined ? "" : JSON.stringify(model)}));
    const { results } = await reranker.rerank({ query, documents });
    return documents[results[0].index];
  } catch (error) {
    return \`\${error.name} \${error.code}: \${error.message}\`;
  }
}
`;
}
