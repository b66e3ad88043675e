#!/usr/bin/env bash
# The one way in. `./build.sh help` says what there is.
set -euo pipefail
cd "$(dirname "$0")"

# The tool that writes the JavaScript glue must be of the version of the library in Cargo.lock.
wasm_bindgen_version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
tools="$PWD/.build/tools"
export PATH="$tools/bin:$PATH"

# What the wasm file may weigh, in bytes; about 100,000 of the gzipped ones are the GPU engine. Raise these only with a
# reason in the commit.
wasm_budget=3000000
wasm_gzip_budget=1100000

help() {
  cat <<'TEXT'
./build.sh setup         install what is missing: the wasm target, wasm-bindgen, npm packages, browsers
./build.sh demo          build everything, serve the page with the embedded model, print its address
./build.sh test [--long] everything: checks, Rust tests, package tests, browser tests
./build.sh fuzz [target] [seconds]  fuzzing of the readers of outside files, part of test --long
./build.sh check         formatting, lints, types
./build.sh wasm          the WebAssembly files and their glue, within the size budget
./build.sh wasm-parts    what each crate weighs in the WebAssembly file
./build.sh pkg           the npm package in pkg/
./build.sh bench [--quick] [...]  speed, load time and memory beside transformers.js and onnxruntime; --help says more
TEXT
}

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

# --- setup

need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

# apt or Homebrew, whichever is here and has it; says what to install by hand where neither can.
install_package() {
  local debian=$1 brew=${2:-}
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$debian"
  elif [ -n "$brew" ] && command -v brew >/dev/null; then
    brew install --cask "$brew"
  else
    fail "please install $debian (Debian: sudo apt-get install $debian${brew:+; macOS: brew install --cask $brew})"
  fi
}

