#!/usr/bin/env bash
# The images that `cargo xtask bake` makes on real builders, against those of the assembler: every entry of their file
# systems, their configurations, their smoke jobs; and the time that both take, cold, warm and with nothing to do.
#
#   sudo ci/bake.sh [IMAGE...]      default: runtime --spark 3.5.7, and all below it
#
# Two buildkitd are started, and a registry between them. The first builder builds, pushes and fills the cache of the
# registry; the second one takes all from there. Needs root, python3, buildkitd, buildctl, buildx, runc, skopeo and
# docker-registry on the PATH, a built checkout (`cargo xtask build-layers`) and 15 GB. Needs no network.
#
# With KEEP set the pulled images stay in that folder, an OCI image layout. SMOKE=0 leaves the smoke jobs out.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "bake: buildkitd needs root here" >&2; exit 2; }
for program in buildkitd buildctl runc skopeo docker-registry python3; do
  command -v "$program" > /dev/null || { echo "bake: $program is not here" >&2; exit 2; }
done
images=("$@")
[ $# -gt 0 ] || images=(runtime --spark 3.5.7)
cargo build --quiet -p xtask
xtask=${CARGO_TARGET_DIR:-target}/debug/xtask
work=$(mktemp -d -p "${TMPDIR:-/tmp}")
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
  { grep -o "$work[^ ]*" /proc/mounts || true; } | sort -r | while read -r mounted; do umount "$mounted" || true; done
  rm -rf "$work"
}
trap finish EXIT
start() { local name=$1; shift; setsid "$@" > "$work/$name.log" 2>&1 & pids+=($!); }
until_true() { for _ in $(seq 300); do "$@" > /dev/null 2>&1 && return 0; sleep 0.1; done; echo "bake: not ready: $*" >&2; tail -n 5 "$work"/*.log >&2; return 1; }
say() { printf '\n== %s\n' "$*"; }

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
registry=127.0.0.1:$port
mkdir "$work/registry"
cat > "$work/registry.yml" << YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: $registry}
log: {level: error}
YAML
start registry docker-registry serve "$work/registry.yml"
# Builders of this run alone.
export BUILDX_CONFIG=$work/buildx
if docker buildx version > /dev/null 2>&1; then buildx=(docker buildx); else buildx=(buildx); fi
for n in 1 2; do
  mkdir "$work/node$n"
  cat > "$work/node$n.toml" << TOML
root = "$work/node$n"
[grpc]
  address = ["unix://$work/node$n.sock"]
[worker.oci]
  enabled = true
  networkMode = "host"
[worker.containerd]
  enabled = false
[registry."$registry"]
  http = true
TOML
  start "node$n" buildkitd --config "$work/node$n.toml"
  until_true buildctl --addr "unix://$work/node$n.sock" debug workers
  "${buildx[@]}" create --name "ci$n" --driver remote "unix://$work/node$n.sock" > /dev/null
done
# One builder with both nodes.
"${buildx[@]}" create --name ci --driver remote "unix://$work/node2.sock" > /dev/null
"${buildx[@]}" create --name ci --append --driver remote "unix://$work/node1.sock" > /dev/null
until_true curl -sf "http://$registry/v2/"

seconds() { local begin=$EPOCHREALTIME; "$@" > "$work/out.log" 2>&1 || { tail -n 30 "$work/out.log" >&2; return 1; }; bc <<< "scale=2; ($EPOCHREALTIME - $begin) / 1"; }
store=$("$xtask" store path)
# The assembler in a folder of its own. Both begin with what is fetched, and with Spark homes and the base's tar made.
embedded() { SPARK_IMAGES_CACHE=$store SPARK_IMAGES_OUT=$work/embedded "$xtask" build-layers --offline "${images[@]}"; }
bake() { SPARK_IMAGES_CACHE=$store SPARK_IMAGES_OUT=$work/baked "$xtask" bake --offline "$@" "${images[@]}"; }
say "timings, in seconds"
echo "embedded, cold:        $(seconds embedded)"
echo "embedded, no-op:       $(seconds embedded)"
rm -rf "$work/embedded/images"
echo "embedded, no images:   $(seconds embedded)"
rm -rf "$work/baked"
echo "bake, cold:            $(seconds bake --builder ci1)  (contexts staged, nothing in the builder, images stay in its cache)"
echo "bake, no-op:           $(seconds bake --builder ci1)"
echo "bake, push:            $(seconds bake --builder ci1 --push "$registry/spark" --cache "$registry/spark")"
cp "$work/out.log" "$work/pushed.log"
echo "bake, push, no-op:     $(seconds bake --builder ci1 --push "$registry/spark" --cache "$registry/spark")"
echo "second builder, push:  $(seconds bake --builder ci2 --push "$registry/second" --cache "$registry/spark")  (all from the cache in the registry)"
cp "$work/out.log" "$work/second.log"
echo "two nodes, no-op:      $(seconds bake --builder ci)"
built() { grep -cE '^#[0-9]+ \[.*(COPY|ADD)' "$1" || true; }
echo "steps taken from the cache by the second builder: $(grep -c CACHED "$work/second.log") "

say "file systems and configurations, against the assembler's"
status=0
layout=$work/pulled/images
grep '^pushed ' "$work/pushed.log" | while read -r _ tag; do
  name=${tag#"$registry/spark/"}
  echo "${name%@*} ${tag}"
done > "$work/names"
[ -s "$work/names" ] || { echo "bake: nothing was pushed" >&2; exit 1; }
while read -r name reference; do
  skopeo copy -q --src-tls-verify=false "docker://$registry/spark/${name%%:*}@${reference##*@}" "oci:$layout:$name"
  python3 ci/differential/flatten.py oci "$layout" "$name" > "$work/theirs"
  python3 ci/differential/flatten.py oci "$work/embedded/images" "$name" > "$work/ours"
  if diff -U0 --label buildkit --label ours "$work/theirs" "$work/ours" > "$work/diff"; then
    echo "same     $name ($(grep -cv '^\(config\|history\) ' "$work/ours") entries)"
  else
    # docs/differences.md says which lines may differ.
    if grep '^[-+]' "$work/diff" | grep -vE '^(---|[+]{3})' | grep -vE '^[-+]history [-+] WORKDIR ' > "$work/rest"; then
      echo "DIFFERS  $name"
      sed 's/^/    /' "$work/rest" | head -n 40
      status=1
    else
      echo "same     $name ($(grep -cv '^\(config\|history\) ' "$work/ours") entries), but for an empty layer of WORKDIR"
    fi
  fi
done < "$work/names"

if [ "${SMOKE:-1}" = 1 ]; then
  say "smoke jobs in the images that were pulled"
  SPARK_IMAGES_CACHE=$work/cache SPARK_IMAGES_OUT=$work/pulled "$xtask" smoke --offline "${images[@]}" || status=1
fi
[ -z "${KEEP:-}" ] || cp -r "$layout" "$KEEP"
exit $status
