// The frameworks and bundlers, each with a project that is written as its own documentation does.
//
// `project`   the folder in projects/
// `packages`  the packages of its manifest, with exact versions, and `part` the part of the manifest that has them;
//             `ranklet` is the part that has the package. Both are "dependencies" unless given.
// `rank`      the path of the module that loads and ranks, which the test writes
// `build`     the commands of the production build; `serve` the command, or the folder with a slash, that runs it
// `dev`       the command of the development server
// `output`    folders of the build that are deployed
// `pages`     paths whose page ranks in the browser; `routes` paths that rank on the server
// `line`      configuration that docs/bundlers.md requires: `files` to write, `commands` after the build, and both for a
//             build that loads its own model (`own`); `error` is the message without it, of the page or of the build;
//             `documented` has the JSON that docs/bundlers.md shows
// `alone`     files of the output that are started in another folder by `command`, and the `error` that they give, if any

const node24 = "24.21.0";
const vite = "8.3.8";
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
  part: "devDependencies",
  packages: {
    "@sveltejs/adapter-node": "5.5.7",
    "@sveltejs/kit": "2.70.4",
    "@sveltejs/vite-plugin-svelte": "7.3.1",
    svelte: "5.57.3",
    vite,
  },
  rank: "src/lib/rank.js",
  build: ["vite build"],
  serve: "node build",
  dev: "vite dev --host 127.0.0.1 --port PORT",
  output: ["build"],
  pages: [""],
  routes: ["api/rank"],
};

const page = { project: "page", serve: "dist/", output: ["dist"], pages: [""] };

const angularEntry = { glob: "**/*", input: "node_modules/ranklet/dist/assets", output: "assets" };
const withEntry = (entry) => ({
  "angular.json": (text) => {
    const configuration = JSON.parse(text);
    configuration.projects.project.architect.build.options.assets = [entry];
    return JSON.stringify(configuration);
  },
});
const angularPackages = ["build", "cli", "common", "compiler", "compiler-cli", "core", "platform-browser"].map((name) => [
  `@angular/${name}`,
  "22.2.6",
]);

const copyAssets = "cp -r node_modules/ranklet/dist/assets dist/assets";

const parcelSettings = { "@parcel/resolver-default": { packageExports: true } };
const parcelExports = { "package.json": (text) => JSON.stringify({ ...JSON.parse(text), ...parcelSettings }) };
const parcelConfiguration = {
  extends: "@parcel/config-default",
  transformers: { "node_modules/ranklet/dist/assets/default/*.json": ["@parcel/transformer-raw"] },
};
const parcelRaw = { ".parcelrc": () => JSON.stringify(parcelConfiguration) };

