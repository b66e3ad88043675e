# Builds the Python wheel and tests it.

# PyO3 builds for the stable interface of Python 3.10, so that the lints and the Rust tests need no Python.
export PYO3_NO_PYTHON=1 PYO3_BUILD_EXTENSION_MODULE=1

# The virtual environment with the tools in tests/python/requirements.txt, and the tests' copy of the package.
python_environment=.build/python

# Prints the first Python of at least 3.10 that can make virtual environments, or nothing.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

setup_python() {
  local python requirements=tests/python/requirements.txt
  python=$(find_python)
  [ -n "$python" ] || fail "the wheel needs Python 3.10 or later with venv (Debian: sudo apt-get install python3-venv; or set PYTHON)"
  ! cmp -s "$requirements" "$python_environment/requirements.txt" || return 0
  say "Python tools into $python_environment"
  rm -rf "$python_environment"
  "$python" -m venv "$python_environment" &&
    "$python_environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" &&
    cp "$requirements" "$python_environment/requirements.txt"
}

# Builds .build/wheels/ranklet-*.whl for Python 3.10 and later, and the package with the small model. cargo builds the tests
# with the features of the whole workspace, so that this finds the library compiled. Steps are joined by &&, because `suite`
# runs this without errexit.
wheel() {
  setup_python && say "wheel" && rm -f .build/wheels/ranklet-*.whl .build/wheels/ranklet_small-*.whl &&
    "$python_environment/bin/maturin" build --quiet --release --locked --manifest-path python/Cargo.toml \
      --interpreter "$python_environment/bin/python" --out .build/wheels &&
    "$python_environment/bin/python" scripts/small_model_wheel.py .build/wheels &&
    ls -l .build/wheels/*.whl
}

# Builds .build/wheels/ranklet-*.tar.gz, which `pip install` builds without a network: it has the crates too.
sdist() {
  setup_python && say "source distribution" && rm -f .build/wheels/ranklet-*.tar.gz &&
    "$python_environment/bin/maturin" sdist --manifest-path python/Cargo.toml --out .build/wheels &&
    "$python_environment/bin/python" scripts/vendor_crates.py .build/wheels/ranklet-*.tar.gz &&
    ls -l .build/wheels/ranklet-*.tar.gz
}

python_tests() {
  if [ -z "$(find_python)" ]; then
    say "Python tests: skipped, because there is no Python 3.10 or later with venv (Debian: python3-venv)"
    return 0
  fi
  wheel &&
    "$python_environment/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps \
      .build/wheels/ranklet-*.whl .build/wheels/ranklet_small-*.whl &&
    "$python_environment/bin/python" -m pytest -q tests/python
}