# Prints the path of the first of these programs that is here, or nothing.
find_program() {
  local candidate
  for candidate in "$@"; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

find_chromium() {
  find_program "${CHROMIUM:-}" chromium chromium-browser google-chrome \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
}

find_firefox() {
  find_program "${FIREFOX:-}" firefox-esr firefox "/Applications/Firefox.app/Contents/MacOS/firefox"
}

find_webkit() { find_program "${WEBKIT_DRIVER:-}" WebKitWebDriver; }

# cargo for the browser: with 128-bit SIMD, and without the paths of this machine in the file.
wasm_cargo() {
  local flags='"-Ctarget-feature=+simd128"' folder
  cargo fetch --quiet --locked --target wasm32-unknown-unknown
  for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    flags="$flags, \"--remap-path-prefix=$folder=crates\""
  done
  cargo --config 'build.target="wasm32-unknown-unknown"' --config "target.wasm32-unknown-unknown.rustflags=[$flags]" "$@"
}

setup_wasm() {
  need cargo "https://rustup.rs installs it"
  need rustup "the wasm target comes through rustup: https://rustup.rs"
  need node "version 20.19 or later: https://nodejs.org"
  node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
    fail "Node $(node --version) is too old: version 20.19 or later is needed (https://nodejs.org)"
  need npm "it comes with Node"
  rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
  if [ "$(wasm-bindgen --version 2>/dev/null)" != "wasm-bindgen $wasm_bindgen_version" ]; then
    say "installing wasm-bindgen $wasm_bindgen_version into .build/tools (a few minutes, once)"
    cargo install --quiet --locked --root "$tools" --version "$wasm_bindgen_version" wasm-bindgen-cli
  fi
}

# npm packages, installed anew when the lock file is newer than what is there.
setup_npm() {
  local folder=$1
  if [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
  fi
}

setup_chromium() {
  [ -n "$(find_chromium)" ] || install_package chromium chromium
  CHROMIUM=$(find_chromium)
  [ -n "$CHROMIUM" ] || fail "no Chromium was found after installing one: set CHROMIUM to its path"
  export CHROMIUM
}

# A Vulkan that needs no GPU: the tests of the GPU engine fail without an adapter. On macOS there is Metal.
setup_vulkan() {
  [ "$(uname)" != Darwin ] || return 0
  ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1 || install_package mesa-vulkan-drivers
}

setup_browser() {
  setup_chromium
  [ -n "$(find_firefox)" ] || install_package firefox-esr firefox
  FIREFOX=$(find_firefox)
  [ -n "$FIREFOX" ] || fail "no Firefox was found after installing one: set FIREFOX to its path"
  export FIREFOX
  setup_webkit
}

# WebKitGTK's small browser with its driver, and a screen for it. On macOS there is none, and its tests are skipped.
setup_webkit() {
  [ "$(uname)" != Darwin ] || return 0
  [ -n "$(find_program Xvfb)" ] || install_package xvfb
  [ -n "$(find_webkit)" ] || install_package webkit2gtk-driver
  WEBKIT_DRIVER=$(find_webkit)
  [ -n "$WEBKIT_DRIVER" ] || fail "no WebKitWebDriver was found after installing one: set WEBKIT_DRIVER to its path"
  export WEBKIT_DRIVER
}

# What runs aarch64 programs on another processor. On one of that kind the ordinary tests are all there is to do.
setup_emulator() {
  [ "$(uname -sm)" = "Linux x86_64" ] || return 0
  rustup target list --installed | grep -qx aarch64-unknown-linux-gnu || rustup target add aarch64-unknown-linux-gnu
  command -v aarch64-linux-gnu-gcc >/dev/null || install_package gcc-aarch64-linux-gnu
  [ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ] || install_package libc6-dev-arm64-cross
  command -v qemu-aarch64 >/dev/null || install_package qemu-user
}

setup_fuzz() {
  need "${CXX:-c++}" "libFuzzer is built with a C++ compiler (Debian: sudo apt-get install g++; macOS: xcode-select --install)"
}

setup() {
  setup_wasm
  setup_npm pkg
  setup_npm www
  setup_npm tests/js
  setup_browser
  setup_vulkan
}

# --- build

# Two files from one source: for every engine with SIMD, and for those with relaxed SIMD too. They share their glue.
wasm() {
  setup_wasm
  say "WebAssembly"
  wasm_engine .build/relaxed --features gpu,relaxed-simd
  wasm_engine pkg/dist/wasm --features gpu
  node pkg/glue.mjs .build/relaxed pkg/dist/wasm
  cmp .build/relaxed/ranklet.js pkg/dist/wasm/ranklet.js || fail "the two WebAssembly files do not have the same glue"
  mv .build/relaxed/ranklet_bg.wasm pkg/dist/wasm/ranklet_relaxed_bg.wasm
  wasm_size pkg/dist/wasm/ranklet_bg.wasm
  wasm_size pkg/dist/wasm/ranklet_relaxed_bg.wasm
}

# wasm_engine FOLDER [cargo's options]: one of the files and its glue. The order of instructions stays that of the
# source, for what reorders them knows nothing of registers and the tiles of the CPU engine would not fit into them.
wasm_engine() {
  local folder=$1
  shift
  wasm_cargo rustc --quiet --profile wasm --lib --no-default-features "$@" -- -Cllvm-args=-pre-RA-sched=source
  wasm-bindgen --target web --omit-default-module-path --out-dir "$folder" --out-name ranklet \
    target/wasm32-unknown-unknown/wasm/ranklet.wasm
}

# The same build with function names, which the shipped file leaves out.
wasm_parts() {
  setup_wasm
  wasm_cargo build --quiet --profile wasm --config profile.wasm.strip=false --lib --no-default-features --features gpu \
    --target-dir target/named
  node pkg/wasm-parts.mjs target/named/wasm32-unknown-unknown/wasm/ranklet.wasm
}

wasm_size() {
  local raw gzipped
  raw=$(wc -c <"$1" | tr -d ' ')
  gzipped=$(gzip -9 -c "$1" | wc -c | tr -d ' ')
  printf 'wasm: %s bytes, %s gzipped (budget %s, %s)\n' "$raw" "$gzipped" "$wasm_budget" "$wasm_gzip_budget"
  [ "$raw" -le "$wasm_budget" ] && [ "$gzipped" -le "$wasm_gzip_budget" ] || fail "the wasm file is over its budget"
}

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

# --- measure

# Writes .build/bench/report.md; the options are bench/options.mjs's, and --no-build.
bench() {
  local build=yes argument
  local -a options=()
  for argument in "$@"; do
    case "$argument" in
      --no-build) build=no ;;
      --help) build=no options+=("$argument") ;;
      *) options+=("$argument") ;;
    esac
  done
  setup_npm bench
  if [ "$build" = yes ]; then
    setup_chromium
    pkg
    say "command line"
    cargo build --quiet --release --bin ranklet
  fi
  node bench/bench.mjs ${options[@]+"${options[@]}"}
}

