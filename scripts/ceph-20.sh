#!/bin/bash
# The tests of S3 on Ceph 20, which Debian 12 hasn't got: in a root with Debian forky, from the mirror of this machine's own apt sources.
#
#   bash scripts/ceph-20.sh [TEST_FILE…]
#
#   KEEP_ROOT=1   the root (half a gigabyte, one to two minutes) stays in .cache/ceph-20 for the next time
#
# Needs Debian, root (for chroot), Node with the project's packages, and: apt-get install mmdebstrap curl
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

suite=forky
folder=$PWD/.cache/ceph-20
root=$folder/root
results=$folder/results.json
files=("$@")
[ $# -gt 0 ] || files=(test/{stores/ceph,stores/conformance,stores/bucket,stores/multipart,release/lock,s3/s3-errors}.test.ts)

say() {
  printf '━━━━ %s\n' "$*"
}

die() {
  echo "ceph-20.sh: $*" >&2
  exit 1
}

# What runs in the root was started from here: the tests end it themselves, unless they were killed.
end_what_runs() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root" 2>/dev/null)" != "$root" ] || kill -KILL "${process#/proc/}" 2>/dev/null || true
  done
}

# Never into what somebody has mounted there.
remove() {
  if grep -qF " $folder/" /proc/self/mountinfo; then
    echo "ceph-20.sh: something is mounted in $folder, which stays" >&2
  else
    rm -rf --one-file-system "$@"
  fi
}

making=
clean_up() {
  if [ -n "$making" ]; then
    kill -TERM "$making" 2>/dev/null || true
    wait "$making" || true
  fi
  end_what_runs
  if [ "${KEEP_ROOT:-}" = 1 ]; then remove "$root.new" "$root"/tmp/static-s3-ceph-*; else remove "$folder"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

make_root() {
  command -v mmdebstrap >/dev/null || die 'mmdebstrap is missing: apt-get install mmdebstrap'
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
  [ -n "$mirror" ] || die "apt's sources name no mirror of Debian (apt-get update?)"
  remove "$root.new"
  mkdir -p "$folder"
  # What mmdebstrap mounts in the root while it is at work, nobody else sees. A mirror that is a snapshot is out of date by intent.
  unshare --mount mmdebstrap --variant=minbase --include=ceph-mon,ceph-osd,radosgw \
    --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$root.new" "deb $mirror $suite main" &
  # In the background, so that a signal is heeded at once.
  making=$!
  wait "$making" || die "no root could be made: has the mirror $suite?"
  making=
  mv "$root.new" "$root"
}

[ "$(id -u)" = 0 ] || die 'chroot takes root'
began=$SECONDS
if [ -d "$root" ]; then
  say "The root of an earlier run"
else
  say "A root with Debian $suite"
  make_root
fi
version=$(chroot "$root" radosgw --version | sed -E 's/^ceph version ([^ ]+).*/\1/')
say "Ceph $version, after $((SECONDS - began)) s"

status=0
# By the names of the suites that run on Ceph.
CEPH_ROOT=$root npx vitest run -t "^'?Ceph|(on|by) Ceph" --reporter=default --reporter=json --outputFile.json="$results" "${files[@]}" ||
  status=$?
[ -s "$results" ] || die "the tests came to no result (vitest ended with $status)"

say "Summary: Ceph $version, $(date -u +%F), Node $(node --version), $((SECONDS - began)) s"
# conformance.test.ts lists what differs on Ceph 16, and holds that each of these checks fails. Here one that
# passes is good news.
node - "$results" <<'NODE'
const { basename } = require('node:path')
const { testResults } = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'))
let failed = 0
let all = 0
const better = []
for (const { name, status, assertionResults } of testResults) {
  const ran = assertionResults.filter((each) => ['passed', 'failed'].includes(each.status))
  const broken = ran.filter((each) => each.status === 'failed')
  const worse = broken.filter((each) => !each.title.startsWith('differs: '))
  better.push(...broken.filter((each) => !worse.includes(each)))
  const differs = ran.filter((each) => each.status === 'passed' && each.title.startsWith('differs: '))
  const unexplained = status === 'failed' && broken.length === 0
  all += ran.length
  failed += worse.length + (unexplained ? 1 : 0)
  const counts = [`${ran.length - broken.length - differs.length} passed`, `${worse.length} failed`]
  if (differs.length > 0) counts.push(`${differs.length} differ from S3 as on Ceph 16`)
  if (unexplained) counts.push('did not run')
  console.log(`${basename(name)}: ${counts.join(', ')}`)
  for (const { fullName } of worse) console.log(`  FAILED ${fullName}`)
}
if (better.length > 0) {
  console.log(`${better.length} do as S3 does, and did not on Ceph 16:`)
  for (const { title } of better) console.log(`  ${title.replace(/^differs: /, '')}`)
}
if (all === 0) console.log('Nothing ran.')
process.exitCode = failed > 0 || all === 0 ? 1 : 0
NODE
