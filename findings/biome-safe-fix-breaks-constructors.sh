#!/usr/bin/env bash
# Biome marks some fixes as safe: they keep what the code does, and `biome lint --write` applies them. The fix of
# useArrowFunction, a recommended rule, is one of them. It also rewrites a function expression that the next line calls with
# `new`. An arrow function is not a constructor, so the program ends with a TypeError. The rule skips functions that use
# `this`, but a constructor that returns another object does not use it.
#
# Seen with @biomejs/biome 2.6.8 and Node 20.20: "TypeError: Pair is not a constructor".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --loglevel=error @biomejs/biome@2.6.8 >/dev/null
cat >pair.mjs <<'JS'
const Pair = function (first, second) {
  return [first, second];
};
console.log(new Pair(1, 2).length);
JS
npx biome --version
[ "$(node pair.mjs)" = 2 ]
npx biome lint --write --colors=off pair.mjs
cat pair.mjs
if output=$(node pair.mjs 2>&1); then
  echo "the behavior has changed: the program still runs, and prints $output"
  exit 1
fi
grep "TypeError: Pair is not a constructor" <<<"$output"
