#!/bin/bash
# The newest templates of create-vite and create-vue, with one node_modules for all, in a folder of the repository:
#
#   bash scripts/newest-templates.sh .cache/templates
#   BUNDLERS=.cache/templates npx vitest run test/browser/templates.test.ts
#
# Ends with 77 if the registry lacks a package that a template needs.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
folder=$1
log=$repository/$folder/npm.log

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
for template in {react,vue,svelte,lit,solid,preact,vanilla}-ts; do
  npm create --yes vite@latest "$template" -- --template "$template" --no-interactive
done
npm create --yes vue@latest create-vue -- --typescript --router --pinia

echo '{ "private": true, "workspaces": ["*-ts", "create-vue"] }' >package.json
# No build needs these, and they are most of the megabytes.
npm pkg delete --workspaces devDependencies.{typescript,vue-tsc,svelte-check,oxlint,npm-run-all2}
if ! npm install --no-audit --no-fund 2>&1 | tee "$log"; then
  grep -qE 'code (E404|ETARGET)' "$log" || exit 1
  echo "SKIPPED: the registry lacks a package: $(grep -m 1 -E 'notarget|404' "$log")"
  exit 77
fi
ln -sfn "$repository" node_modules/static-s3
