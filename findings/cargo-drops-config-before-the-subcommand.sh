#!/usr/bin/env bash
# cargo 1.95.0 lists --config among the options of every command, and takes it before or after the subcommand. Two cases
# lose it without a word. Before `clippy`, which is a program of its own, it is not handed on: a lint for another target is
# then a lint for the host, and passes. And if one --config is before `build` and one after it, the one before is dropped.
#
# Seen with cargo 1.95.0 and clippy 0.1.95: of the settings below, only those marked "used" had an effect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export RUSTUP_HOME=$folder/rustup CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
cargo=(rustup run 1.95.0 cargo)
rustup toolchain install 1.95.0 --profile minimal --component clippy --no-self-update >/dev/null 2>&1
cd "$folder"
"${cargo[@]}" --version
"${cargo[@]}" clippy --version
"${cargo[@]}" init --quiet --name demo --vcs none demo
cd demo

# check EXPECTED ARGUMENTS...: runs cargo and looks where the build is.
check() {
  local expected=$1 seen
  shift
  rm -rf target elsewhere
  "${cargo[@]}" "$@" --quiet
  if [ -d elsewhere ]; then seen=used; else seen=dropped; fi
  printf '%s: cargo %s\n' "$seen" "$*"
  [ "$seen" = "$expected" ] || { echo "the behavior has changed: expected $expected"; exit 1; }
}

setting='build.target-dir="elsewhere"'
check used --config "$setting" build
check used clippy --config "$setting"
check dropped --config "$setting" clippy
check dropped --config "$setting" build --config build.jobs=1
check used build --config "$setting" --config build.jobs=1