export const frameworks = {
  "Next.js 16 with Turbopack": { ...next, build: ["next build"], dev: "next dev --port PORT" },
  "Next.js 16 with webpack": { ...next, build: ["next build --webpack"], dev: "next dev --webpack --port PORT" },
  "SvelteKit 2, as a dependency": sveltekit,
  "SvelteKit 2, as a development dependency": {
    ...sveltekit,
    ranklet: "devDependencies",
    alone: {
      files: ["build", "package.json"],
      command: "node build",
      error: /^RankletError unsupported: the engine is missing: .*SvelteKit: install it as a dependency, not as a devDependency/,
    },
  },
  "SvelteKit 3, as a dependency": {
    ...sveltekit,
    packages: { ...sveltekit.packages, "@sveltejs/adapter-node": "6.0.1", "@sveltejs/kit": "3.2.0", node: node24 },
  },
  "Vite 7": { ...page, packages: { vite: "7.3.8" }, build: ["vite build"], dev: "vite --host 127.0.0.1 --port PORT" },
  "Astro 7": {
    project: "astro",
    packages: { "@astrojs/node": "11.1.6", astro: "7.3.5", node: node24 },
    rank: "src/rank.js",
    build: ["astro build"],
    serve: "node dist/server/entry.mjs",
    dev: "astro dev --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
    routes: ["server", "api/rank"],
  },
  Angular: {
    project: "angular",
    packages: { ...Object.fromEntries(angularPackages), node: node24, rxjs: "7.8.2", tslib: "2.9.1", typescript: "6.0.3" },
    rank: "src/rank.js",
    build: ["ng build"],
    serve: "dist/browser/",
    dev: "ng serve --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
    line: {
      files: withEntry(angularEntry),
      own: { files: withEntry({ ...angularEntry, glob: "*" }) },
      documented: [angularEntry],
      error:
        /^RankletError network: the engine is missing: .*\{ "glob": "\*\*\/\*", "input": "node_modules\/ranklet\/dist\/assets", "output": "assets" \} in assets in angular\.json/,
    },
  },
  Parcel: {
    ...page,
    packages: { parcel: "2.16.4" },
    build: ["parcel build --no-cache index.html"],
    dev: "parcel index.html --host 127.0.0.1 --port PORT",
    line: {
      files: { ...parcelExports, ...parcelRaw },
      own: { files: parcelExports },
      documented: [parcelSettings],
      error: /Failed to resolve 'ranklet/,
    },
  },
  "Parcel, with exports": {
    ...page,
    packages: { parcel: "2.16.4" },
    manifest: parcelSettings,
    build: ["parcel build --no-cache index.html"],
    line: {
      files: parcelRaw,
      own: {},
      documented: [parcelConfiguration],
      error:
        /^RankletError unsupported: load: the bundler made JavaScript of config\.json; with Parcel, write \{ .*"node_modules\/ranklet\/dist\/assets\/default\/\*\.json": \["@parcel\/transformer-raw"\] \} \} into \.parcelrc$/,
    },
  },
  Rollup: {
    ...page,
    packages: { "@rollup/plugin-node-resolve": "16.0.3", rollup: "4.68.8" },
    build: ["rollup --config rollup.config.mjs", "cp index.html dist"],
    line: {
      commands: [copyAssets],
      documented: [],
      own: { commands: [copyAssets, "rm -r dist/assets/default dist/assets/small"] },
      error: /^RankletError network: the engine is missing: .*; copy node_modules\/ranklet\/dist\/assets next to the bundle, as "assets"/,
    },
  },
  Rspack: {
    ...page,
    packages: { "@rspack/cli": "2.2.8", "@rspack/core": "2.2.8" },
    build: ["rspack build", "cp index.html dist"],
  },
  Rsbuild: {
    project: "rsbuild",
    packages: { "@rsbuild/core": "2.3.2" },
    rank: "src/rank.js",
    build: ["rsbuild build"],
    serve: "dist/",
    dev: "rsbuild dev --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
  },
  "Nuxt 4": {
    project: "nuxt",
    // Nuxt 4.5.2 builds no pages with Vite 8.4.0, with or without Ranklet.
    packages: { node: node24, nuxt: "4.5.2", vite },
    rank: "shared/rank.js",
    build: ["nuxt build"],
    serve: "node .output/server/index.mjs",
    dev: "nuxt dev --host 127.0.0.1 --port PORT",
    // .output/server/node_modules is left out: it has the installed package, with its models.
    output: [".output/public", ".output/server/chunks"],
    pages: [""],
    routes: ["server", "api/rank"],
    alone: { files: [".output"], command: "node .output/server/index.mjs" },
  },
  "React Router 7": {
    project: "react-router",
    packages: {
      "@react-router/dev": "7.18.4",
      "@react-router/node": "7.18.4",
      "@react-router/serve": "7.18.4",
      isbot: "5.2.3",
      "react-router": "7.18.4",
      ...react,
      vite: "7.3.8",
    },
    rank: "app/rank.js",
    build: ["react-router build"],
    serve: "react-router-serve ./build/server/index.js",
    dev: "react-router dev --host 127.0.0.1 --port PORT",
    output: ["build"],
    pages: [""],
    routes: ["server", "api/rank"],
  },
  "TanStack Start": {
    project: "tanstack-start",
    packages: {
      "@tanstack/react-router": "1.170.46",
      "@tanstack/react-start": "1.169.5",
      "@vitejs/plugin-react": "6.3.0",
      node: node24,
      ...react,
      srvx: "1.0.8",
      vite,
    },
    rank: "src/rank.js",
    build: ["vite build"],
    serve: "srvx serve --prod --port PORT -s ../client dist/server/server.js",
    dev: "vite dev --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
    routes: ["server", "api/rank"],
  },
  "Solid Start": {
    project: "solid-start",
    packages: { "@solidjs/router": "1.0.0", "@solidjs/start": "2.0.5", node: node24, "solid-js": "1.9.20", vite },
    rank: "src/rank.js",
    build: ["vite build"],
    serve: "vite preview --host 127.0.0.1 --port PORT",
    dev: "vite dev --host 127.0.0.1 --port PORT",
    output: ["dist"],
    pages: [""],
    routes: ["api/rank"],
  },
  "Remix 2": {
    project: "remix",
    packages: {
      "@remix-run/dev": "2.17.5",
      "@remix-run/node": "2.17.5",
      "@remix-run/react": "2.17.5",
      "@remix-run/serve": "2.17.5",
      isbot: "4.4.0",
      react: "18.3.1",
      "react-dom": "18.3.1",
      vite: "6.4.6",
    },
    rank: "app/rank.js",
    build: ["remix vite:build"],
    serve: "remix-serve ./build/server/index.js",
    dev: "remix vite:dev --host 127.0.0.1 --port PORT",
    output: ["build"],
    pages: [""],
    routes: ["server", "api/rank"],
  },
};
