#!/bin/bash
# Back ends for tests, as Debian packages them, unpacked into .cache/back-ends/SET:
#
#   bash scripts/back-ends.sh django    # Django, django-storages, django-webpack-loader: any Python 3 runs them
#   bash scripts/back-ends.sh php       # Laravel, Symfony and WebpackEncoreBundle, with PHP: bin/php
#   bash scripts/back-ends.sh ruby      # Rails, with Ruby: bin/ruby
#
# Takes 5 to 25 seconds and at most 35 MB from the mirror, no root, and nothing of the system changes. Needs Debian or Ubuntu with a mirror of
# Debian among apt's sources, and python3 for Django. Ends with 77 where it can't run.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."
exec </dev/null

name=${1-}
folder=$PWD/.cache/back-ends/$name
needed=(apt-get dpkg-deb)
case $name in
  django)
    suite=trixie
    needed+=(python3)
    # Python's own code only: packages with compiled modules need the suite's own Python. The admin links to jQuery.
    get=(download libjs-jquery python3-{django,asgiref,sqlparse,dotenv,django-webpack-loader} python3-django-storages{,-s3}
      python3-{boto3,botocore,s3transfer,jmespath,dateutil,six,urllib3})
    ;;
  php)
    suite=forky
    get=(install php-cli php-mbstring php-laravel-framework php-symfony-{framework-bundle,twig-bundle,yaml,webpack-encore-bundle})
    ;;
  ruby)
    suite=forky
    get=(install ruby ruby-railties)
    ;;
  *)
    echo 'back-ends.sh: name a set: django, php or ruby' >&2
    exit 2
    ;;
esac

skip() {
  echo "SKIPPED: $*"
  exit 77
}

for command in "${needed[@]}"; do
  command -v "$command" >/dev/null || skip "$command is missing"
done
# A mirror that is a snapshot is out of date by intent.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
[ -n "$mirror" ] || skip "apt's sources name no mirror of Debian (apt-get update?)"

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"/{lists,cache/archives}/partial "$new/packages"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$new/sources.list"

# With nothing installed, `install` downloads all that the packages need, the C library too.
apt=(apt-get -qq -o Dir::Etc::SourceList="$new/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$new/lists"
  -o Dir::State::Status=/dev/null -o Dir::Cache="$new/cache" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false
  -o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Install-Recommends=false
  -o APT::Get::Assume-Yes=true -o APT::Get::Download-Only=true)
# apt-get update succeeds without a suite that the mirror lacks.
"${apt[@]}" update && (cd "$new/packages" && "${apt[@]}" "${get[@]}") || skip "the mirror of Debian lacks $suite or a package"

for package in "${get[@]:1}"; do basename "$new"/{packages,cache/archives}/"$package"_*.deb; done
find "$new"/{packages,cache/archives} -name '*.deb' -exec dpkg-deb -x {} "$new/root" \;
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
mv "$new/root" "$folder"

# write_command NAME WORD…: bin/NAME runs a program of another release of Debian, with that release's C library.
write_command() {
  local file=$folder/bin/$1
  local loader
  shift
  loader=$(find "$folder"/usr/lib/*/ -maxdepth 1 -name 'ld-linux*.so.*')
  mkdir -p "$folder/bin"
  {
    printf '#!/bin/sh\nexec env'
    printf " '%s'" "${variables[@]}" "$loader" --library-path "${loader%/*}" "$@"
    echo ' "$@"'
  } >"$file"
  chmod +x "$file"
}

joined() {
  local IFS=:
  echo "$*"
}

case $name in
  django) PYTHONPATH=$folder/usr/lib/python3/dist-packages python3 -c 'import django, storages, webpack_loader' ;;
  php)
    # Debian's autoloaders name each other by the paths of an installation.
    grep -rlZE "['\"]/usr/share/php/" "$folder/usr/share/php" --include='*autoload*.php' |
      xargs -0 sed -i -E "s|(['\"])/usr/share/php/|\1$folder/usr/share/php/|g"
    {
      printf '%s="%s"\n' extension_dir "$(echo "$folder"/usr/lib/php/20*)" include_path "$folder/usr/share/php" display_errors stderr
      printf 'extension=%s\n' ctype mbstring tokenizer iconv fileinfo dom simplexml xml
    } >"$folder/php.ini"
    variables=()
    write_command php "$folder"/usr/bin/php[0-9]* -c "$folder/php.ini"
    "$folder/bin/php" --version
    ;;
  ruby)
    variables=(
      RUBYLIB="$(joined "$folder"/usr/lib/{,*/}ruby/{vendor_ruby{,/[0-9]*},[0-9]*})"
      GEM_PATH="$(joined "$folder"/usr/{share/rubygems-integration/all,lib/*/rubygems-integration/[0-9]*,lib/ruby/gems/[0-9]*})"
    )
    write_command ruby "$folder"/usr/bin/ruby[0-9]*
    "$folder/bin/ruby" --version
    ;;
esac
