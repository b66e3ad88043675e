# Runs the test suites and adds up their results.

passed=0 failed=0

test_all() {
  local long=${1:-}
  case "$long" in "" | --long) ;; *) fail "test accepts --long or nothing, not $long" ;; esac
  setup
  [ "$long" != --long ] || { setup_fuzz && setup_emulator; }
  check
  # With the features of the whole workspace, as in the wheel: nothing is compiled twice.
  suite "Rust tests" cargo test --release --workspace --no-fail-fast
  if [ "$long" = --long ]; then
    suite "dependencies" deny_test
    suite "long Rust tests" long_rust_tests
    suite "aarch64 kernels" emulated_tests
    suite "training scripts" training_tests
    # Fuzzes the readers in Rust; tests/js/workers/protocol.test.js fuzzes the worker protocol for the same time.
    suite "fuzzing" fuzz
    export RANKLET_FUZZ_SECONDS=${RANKLET_FUZZ_SECONDS:-600} RANKLET_LONG=1
  fi
  suite "Python tests" python_tests
  suite "JavaScript tests" js_tests
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

# suite NAME COMMAND...: runs a suite, shows its output and adds its results to the totals. A failure does not stop the
# suites after it.
suite() {
  local name=$1 log status=0
  shift
  say "$name"
  mkdir -p .build
  log=".build/$(echo "$name" | tr ' ' '-').log"
  "$@" 2>&1 | tee "$log" || status=$?
  # cargo: "test result: ok. 4 passed; 0 failed; ..."; node: "# pass 4", "# fail 0", "# cancelled 0" (or with an info
  # sign). Node cancels the tests of a file that takes too long.
  passed=$((passed + $(awk '/^test result:/ {n += $4} /^(#|ℹ) pass / {n += $3} END {print n + 0}' "$log")))
  failed=$((failed + $(awk '/^test result:/ {n += $6} /^(#|ℹ) (fail|cancelled) / {n += $3} END {print n + 0}' "$log")))
  if [ "$status" != 0 ] && ! grep -qE '^test result: FAILED|^(#|ℹ) (fail|cancelled) [1-9]' "$log"; then
    failed=$((failed + 1))
    printf 'build.sh: the suite "%s" ended with status %s\n' "$name" "$status" >&2
  fi
}

# Runs the slow tests. One of them compares with sentence-transformers and is left out without it.
long_rust_tests() {
  local arguments=(--ignored long_) python=${RANKLET_PYTHON:-python3}
  if ! "$python" -c 'import sentence_transformers' 2>/dev/null; then
    say "variations of files: ignored, because $python has no sentence_transformers (RANKLET_PYTHON names another)"
    arguments+=(--skip long_generated)
  fi
  cargo test --release --workspace --no-fail-fast -- "${arguments[@]}"
}

# Runs each file of JavaScript tests for at most ten minutes, an hour with --long, so that a test that hangs fails. The
# slowest file takes about two minutes.
js_tests() {
  local timeout_ms=600000
  [ "${RANKLET_LONG:-}" != 1 ] || timeout_ms=3600000
  (cd tests/js && node --test --test-concurrency=1 --test-timeout="$timeout_ms" --test-reporter=spec)
}

# Reports cargo-deny's verdict in cargo test's words, so that `suite` counts it.
deny_test() {
  if deny; then
    echo "test result: ok. 1 passed; 0 failed"
  else
    echo "test result: FAILED. 0 passed; 1 failed"
    return 1
  fi
}

fuzz() {
  setup_fuzz
  fuzz/run.sh "$@"
}

# Tests the scripts in training/, and reports in cargo test's words. Left out without their packages.
training_tests() {
  local python=${RANKLET_PYTHON:-python3}
  if ! "$python" -c 'import pytest, scipy, tokenizers, torch, transformers' 2>/dev/null; then
    say "skipped, because $python does not have the packages in training/requirements.txt (RANKLET_PYTHON names another)"
  elif "$python" -m pytest -q -p no:cacheprovider training/tests; then
    echo "test result: ok. 1 passed; 0 failed"
  else
    echo "test result: FAILED. 0 passed; 1 failed"
    return 1
  fi
}

# Tests the aarch64 kernels under emulation.
emulated_tests() {
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    say "aarch64 kernels: skipped, emulation needs Linux on x86-64"
    return 0
  fi
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
    cargo test --target aarch64-unknown-linux-gnu --no-default-features --lib cpu::
}
