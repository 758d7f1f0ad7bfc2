#!/bin/bash
# Compares the base image's root file system with the same packages installed by dpkg with their maintainer scripts.
#
#   sudo ci/compare-base.sh DEBS|locked [CHILD-PACKAGE]
#
# DEBS is a folder with the .deb files of the base; `locked` takes those of docker/versions.lock, which `cargo xtask fetch
# base` brings into the store. Every path that differs must stand in docker/base/differences.toml
# with its reason, and every entry there must hold for something. Then the result is used: as root, as uid 185 and as a
# random uid with gid 0; all packages are installed over themselves with their scripts; and where CHILD-PACKAGE is named,
# it is installed by apt-get from the sources of this machine, as a derived image would.
#
# Needs root, mmdebstrap, dpkg-dev and util-linux. Without CHILD-PACKAGE it needs no network.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set/p' "$0" | sed '/^set/d; s/^# \{0,1\}//'; exit 2; }
[ "$(id -u)" = 0 ] || { echo "compare-base: needs root, to give files their owners" >&2; exit 2; }
for tool in mmdebstrap dpkg-scanpackages unshare; do
  command -v $tool > /dev/null || { echo "compare-base: $tool is not here: apt-get install mmdebstrap dpkg-dev util-linux" >&2; exit 2; }
done
debs=$(realpath "$1")
child=${2:-}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$1" = locked ]; then
  debs=$work/debs
  mkdir "$debs"
  python3 - "$(cargo xtask store path)" "$debs" << 'PYTHON'
import os, sys, tomllib

store, debs = sys.argv[1:]
for artifact in tomllib.load(open("docker/versions.lock", "rb"))["artifact"]:
    if artifact["id"].startswith("deb:"):
        digest = artifact["sha256"].split(":")[1]
        os.symlink(f"{store}/artifacts/{digest[:2]}/{digest}", f"{debs}/{os.path.basename(artifact['path'])}")
PYTHON
fi
export SOURCE_DATE_EPOCH=1767225600
say() { echo "== $*" >&2; }

say "making the root file system, twice"
cargo build --quiet -p debian --examples
examples=${CARGO_TARGET_DIR:-target}/debug/examples
"$examples/rootfs" docker/base/recipe.toml $SOURCE_DATE_EPOCH "$debs" "$work/ours.tar"
"$examples/rootfs" docker/base/recipe.toml $SOURCE_DATE_EPOCH "$debs" "$work/again.tar" > /dev/null
cmp "$work/ours.tar" "$work/again.tar"
rm "$work/again.tar"

say "installing the same packages with their scripts"
mkdir "$work/archive"
cp "$debs"/*.deb "$work/archive"
(cd "$work/archive" && dpkg-scanpackages --multiversion . > Packages 2> /dev/null)
tar -xf "$work/ours.tar" -C "$work" etc/dpkg/dpkg.cfg.d/left-out
packages=$(awk '/^Package:/ {name = $2} /^Version:/ {printf "%s=%s,", name, $2}' "$work/archive/Packages")
options=()
while read -r option; do options+=("--dpkgopt=$option"); done < "$work/etc/dpkg/dpkg.cfg.d/left-out"
mmdebstrap --quiet --variant=custom --include="${packages%,}" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --dpkgopt=force-unsafe-io "${options[@]}" \
  --setup-hook='for section in 1 2 3 4 5 6 7 8; do mkdir -p "$1/usr/share/man/man$section"; done' \
  - "$work/reference.tar" "deb [trusted=yes] copy://$work/archive ./" > "$work/mmdebstrap.log" 2>&1 ||
  { grep -v -E '^(Selecting|Preparing|Unpacking|Setting up)' "$work/mmdebstrap.log" | tail -40 | cut -c1-300 >&2; exit 1; }

say "comparing"
"$examples/compare" "$work/ours.tar" "$work/reference.tar" docker/base/differences.toml

say "using it"
mkdir "$work/root"
tar -xpf "$work/ours.tar" -C "$work/root"
# Runs a command in the root: `enter UID:GID COMMAND...`.
enter() {
  unshare --mount bash -ec '
    root=$1 user=$2; shift 2
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/dev"
    for device in null zero full random urandom tty; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
    ln -s /proc/self/fd "$root/dev/fd"
    exec chroot --userspec="$user" "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      DEBIAN_FRONTEND=noninteractive HOME=/tmp LC_ALL=C.UTF-8 "$@"' _ "$work/root" "$@"
}
expect() { # WHAT EXPECTED FOUND
  [ "$2" = "$3" ] || { echo "compare-base: $1: expected '$2', found '$3'" >&2; exit 1; }
}
# What dpkg misses of packages that were installed by dpkg itself, which keeps the sums of what it leaves out.
missed() { enter 0:0 dpkg --verify | grep -v -E '^missing +/usr/(share/(doc|groff|info|lintian|locale|man)|lib/python3[.0-9]*/EXTERNALLY-MANAGED)' || true; }
for user in 0:0 185:185 123456:0; do
  enter $user bash -ec '
    java -version 2> /dev/null
    python3 -c "import ssl, ctypes, sqlite3, lzma, bz2, zlib, curses, readline, hashlib"
    awk "BEGIN { exit 0 }" && ps > /dev/null && hostname > /dev/null && tini --version > /dev/null && klist -V > /dev/null
    touch /opt/spark/work-dir/probe /tmp/probe && rm /opt/spark/work-dir/probe /tmp/probe'
