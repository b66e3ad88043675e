# Checks formatting, lints, documentation, types and dependencies.

check() {
  setup_wasm
  setup_npm pkg
  setup_npm scripts/lint
  say "formatting, and lints of JavaScript and Python"
  cargo fmt --all --check
  cargo fmt --check --manifest-path fuzz/Cargo.toml
  scripts/lint/node_modules/.bin/biome ci --error-on-warnings
  check_python
  say "sizes"
  check_sizes
  say "locked dependencies"
  cargo metadata --quiet --locked --format-version 1 >/dev/null
  cargo metadata --quiet --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
  say "lints"
  cargo clippy --quiet --release --workspace --all-targets -- -D warnings
  cargo clippy --quiet --release --lib --no-default-features -- -D warnings
  wasm_cargo clippy --quiet --profile wasm --lib --no-default-features --features "$wasm_features" -- -D warnings
  say "documentation"
  RUSTDOCFLAGS="-D warnings" cargo doc --quiet --release --no-deps --lib
  # tsc --strict checks the package and the page against the types of the engine that was just built.
  pkg
  www
}

# Checks the formatting of Python, and lints it. Python is optional here, as in python_tests.
check_python() {
  if [ -z "$(find_python)" ]; then
    say "formatting and lints of Python: skipped, because there is no Python 3.10 or later with venv (Debian: python3-venv)"
    return 0
  fi
  setup_python
  "$python_environment/bin/ruff" format --check --quiet
  "$python_environment/bin/ruff" check --quiet
}

# Fails for files of code with more than 400 lines, and for folders with more than 16 of them. Fixtures may be larger.
check_sizes() {
  local code large
  code=$(git ls-files '*.rs' '*.wgsl' '*.ts' '*.tsx' '*.js' '*.jsx' '*.mjs' '*.css' '*.py' '*.sh' ':!tests/fixtures')
  large=$(
    tr '\n' '\0' <<<"$code" | xargs -0 wc -l | awk '$1 > 400 && $2 != "total" { print $2 " has " $1 " lines; the limit is 400" }'
    sed 's|/[^/]*$||' <<<"$code" | sort | uniq -c | awk '$1 > 16 { print $2 " has " $1 " files; the limit is 16" }'
  )
  if [ -n "$large" ]; then
    echo "$large" >&2
    return 1
  fi
}

# Checks licenses and duplicate versions against deny.toml. It needs no network after cargo-deny is installed.
deny() {
  install_tool cargo-deny "$cargo_deny_version"
  say "dependencies"
  cargo deny --offline --log-level warn check licenses bans sources
}
