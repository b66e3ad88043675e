// The frameworks and bundlers, each with a project that is written as its own documentation does.
//
// `packages`  what its manifest has, with exact versions
// `build`     the command of the production build; `serve` the command, or the folder with a slash, that runs it
// `dev`       the command of the development server
// `output`    folders that are deployed
// `ranklet`   the part of the manifest that has the package, "dependencies" unless given
// `rank`      the path of the module that loads and ranks
// `pages`     paths whose page ranks in the browser; `routes` paths that rank on the server
// `alone`     files of the output that are copied to another folder and started there by `command`, and the error that they give

const node24 = "24.21.0";
const react = { react: "19.3.1", "react-dom": "19.3.1" };

const next = {
  project: "next",
  packages: { next: "16.4.6", ...react },
  serve: "next start --port PORT",
  output: [".next/static", ".next/server"],
  pages: [""],
  routes: ["server", "api/rank"],
};

const sveltekit = {
  project: "sveltekit",
  packages: { "@sveltejs/adapter-node": "5.5.7", "@sveltejs/kit": "2.70.4", "@sveltejs/vite-plugin-svelte": "7.3.1", svelte: "5.57.3", vite: "8.3.8" },
  rank: "src/lib/rank.js",
  build: "vite build",
  serve: "node build",
  dev: "vite dev --host 127.0.0.1 --port PORT",
  output: ["build"],
  pages: [""],
  routes: ["api/rank"],
};

export const frameworks = {
  "Next.js 16 with Turbopack": { ...next, build: "next build", dev: "next dev --port PORT" },
  "Next.js 16 with webpack": { ...next, build: "next build --webpack", dev: "next dev --webpack --port PORT" },
  "SvelteKit, as a dependency": sveltekit,
  "SvelteKit, as a development dependency": {
    ...sveltekit,
    ranklet: "devDependencies",
    alone: { files: ["build", "package.json"], command: "node build", error: /^RankletError unsupported: the engine is missing: .*SvelteKit: install it as a dependency, not as a devDependency/ },
  },
  "Vite 7": {
    project: "page",
    packages: { vite: "7.3.8" },
    build: "vite build",
    serve: "dist/",
    dev: "vite --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
  },
  "Astro 7": {
    project: "astro",
    packages: { "@astrojs/node": "11.1.6", astro: "7.3.5", node: node24 },
    rank: "src/rank.js",
    build: "astro build",
    serve: "node dist/server/entry.mjs",
    dev: "astro dev --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
    routes: ["server", "api/rank"],
  },
};
