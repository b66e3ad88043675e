# Measures speed, load time and memory; writes .build/bench/report.md. bench/options.mjs describes the options;
# --no-build measures what an earlier run built.

bench() {
  local build=yes argument against only
  local -a options=()
  for argument in "$@"; do
    case "$argument" in
      --no-build) build=no ;;
      --help) build=no options+=("$argument") ;;
      *) options+=("$argument") ;;
    esac
  done
  against=$(option_value against ${options[@]+"${options[@]}"})
  only=$(option_value only ${options[@]+"${options[@]}"})
  setup_npm bench
  if [ "$build" = yes ]; then
    setup_chromium
    [ -n "$against" ] && [ "$only" = native ] || pkg
    say "command line"
    cargo build --quiet --release --workspace --bin ranklet
    case "$only" in
      *python*)
        wheel
        rm -rf .build/bench/wheel
        "$python_environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
          --target .build/bench/wheel .build/wheels/ranklet-*.whl
        ;;
    esac
  fi
  [ -z "$against" ] || build_revision "$against" "$only"
  node bench/bench.mjs ${options[@]+"${options[@]}"}
}

# option_value NAME ARGUMENT...: prints the value of --NAME VALUE or --NAME=VALUE, or nothing.
option_value() {
  local name=$1 argument is_next=no
  shift
  for argument in "$@"; do
    if [ "$is_next" = yes ]; then
      printf '%s' "$argument"
      return
    fi
    case "$argument" in
      "--$name") is_next=yes ;;
      "--$name="*)
        printf '%s' "${argument#*=}"
        return
        ;;
    esac
  done
}

# build_revision REVISION ONLY: builds another revision by its own build.sh, in a worktree with its own target folder. Later
# runs use both again. With "native" as ONLY the package is not built.
build_revision() {
  local commit tree=.build/against
  commit=$(git rev-parse --quiet --verify "$1^{commit}") || fail "$1 is not a commit of this repository"
  if ! is_built program; then build_in_worktree program cargo build --quiet --release --workspace --bin ranklet; fi
  if [ "$2" != native ] && ! is_built package; then build_in_worktree package ./build.sh pkg; fi
}

# is_built PART: whether the worktree has this part of the commit, as the file that names the commit says. This function and
# the next one use the local variables `tree` and `commit` of build_revision, which calls them.
is_built() { [ "$(cat "$tree/.build/$1.commit" 2>/dev/null)" = "$commit" ]; }

build_in_worktree() {
  local part=$1
  shift
  if [ ! -e "$tree/.git" ]; then
    git worktree prune
    git worktree add --quiet --force --detach "$tree" "$commit"
  fi
  git -C "$tree" checkout --quiet --force --detach "$commit"
  say "$part of $(git log -1 --format='%h, %cs' "$commit")"
  mkdir -p "$tree/.build"
  rm -f "$tree/.build/$part.commit"
  (cd "$tree" && "$@") || fail "the $part of this revision could not be built in $tree"
  printf '%s\n' "$commit" >"$tree/.build/$part.commit"
}

# Measures how faithful explanations are. The options are those of bench/faithfulness.
faithfulness() {
  cargo run --quiet --release --example faithfulness -- "$@"
}