# --- check and test

check() {
  setup_wasm
  setup_npm pkg
  say "formatting"
  cargo fmt --check
  cargo fmt --check --manifest-path fuzz/Cargo.toml
  say "lints"
  cargo clippy --quiet --release --all-targets -- -D warnings
  wasm_cargo clippy --quiet --profile wasm --lib --no-default-features --features gpu -- -D warnings
  say "documentation"
  RUSTDOCFLAGS="-D warnings" cargo doc --quiet --release --no-deps --lib
  # Types: the package and the page compile under strict, against the types of the engine just built.
  pkg
  www
}

# Adds up what the suites say of themselves.
passed=0 failed=0

# Runs a suite, shows what it prints, and counts; the suite's own failure is remembered, not lost.
suite() {
  local name=$1 log status=0
  shift
  say "$name"
  mkdir -p .build
  log=".build/$(echo "$name" | tr ' ' '-').log"
  "$@" 2>&1 | tee "$log" || status=$?
  # cargo: "test result: ok. 4 passed; 0 failed; ..."; node: "# pass 4", "# fail 0" (or with an info sign).
  passed=$((passed + $(awk '/^test result:/ {n += $4} /^(#|ℹ) pass / {n += $3} END {print n + 0}' "$log")))
  failed=$((failed + $(awk '/^test result:/ {n += $6} /^(#|ℹ) fail / {n += $3} END {print n + 0}' "$log")))
  if [ "$status" != 0 ] && ! grep -qE '^test result: FAILED|^(#|ℹ) fail [1-9]' "$log"; then
    failed=$((failed + 1))
    printf 'build.sh: the suite "%s" ended with status %s\n' "$name" "$status" >&2
  fi
}

fuzz() {
  setup_fuzz
  fuzz/run.sh "$@"
}

# The kernels on aarch64, under emulation.
emulated_tests() {
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    say "aarch64 is emulated on Linux with an x86-64 processor only: left out"
    return 0
  fi
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
    cargo test --target aarch64-unknown-linux-gnu --no-default-features --lib cpu::
}

js_tests() { (cd tests/js && node --test --test-concurrency=1 --test-reporter=spec); }

test_all() {
  local long=${1:-}
  case "$long" in "" | --long) ;; *) fail "test takes --long or nothing, not $long" ;; esac
  setup
  [ "$long" != --long ] || { setup_fuzz && setup_emulator; }
  check
  suite "Rust tests" cargo test --release --no-fail-fast
  if [ "$long" = --long ]; then
    suite "long Rust tests" cargo test --release --no-fail-fast -- --ignored long_
    suite "aarch64 kernels" emulated_tests
    # The readers in Rust; tests/js/workers/protocol.test.js fuzzes the worker's protocol for as long.
    suite "fuzzing" fuzz
    export RANKLET_FUZZ_SECONDS=${RANKLET_FUZZ_SECONDS:-600}
  fi
  suite "JavaScript tests" js_tests
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

# Read as one piece and left within it: this file may be edited while it runs.
{
  case "${1:-help}" in
    help | -h | --help) help ;;
    setup | demo | check | wasm | pkg) "$1" ;;
    wasm-parts) wasm_parts ;;
    fuzz) fuzz "${@:2}" ;;
    bench) bench "${@:2}" ;;
    test) test_all "${2:-}" ;;
    *)
      help >&2
      exit 2
      ;;
  esac
  exit
}
