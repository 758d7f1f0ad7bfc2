#!/usr/bin/env bash
# The README, as a newcomer follows it: a fresh clone, an empty home, an empty cache, no container engine and no apt on the
# PATH. Then the same as another user in a clone at another path: the digests must be the same.
#
#   ci/e2e.sh            as root: both; as anybody else: the first part alone
#   KEEP=DIR ci/e2e.sh   work in DIR and leave it there
set -euo pipefail
cd "$(dirname "$0")/.."
source_tree=$PWD
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work"
chmod 755 "$work"
cleanup() { [ -n "${KEEP:-}" ] || rm -rf "$work"; }
trap cleanup EXIT

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

# Everything on the PATH but engines and apt.
mkdir -p "$work/bin"
IFS=: read -ra folders <<< "$PATH"
for folder in "${folders[@]}"; do
  for program in "$folder"/*; do
    case "${program##*/}" in
      docker* | podman* | buildah* | skopeo* | nerdctl* | apt | apt-* | dpkg*) ;;
      *) [ -e "$work/bin/${program##*/}" ] || ln -s "$program" "$work/bin/" 2> /dev/null || true ;;
    esac
  done
done

# The crates that cargo has fetched are the one thing that is not fetched again.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
clean=(env -u CI -u SPARK_IMAGES_CACHE -u CARGO_TARGET_DIR PATH="$work/bin")

say "a fresh clone"
git clone --quiet --no-hardlinks "$source_tree" "$work/clone"
cd "$work/clone"
mkdir "$work/home"

say "cargo xtask list, before anything else is compiled"
"${clean[@]}" HOME="$work/home" cargo xtask list > "$work/list"
if [ -e target/debug/xtask ]; then
  echo "a list needed the whole of xtask"
  exit 1
fi
say "cargo xtask build-layers"
"${clean[@]}" HOME="$work/home" cargo xtask build-layers
say "once more: nothing to do"
again=$("${clean[@]}" HOME="$work/home" cargo xtask build-layers --json)
if grep -q '"state": "built"' <<< "$again"; then
  echo "the second build built something: $again"
  exit 1
fi
front=$("${clean[@]}" HOME="$work/home" cargo xtask list)
diff <(echo "$front") <("${clean[@]}" HOME="$work/home" ./target/debug/xtask list)
if [ "$front" = "$(cat "$work/list")" ]; then
  echo "the list is the same as before anything was built"
  exit 1
fi
"${clean[@]}" HOME="$work/home" cargo xtask store verify
"${clean[@]}" HOME="$work/home" cargo xtask docs --check
"${clean[@]}" HOME="$work/home" ci/workflows.sh
say "cargo xtask audit"
"${clean[@]}" HOME="$work/home" cargo xtask audit
"${clean[@]}" HOME="$work/home" cargo xtask audit --root .
say "cargo xtask smoke"
"${clean[@]}" HOME="$work/home" cargo xtask smoke --junit "$work/smoke.xml"

say "jobs against real servers"
"${clean[@]}" HOME="$work/home" ci/services.sh
"${clean[@]}" HOME="$work/home" cargo xtask audit 'service-*'

say "the same in Docker"
# Docker's own client knows its engine; another one may want a plugin for it.
env -u CI HOME="$work/home" PATH="/usr/bin:$PATH" ci/smoke-engine.sh docker runtime:iceberg --spark 4.1.0 --only session --only s3a

say "cargo xtask gc: nothing goes that a build needs"
"${clean[@]}" HOME="$work/home" cargo xtask gc --yes
again=$("${clean[@]}" HOME="$work/home" cargo xtask build-layers --offline --json)
if grep -q '"state": "built"' <<< "$again"; then
  echo "a build after gc built something: $again"
  exit 1
fi

say "benchmarks, for information"
HOME="$work/home" ci/bench.sh 1 || echo "the benchmarks could not be run to their end"

say "for another processor too, and no program of the wrong one"
"${clean[@]}" HOME="$work/home" cargo xtask build-layers runtime:baseline --spark 3.5.7 --platform linux/amd64,linux/arm64
ci/platforms.py target/spark-images/images
"${clean[@]}" HOME="$work/home" cargo xtask audit --platform linux/arm64

say "a registry: push, kill, pull; TLS, a password, tokens"
# The real registry is installed here, if it is not there: with the whole PATH.
env -u CI HOME="$work/home" ci/registries.py

say "a small project is compiled as Spark is"
"${clean[@]}" HOME="$work/home" SPARK_IMAGES_CACHE="$work/home/.cache/spark-images" ci/compile.py

[ "$(id -u)" = 0 ] || exit 0

say "images that are wrong on purpose are found to be so"
# Two of them; all take five minutes more.
"${clean[@]}" HOME="$work/home" ci/claims.py jars-wrong no-group-write

say "as another user, in another place"
mkdir -p "$work/elsewhere/cache/artifacts"
git clone --quiet --no-hardlinks "$work/clone" "$work/elsewhere/clone"
cp docker/versions.lock "$work/elsewhere/clone/docker/"
# The fetched files are shared, in a store that this user cannot write to.
cp -rl "$work/home/.cache/spark-images/artifacts" "$work/elsewhere/cache/"
find "$work/elsewhere/clone" -type d -exec chown 65534:65534 {} +
cp target/debug/xtask "$work/elsewhere/"
other=(setpriv --reuid=65534 --regid=65534 --clear-groups env -u CI PATH="$work/bin" HOME="$work/elsewhere" \
  SPARK_IMAGES_CACHE="$work/elsewhere/cache" ../xtask)
cd "$work/elsewhere/clone"
"${other[@]}" build-layers --offline --with services
digests() { python3 -c "import json, sys; print(*sorted(str(i['image']) + ' ' + str(i['digest']) for i in json.load(sys.stdin)), sep='\n')"; }
diff <("${other[@]}" list --json | digests) <(cd "$work/clone" && HOME="$work/home" ./target/debug/xtask list --json | digests)
echo "the digests are the same"
say "smoke as another user"
"${other[@]}" smoke runtime:iceberg --spark 4.1.0
say "done"
