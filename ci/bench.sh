#!/usr/bin/env bash
# The figures that the project promises, each against what plain tools take for the same bytes on the same disk in the same
# run. Information, not a test: machines are noisy. Needs a built checkout (`cargo xtask build-layers`), xz, gzip, unzip,
# openssl and GNU time.
#
#   ci/bench.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
cargo build --quiet --workspace --examples --bins
target=${CARGO_TARGET_DIR:-target}/debug
xtask=$target/xtask
store=$("$xtask" store path)
work=$(mktemp -d -p target)
trap 'rm -rf "$work"' EXIT

seconds() { local begin=$EPOCHREALTIME; "$@" > /dev/null; local end=$EPOCHREALTIME; bc <<< "scale=3; $end - $begin"; }
ratio() { bc <<< "scale=2; $1 / $2"; }
artifact() { # sha256 of a lock entry: the path in the store
  local hex
  hex=$(python3 - "$1" << 'PYTHON'
import sys, tomllib
lock = tomllib.load(open("docker/versions.lock", "rb"))
print(next(a["sha256"].split(":")[1] for a in lock["artifact"] if a["id"] == sys.argv[1]))
PYTHON
)
  echo "$store/artifacts/${hex:0:2}/$hex"
}

echo "== start, and a build with nothing to do (median of 20, milliseconds)"
"$xtask" build-layers > /dev/null 2>&1
median() { for _ in $(seq 20); do seconds "$@"; done | sort -n | sed -n 10p | awk '{ printf "%.1f", $1 * 1000 }'; }
echo "start: $(median "$xtask" --version) ms"
echo "nothing to do: $(median "$xtask" build-layers) ms"

echo "== one layer of Hadoop's four jars"
hadoop=$(python3 -c "import tomllib; print(tomllib.load(open('docker/versions.toml', 'rb'))['versions']['hadoop'])")
sdk=$(python3 -c "import tomllib; print(tomllib.load(open('docker/versions.toml', 'rb'))['versions']['aws-sdk'])")
jars=()
for id in org.apache.hadoop:hadoop-client-api:$hadoop org.apache.hadoop:hadoop-client-runtime:$hadoop \
  org.apache.hadoop:hadoop-aws:$hadoop software.amazon.awssdk:bundle:$sdk; do
  jars+=("$(artifact "maven:$id")")
done
plain() { cat "${jars[@]}" | tee "$work/plain" | openssl dgst -sha256; sync "$work/plain"; }
plain > /dev/null
for _ in $(seq "$rounds"); do
  theirs=$(seconds plain)
  rm -rf "$work/layout" "$work/plain"
  ours=$("$target/examples/layer" "$work/layout" "${jars[@]}" | cut -d' ' -f1)
  echo "ours $ours s, cat | tee | openssl $theirs s, ratio $(ratio "$ours" "$theirs")"
done

echo "== all images from fetched files"
decompress() {
  python3 - "$store" << 'PYTHON' > "$work/commands"
import tomllib, sys
store = sys.argv[1]
lock = tomllib.load(open("docker/versions.lock", "rb"))
# What no image of a plain build holds: the group gpu, what compiles, other processors.
other = lambda name: any(word in name for word in ("gpu", "builder", "linux/"))
left_out = {m for s in lock["set"] if other(s["name"]) for m in s["members"]}
rest = {m for s in lock["set"] if not other(s["name"]) for m in s["members"]}
for a in lock["artifact"]:
    hex = a["sha256"].split(":")[1]
    path = f"{store}/artifacts/{hex[:2]}/{hex}"
    if a["id"] in left_out - rest:
        continue
    if a["id"].startswith("deb:"):
        print(f"ar p {path} data.tar.xz | xz -dc > /dev/null")
    elif a["id"].endswith(".tar.gz"):
        print(f"gzip -dc < {path} > /dev/null")
    elif a["id"].endswith(".whl"):
        print(f"unzip -p {path} > /dev/null")
PYTHON
  tr '\n' '\0' < "$work/commands" | xargs -0 -P "$(nproc)" -n 1 sh -c
}
blobs() { cat target/spark-images/images/blobs/sha256/* | tee "$work/plain" | openssl dgst -sha256; sync "$work/plain"; }
for _ in $(seq "$rounds"); do
  rm -f "$work/plain"
  unpacking=$(seconds decompress)
  hashing=$(seconds blobs)
  theirs=$(bc <<< "$unpacking + $hashing")
  rm -rf "$work/out" "$work/cache" "$work/plain"
  mkdir "$work/cache"
  ln -s "$store/artifacts" "$work/cache/artifacts"
  ours=$(SPARK_IMAGES_CACHE=$PWD/$work/cache SPARK_IMAGES_OUT=$PWD/$work/out seconds \
    /usr/bin/time -f '%M' -o "$work/memory" "$xtask" build-layers --offline 2> /dev/null)
  echo "ours $ours s, plain tools $theirs s ($unpacking to unpack, $hashing to write and hash), ratio $(ratio "$ours" "$theirs"), peak $(($(cat "$work/memory") / 1000)) MB"
done

echo "== the matrix of 10,000 images (promised: 1 s, 200 MB)"
python3 ci/synthetic.py "$work/many" 100
front=$(realpath "$target/front")
for args in "--format json" "--format github --group-by version"; do
  for _ in $(seq "$rounds"); do
    # shellcheck disable=SC2086 # these are words
    (cd "$work/many" && /usr/bin/time -f "ci-matrix $args: %e s, %U s of it computing, %M kB" "$front" ci-matrix $args > /dev/null)
  done
done
