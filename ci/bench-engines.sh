#!/usr/bin/env bash
# The same images built by the assembler, by Docker, by Podman and by BuildKit through `bake`, in one run: cold (fetched files,
# and nothing else), warm (the images are gone, and what the engine keeps beside them is there), and with nothing to do.
# Information, not a test: machines are noisy.
#
#   sudo ci/bench-engines.sh [ROUNDS] [IMAGE... FLAGS...]      default: 1 round of `custom --spark 3.5.7`
#
# dockerd (DOCKERD names another one) and buildkitd are started here with folders of their own, so that nobody's cache is
# emptied; so is Podman's storage. Needs a checkout whose images were built once: what is made of fetched files once and kept
# (Spark homes, the tree of the base) is there in all cases. Needs root and four times the room of the images; an engine that
# is not on the PATH (dockerd and docker, podman, buildkitd with buildctl and buildx) is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-1}
shift || true
[ $# -gt 0 ] || set -- custom --spark 3.5.7
cargo build --quiet -p xtask
xtask=target/debug/xtask
work=$(mktemp -d)
source ci/own-engine.sh
stop() {
  end_engine "$work"
  rm -rf "$work/docker" "$work/podman" "$work/buildkit" "$work/buildx" "$work/out"
}
trap 'stop; rm -rf "$work"' EXIT
export SPARK_IMAGES_OUT=$work/out BUILDX_CONFIG=$work/buildx
here() { local program; for program; do command -v "$program" > /dev/null || return; done; }
until_true() { for _ in $(seq 100); do "$@" > /dev/null 2>&1 && return; sleep 0.2; done; tail -n 3 "$work/buildkitd.log" >&2; exit 1; }
start_bake() {
  mkdir -p "$work/buildkit"
  buildkitd --root "$work/buildkit" --addr "unix://$work/buildkit/sock" --oci-worker-net host --containerd-worker=false \
    > "$work/buildkitd.log" 2>&1 &
  engine_pid=$!
  until_true buildctl --addr "unix://$work/buildkit/sock" debug workers
  "${buildx[@]}" create --name bench --driver remote "unix://$work/buildkit/sock" > "$work/said"
}
if docker buildx version > /dev/null 2>&1; then buildx=(docker buildx); else buildx=(buildx); fi
seconds() { local begin=$EPOCHREALTIME; "$@" > /dev/null 2> "$work/said" || { cat "$work/said" >&2; exit 1; }; bc <<< "scale=2; ($EPOCHREALTIME - $begin) / 1"; }
build() {
  case $1 in
    bake) "$xtask" bake "${images[@]}" --offline --origin release --builder bench ;;
    *) "$xtask" build-layers "${images[@]}" --offline --origin release --engine "$1" ;;
  esac
}
# The images go. What bake made has no images: they stay with the builder.
forget() {
  case $1 in
    embedded) rm -rf "$work/out/images" ;;
    docker | podman) "$1" rmi --force $("$1" images --quiet | sort -u) ;;
  esac
}
images=("$@")
engines=(embedded)
if here "${DOCKERD:-dockerd}" docker; then engines+=(docker); fi
if here podman; then engines+=(podman); fi
if here buildkitd buildctl "${buildx[0]}"; then engines+=(bake); fi
echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg); seconds"
printf '%-10s%10s%10s%15s\n' engine cold warm "nothing to do"
for _ in $(seq "$rounds"); do
  for engine in "${engines[@]}"; do
    stop
    case $engine in
      docker | podman) own_engine "$engine" "$work/$engine" || { echo "$engine: $why"; continue; } ;;
      bake) start_bake ;;
    esac
    cold=$(seconds build "$engine")
    again=$(for _ in 1 2 3 4 5; do seconds build "$engine"; done | sort -n | sed -n 3p)
    forget "$engine" > "$work/said" 2>&1
    printf '%-10s%10s%10s%15s\n' "$engine" "$cold" "$(seconds build "$engine")" "$again"
  done
done