done
expect "libc by its name" libc.so.6 "$(enter 185:0 python3 -c 'import ctypes.util; print(ctypes.util.find_library("c"))')"
authorities=$(grep -c 'BEGIN CERTIFICATE' "$work/root/etc/ssl/certs/ca-certificates.crt")
expect "authorities of Python" "$authorities" "$(enter 185:0 python3 -c 'import ssl; print(ssl.create_default_context().cert_store_stats()["x509_ca"])')"
for password in "-storepass changeit" ""; do
  expect "authorities of Java, keytool $password" "$authorities" \
    "$(enter 185:0 keytool -list -cacerts $password < /dev/null 2> /dev/null | grep -c trustedCertEntry)"
done
expect "what dpkg misses" "" "$(enter 0:0 dpkg --verify)"
expect "what dpkg finds broken" "" "$(enter 0:0 dpkg --audit)"
expect "packages that dpkg knows" "$(ls "$debs"/*.deb | wc -l)" "$(enter 0:0 dpkg-query -f '${db:Status-Abbrev}\n' -W | grep -c '^ii ')"
expect "files with more rights than their user's" "" "$(cd "$work/root" && find . -type f -perm /6000)"
expect "addresses of mirrors" "" "$(cd "$work/root" && find etc/apt -name '*.list' -o -name '*.sources')"

say "installing all packages over themselves, with their scripts"
cp "$work/archive"/*.deb "$work/root/tmp"
enter 0:0 bash -c 'dpkg -i --force-confold /tmp/*.deb > /tmp/log 2>&1 || { tail -40 /tmp/log >&2; exit 1; }'
rm -rf "$work/root"/tmp/*
expect "what dpkg misses after it" "" "$(missed)"
expect "files with more rights after it" "" "$(cd "$work/root" && find . -type f -perm /6000)"
expect "authorities of Java after it" "$authorities" "$(enter 0:0 keytool -list -cacerts -storepass changeit 2> /dev/null | grep -c trustedCertEntry)"

if [ -n "$child" ]; then
  say "installing $child by apt-get"
  rm -rf "$work/root" && mkdir "$work/root" && tar -xpf "$work/ours.tar" -C "$work/root"
  cp -a /etc/apt/sources.list* "$work/root/etc/apt/" 2> /dev/null || true
  for file in /etc/apt/auth.conf.d /etc/apt/apt.conf.d; do cp -an "$file"/. "$work/root$file/"; done
  cp /etc/resolv.conf /etc/hosts "$work/root/etc/"
  enter 0:0 bash -ec "apt-get -qq update; apt-get -qq install --no-install-recommends $child > /tmp/log 2>&1 || { tail -40 /tmp/log >&2; exit 1; }"
  expect "what dpkg misses with $child" "" "$(missed)"
fi
say "all of it holds"
