# Builds the WebAssembly files.

# Size limits of one file in bytes. The GPU engine is about 100,000 of the gzipped bytes. A commit that raises a limit
# says why.
wasm_budget=3200000
wasm_gzip_budget=1150000
wasm_features=gpu,onnx

# Builds two files from one source, without and with relaxed SIMD. They share their glue.
wasm() {
  setup_wasm
  say "WebAssembly"
  wasm_engine .build/relaxed "$wasm_features,relaxed-simd"
  wasm_engine pkg/dist/wasm "$wasm_features"
  node pkg/glue.mjs .build/relaxed pkg/dist/wasm
  cmp .build/relaxed/ranklet.js pkg/dist/wasm/ranklet.js || fail "the glue of the two WebAssembly files differs"
  mv .build/relaxed/ranklet_bg.wasm pkg/dist/wasm/ranklet_relaxed_bg.wasm
  wasm_size pkg/dist/wasm/ranklet_bg.wasm
  wasm_size pkg/dist/wasm/ranklet_relaxed_bg.wasm
}

# wasm_engine FOLDER FEATURES: builds one file and its glue. LLVM must keep the instruction order of the source:
# its scheduler ignores register pressure here, and the tiles of the CPU engine would spill. It must also leave addresses in
# loops alone: its strength reduction moves constant offsets out of the loads.
wasm_engine() {
  wasm_cargo rustc --quiet --profile wasm --lib --no-default-features --features "$2" -- \
    "-Cllvm-args=-pre-RA-sched=source -disable-lsr"
  wasm-bindgen --target web --omit-default-module-path --out-dir "$1" --out-name ranklet \
    target/wasm32-unknown-unknown/wasm/ranklet.wasm
}

# cargo for the wasm target, with 128-bit SIMD and without this machine's paths in the output.
wasm_cargo() {
  local flags='"-Ctarget-feature=+simd128"' folder
  cargo fetch --quiet --locked --target wasm32-unknown-unknown
  for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    flags="$flags, \"--remap-path-prefix=$folder=crates\""
  done
  # After the subcommand, because cargo does not hand options before it to clippy.
  cargo "$1" --config 'build.target="wasm32-unknown-unknown"' --config "target.wasm32-unknown-unknown.rustflags=[$flags]" "${@:2}"
}

wasm_size() {
  local raw gzipped
  raw=$(wc -c <"$1" | tr -d ' ')
  gzipped=$(gzipped_bytes "$1")
  printf 'wasm: %s bytes, %s gzipped (budget %s, %s)\n' "$raw" "$gzipped" "$wasm_budget" "$wasm_gzip_budget"
  [ "$raw" -le "$wasm_budget" ] && [ "$gzipped" -le "$wasm_gzip_budget" ] ||
    fail "$1 is over the size budget in scripts/wasm.sh"
}

gzipped_bytes() {
  gzip -9 -c "$1" | wc -c | tr -d ' '
}

# wasm_parts [FEATURE]: builds the same file with function names, which the published file leaves out, and prints the size
# of each crate. With a feature, prints what it adds to the published file.
wasm_parts() {
  setup_wasm
  if [ $# -gt 0 ]; then
    wasm_part "$1"
    return
  fi
  CARGO_PROFILE_WASM_STRIP=false wasm_cargo build --quiet --profile wasm --lib --no-default-features \
    --features "$wasm_features" --target-dir target/named
  node pkg/wasm-parts.mjs target/named/wasm32-unknown-unknown/wasm/ranklet.wasm
}

wasm_part() {
  local with without
  [[ ",$wasm_features," == *",$1,"* ]] || fail "choose one of the features $wasm_features"
  wasm_engine .build/part "$wasm_features"
  with=$(gzipped_bytes .build/part/ranklet_bg.wasm)
  wasm_engine .build/part "${wasm_features/$1/}"
  without=$(gzipped_bytes .build/part/ranklet_bg.wasm)
  printf '%s: %s bytes gzipped (%s with it, %s without)\n' "$1" $((with - without)) "$with" "$without"
}
