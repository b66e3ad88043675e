# Checks formatting, lints, documentation, types and dependencies.

check() {
  setup_wasm
  setup_npm pkg
  say "formatting"
  cargo fmt --all --check
  cargo fmt --check --manifest-path fuzz/Cargo.toml
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

# Checks licenses and duplicate versions against deny.toml. It needs no network after cargo-deny is installed.
deny() {
  install_tool cargo-deny "$cargo_deny_version"
  say "dependencies"
  cargo deny --offline --log-level warn check licenses bans sources
}
