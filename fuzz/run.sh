#!/usr/bin/env bash
# Coverage-guided fuzzing with libFuzzer, on stable Rust and without cargo-fuzz.
#
#   fuzz/run.sh [target] [seconds]    runs one target, or all of them two at a time, each for this many seconds
#
# Prints one line per target in cargo's format, "test result: ok. 1 passed; ...", which `suite` in scripts/test.sh counts.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${2:-${RANKLET_FUZZ_SECONDS:-600}}

# The flags that cargo-fuzz sets: a counter per edge, a table of their positions, and a hook in every comparison, so that
# libFuzzer can write the compared values into inputs. Integer overflow and failed debug assertions panic.
flags=(
  --cfg fuzzing
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cdebug-assertions
  -Coverflow-checks=on
)

host=$(rustc -vV | sed -n 's/^host: //p')

# --target keeps the flags from build scripts and macros, which are not linked with libFuzzer.
build() {
  RUSTFLAGS="${flags[*]}" cargo build --quiet --locked --release --target "$host" --target-dir target
}

run() {
  local target=$1 log="../.build/fuzz-$1.log" last
  mkdir -p "corpus/$target" "artifacts/$target" ../.build
  printf 'fuzz %s: %s seconds\n' "$target" "$seconds"
  # No file of 16 KB should take ten seconds. src/memory.rs limits its memory.
  if RAYON_NUM_THREADS=1 "target/$host/release/$target" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
    -rss_limit_mb=2048 -dict="dictionaries/$target.dict" -artifact_prefix="artifacts/$target/" \
    "corpus/$target" >"$log" 2>&1 && last=$(grep -E '^#[0-9]+[[:space:]]+DONE +cov: [0-9]{4,}' "$log"); then
    printf 'fuzz %s: %s\ntest result: ok. 1 passed; 0 failed\n' "$target" "$last"
  else
    # Omits progress lines, so that the panic, its backtrace and the name of the input remain.
    grep -vE '^#[0-9]+|^INFO|NEW_FUNC' "$log" | tail -n 60
    printf 'fuzz %s: the input is in fuzz/artifacts/%s, the whole log in .build/fuzz-%s.log\n' "$target" "$target" "$target"
    printf 'test result: FAILED. 0 passed; 1 failed\n'
    return 1
  fi
}

case "${1:-}" in
  "")
    build
    export RANKLET_FUZZ_SECONDS=$seconds
    for source in targets/*.rs; do basename "$source" .rs; done | xargs -P 2 -I TARGET ./run.sh --built TARGET
    ;;
  --built) seconds=$RANKLET_FUZZ_SECONDS run "$2" ;;
  *)
    [ -f "targets/$1.rs" ] || { printf 'fuzz: there is no target %s\n' "$1" >&2; exit 2; }
    build
    run "$1"
    ;;
esac
