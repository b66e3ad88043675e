# Measures speed, load time and memory; writes .build/bench/report.md. bench/options.mjs describes the options;
# --no-build measures what an earlier run built.

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
    cargo build --quiet --release --workspace --bin ranklet
    case " ${options[*]-} " in
      *" --only "*python*)
        wheel
        rm -rf .build/bench/wheel
        "$python_environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
          --target .build/bench/wheel .build/wheels/ranklet-*.whl
        ;;
    esac
  fi
  node bench/bench.mjs ${options[@]+"${options[@]}"}
}
