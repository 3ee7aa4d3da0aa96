#!/bin/bash
# Django 4.2 and django-storages for the tests of examples/django, as Debian 13 packages them: any Python 3 runs them from .cache/django.
#
#   bash scripts/django.sh
#
# Takes some seconds, no root, and nothing of the system changes. Needs Debian or Ubuntu with a mirror of Debian among apt's sources, and
# python3. Ends with 77 where it can't run.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

suite=trixie
folder=$PWD/.cache/django
# Python's own code only: packages with compiled modules need the suite's own Python. The admin links to jQuery.
packages=(libjs-jquery python3-{django,asgiref,sqlparse} python3-django-storages{,-s3} python3-{boto3,botocore,s3transfer,jmespath,dateutil,six,urllib3,dotenv})

skip() {
  echo "SKIPPED: $*"
  exit 77
}

for command in apt-get dpkg-deb python3; do
  command -v "$command" >/dev/null || skip "$command is missing"
done
# A mirror that is a snapshot is out of date by intent.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
[ -n "$mirror" ] || skip "apt's sources name no mirror of Debian (apt-get update?)"

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"/{lists,cache/archives}/partial "$new/packages"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$new/sources.list"

apt=(apt-get -qq -o Dir::Etc::SourceList="$new/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$new/lists"
  -o Dir::State::Status=/dev/null -o Dir::Cache="$new/cache" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false
  -o Acquire::Retries=3)
# apt-get update succeeds without a suite that the mirror lacks.
"${apt[@]}" update && (cd "$new/packages" && "${apt[@]}" download "${packages[@]}") || skip "the mirror of Debian lacks $suite or a package"

for package in "$new"/packages/*.deb; do dpkg-deb -x "$package" "$new/root"; done
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
mv "$new/root" "$folder"
PYTHONPATH=$folder/usr/lib/python3/dist-packages python3 -c 'import django, storages; print("Django", django.__version__, "and django-storages", storages.__version__)'
