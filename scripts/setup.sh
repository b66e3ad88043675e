# Installs what the other commands need.

# The tool that writes the JavaScript glue must have the version of the library in Cargo.lock.
wasm_bindgen_version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
cargo_deny_version=0.20.2
min_node="20.19"

find_chromium() {
  find_program "${CHROMIUM:-}" chromium chromium-browser google-chrome \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
}

find_firefox() {
  find_program "${FIREFOX:-}" firefox-esr firefox "/Applications/Firefox.app/Contents/MacOS/firefox"
}

find_webkit() { find_program "${WEBKIT_DRIVER:-}" WebKitWebDriver; }

setup() {
  setup_wasm
  setup_npm pkg
  setup_npm www
  setup_npm tests/js
  setup_npm tests/js/integrations
  setup_npm tests/js/hooks
  setup_npm scripts/lint
  setup_browsers
  setup_vulkan
}

setup_wasm() {
  need cargo "install Rust from https://rustup.rs"
  need rustup "it installs the wasm target; get it from https://rustup.rs"
  need node "install version $min_node or later from https://nodejs.org"
  node -e '
    const [have, min] = [process.versions.node, process.argv[1]].map((version) => version.split(".").map(Number));
    process.exit(have[0] > min[0] || (have[0] === min[0] && have[1] >= min[1]) ? 0 : 1);
  ' "$min_node" || fail "Node $(node --version) is too old: install version $min_node or later from https://nodejs.org"
  need npm "it comes with Node"
  rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
  install_tool wasm-bindgen-cli "$wasm_bindgen_version"
}

# Installs the npm packages of a folder if its lock file is newer than the installed packages.
setup_npm() {
  local folder=$1
  if [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
  fi
}

setup_browsers() {
  setup_chromium
  [ -n "$(find_firefox)" ] || install_package firefox-esr firefox
  FIREFOX=$(find_firefox)
  [ -n "$FIREFOX" ] || fail "Firefox was not found after its installation: set FIREFOX to its path"
  export FIREFOX
  setup_webkit
}

setup_chromium() {
  [ -n "$(find_chromium)" ] || install_package chromium chromium
  CHROMIUM=$(find_chromium)
  [ -n "$CHROMIUM" ] || fail "Chromium was not found after its installation: set CHROMIUM to its path"
  export CHROMIUM
}

# WebKitGTK's MiniBrowser, its driver and a virtual screen. macOS has no WebKitGTK, so its tests are skipped there.
setup_webkit() {
  [ "$(uname)" != Darwin ] || return 0
  [ -n "$(find_program Xvfb)" ] || install_package xvfb
  [ -n "$(find_webkit)" ] || install_package webkit2gtk-driver
  WEBKIT_DRIVER=$(find_webkit)
  [ -n "$WEBKIT_DRIVER" ] || fail "WebKitWebDriver was not found after its installation: set WEBKIT_DRIVER to its path"
  export WEBKIT_DRIVER
}

# A Vulkan driver that runs on the CPU: the GPU engine's tests fail without an adapter. macOS has Metal.
setup_vulkan() {
  [ "$(uname)" != Darwin ] || return 0
  ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1 || install_package mesa-vulkan-drivers
}

# Runs aarch64 programs on x86-64. An aarch64 machine does not need it: its ordinary tests cover the same kernels.
setup_emulator() {
  [ "$(uname -sm)" = "Linux x86_64" ] || return 0
  rustup target list --installed | grep -qx aarch64-unknown-linux-gnu || rustup target add aarch64-unknown-linux-gnu
  command -v aarch64-linux-gnu-gcc >/dev/null || install_package gcc-aarch64-linux-gnu
  [ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ] || install_package libc6-dev-arm64-cross
  command -v qemu-aarch64 >/dev/null || install_package qemu-user
}

setup_fuzz() {
  need "${CXX:-c++}" "libFuzzer needs a C++ compiler (Debian: sudo apt-get install g++; macOS: xcode-select --install)"
}
