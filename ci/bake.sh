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
pids=() builders=()
finish_builders() {
  for pid in "${builders[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${builders[@]}"; do wait "$pid" 2> /dev/null || true; done
  { grep -o "$work/node[^ ]*" /proc/mounts || true; } | sort -r | while read -r mounted; do umount "$mounted" || true; done
  rm -rf "$work"/node?
}
finish() {
  finish_builders
  kill "${pids[@]}" 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT
start() { local name=$1; shift; setsid "$@" > "$work/$name.log" 2>&1 & started=$!; }
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
pids+=("$started")
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
  builders+=("$started")
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
embedded() { SPARK_IMAGES_CACHE=$store SPARK_IMAGES_OUT=$work/embedded "$xtask" build-layers --offline --origin release "${images[@]}"; }
bake() { SPARK_IMAGES_CACHE=$store SPARK_IMAGES_OUT=$work/baked "$xtask" bake --offline --origin release "$@" "${images[@]}"; }
timed() { local what=$1 took; shift; took=$(seconds "$@"); printf '%-40s %s\n' "$what" "$took"; }
say "timings, in seconds"
timed "embedded, cold" embedded
timed "embedded, no-op" embedded
rm -rf "$work/embedded"
timed "embedded, layers written again" embedded
timed "bake, contexts staged, builder empty" bake --builder ci1
timed "bake, no-op" bake --builder ci1
timed "bake, pushed, with cache" bake --builder ci1 --push "$registry/spark" --cache "$registry/spark"
cp "$work/out.log" "$work/pushed.log"
timed "bake, pushed again" bake --builder ci1 --push "$registry/spark" --cache "$registry/spark"
timed "second builder, from the cache" bake --builder ci2 --push "$registry/second" --cache "$registry/spark"
cp "$work/out.log" "$work/second.log"
made=$(grep -E '^#[0-9]+ \[.*(COPY|ADD|WORKDIR) ' "$work/second.log" | cut -d' ' -f1 | sort -u)
# One whose files are needed is not only looked up but fetched.
cached=$(grep -E '^#[0-9]+ (CACHED|extracting sha256:)' "$work/second.log" | cut -d' ' -f1 | sort -u)
echo "steps that the second builder took from the cache: $(comm -12 <(echo "$made") <(echo "$cached") | wc -l) of $(wc -w <<< "$made")"
for step in $(comm -23 <(echo "$made") <(echo "$cached")); do grep -m 1 "^$step \[" "$work/second.log"; done

say "a RUN with a secret from outside of the folder, no network, and an archive as the result"
mkdir -p "$work/own/corner/rootfs/bin"
cp /bin/busybox "$work/own/corner/rootfs/bin/"
cat > "$work/own/corner/image.toml" << 'TOML'
name = "corner"
about = "100 % of $this"
tags = ["1"]
args = { TEXT = "$HOME $$ %" }
[[stage]]
into = "rootfs/"
folder = "rootfs"
TOML
cat > "$work/own/corner/Dockerfile" << 'DOCKERFILE'
FROM scratch
COPY rootfs/ /
SHELL ["/bin/busybox", "sh", "-ec"]
ARG TEXT
ENV TEXT=$TEXT
RUN --mount=type=secret,id=token busybox wc -c < /run/secrets/token > /told; busybox ls /sys/class/net > /nets || true
DOCKERFILE
printf 123456789 > "$work/token"
corner=(--images "$work/own" bake corner --builder ci --output "$work/corner" --oci "$work/archives" --secret "id=token,src=$work/token")
SPARK_IMAGES_CACHE=$store "$xtask" "${corner[@]}" > "$work/corner.log" 2>&1 || { tail -n 20 "$work/corner.log"; exit 1; }
skopeo copy -q "oci-archive:$work/archives/corner_1.tar" "oci:$work/corner-pulled:1"
python3 ci/differential/flatten.py oci "$work/corner-pulled" 1 | grep -E "told|nets|TEXT|description"
python3 ci/differential/flatten.py oci "$work/corner-pulled" 1 > "$work/corner.flat"
told=$(printf '9\n' | sha256sum | cut -c1-12)
grep -q "'told' 2 $told" "$work/corner.flat" || { echo "bake: the secret was not seen"; exit 1; }
grep -qF 'TEXT=$HOME $$ %' "$work/corner.flat" || { echo "bake: an argument was changed on its way"; exit 1; }
if grep -q 123456789 "$work/corner-pulled"/blobs/sha256/*; then echo "bake: the secret is in the image"; exit 1; fi

# All that follows is in the registry.
finish_builders
say "file systems and configurations, against the assembler's"
status=0
layout=$work/pulled/images
mkdir -p "$work/pulled"
grep '^pushed ' "$work/pushed.log" | while read -r _ tag; do
  name=${tag#"$registry/spark/"}
  echo "${name%@*} ${tag}"
done > "$work/names"
[ -s "$work/names" ] || { echo "bake: nothing was pushed" >&2; exit 1; }
while read -r name reference; do
  skopeo copy -q --src-tls-verify=false "docker://$registry/spark/${name%%:*}@${reference##*@}" "oci:$layout:$name"
done < "$work/names"
python3 ci/uncompress.py "$layout"
while read -r name reference; do
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
