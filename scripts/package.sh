# Builds the npm package and the demo page.

pkg() {
  wasm
  setup_npm pkg
  say "package"
  node pkg/build.mjs
}

www() {
  setup_npm www
  say "page"
  (cd pkg && npx --no-install tsc -p ../www && npx --no-install tsc -p ../www/tsconfig.sw.json)
  node www/server/build.mjs
}

demo() {
  pkg
  www
  exec node www/server/serve.mjs
}
