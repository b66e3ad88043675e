# Functions that every script uses. build.sh sources the files of this folder; they define functions and constants.

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

# need PROGRAM ADVICE: fails with the advice if the program is not installed.
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

# Prints the path of the first of these programs that is installed, or nothing.
find_program() {
  local candidate
  for candidate in "$@"; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

# install_package DEBIAN [HOMEBREW_CASK]: installs with apt (as root) or Homebrew, or says what to install by hand.
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

# install_tool CRATE VERSION: builds a Rust program into .build/tools unless that version is already there.
tools="$PWD/.build/tools"
export PATH="$tools/bin:$PATH"
install_tool() {
  local crate=$1 version=$2
  # cargo-deny prints "cargo-deny 1.2.3", the program of wasm-bindgen-cli "wasm-bindgen 1.2.3".
  [ "$("${crate%-cli}" --version 2>/dev/null)" != "${crate%-cli} $version" ] || return 0
  say "installing $crate $version into .build/tools (a few minutes, once)"
  cargo install --quiet --locked --root "$tools" --version "$version" "$crate"
}
