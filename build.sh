#!/usr/bin/env bash
# The only entry point for building and testing. `./build.sh help` lists the commands; scripts/ has one file for each
# subject.
set -euo pipefail
cd "$(dirname "$0")"
for script in scripts/*.sh; do
  # shellcheck source=/dev/null
  . "$script"
done

help() {
  cat <<'TEXT'
./build.sh setup         installs what is missing: the wasm target, wasm-bindgen, npm packages, browsers
./build.sh demo          builds everything, serves the page with the embedded model and prints its address
./build.sh test [--long] runs all checks and tests: Rust, package, browsers; --long adds fuzzing and slow tests
./build.sh check         checks formatting, lints, documentation and types
./build.sh deny          checks the licenses and duplicates of the dependencies (part of test --long)
./build.sh wasm          builds the WebAssembly files and their glue, within the size budget
./build.sh wasm-parts [feature]  prints the size of each crate in the WebAssembly file, or of a feature such as onnx
./build.sh pkg           builds the npm package in pkg/
./build.sh wheel         builds the Python wheel in .build/wheels/
./build.sh sdist         builds the Python source distribution, with all crates, in .build/wheels/
./build.sh bench [...]   measures speed, load time and memory next to transformers.js and onnxruntime; see --help
./build.sh faithfulness [...]  measures how faithful explanations are, on data with known answers; see --help
./build.sh fuzz [target] [seconds]  fuzzes the readers of untrusted files (part of test --long)
TEXT
}

# bash reads this block as a whole before it runs it, so editing this file during a run does no harm.
{
  case "${1:-help}" in
    help | -h | --help) help ;;
    setup | demo | check | deny | wasm | pkg | wheel | sdist) "$1" ;;
    wasm-parts) wasm_parts "${@:2}" ;;
    fuzz) fuzz "${@:2}" ;;
    bench) bench "${@:2}" ;;
    faithfulness) faithfulness "${@:2}" ;;
    test) test_all "${2:-}" ;;
    *)
      help >&2
      exit 2
      ;;
  esac
  exit
}
