#!/usr/bin/env bash
# The same images built by the assembler, by Docker and by Podman, in one run: cold (fetched files, and nothing else), and
# with nothing to do. Information, not a test: machines are noisy.
#
#   sudo ci/bench-engines.sh [ROUNDS] [IMAGE... FLAGS...]      default: 1 round of `custom --spark 3.5.7`
#
# dockerd (DOCKERD names another one) is started here with folders of its own, so that nobody's cache is emptied; so is
# Podman's storage. Needs a checkout whose images were built once: what is made of fetched files once and kept (Spark homes,
# the tree of the base) is there in all cases. Needs root, dockerd, docker and podman, and twice the room of the images.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-1}
shift || true
[ $# -gt 0 ] || set -- custom --spark 3.5.7
cargo build --quiet -p xtask
xtask=target/debug/xtask
work=$(mktemp -d)
daemon=
stop() {
  [ -z "$daemon" ] || { kill "$daemon" 2> /dev/null && wait "$daemon" 2> /dev/null || true; }
  daemon=
  { grep -o "$work/[^ ]*" /proc/mounts || true; } | sort -r | while read -r mounted; do umount "$mounted" || true; done
  rm -rf "$work/docker" "$work/podman" "$work/podman-run" "$work/out"
}
trap 'stop; rm -rf "$work"' EXIT
export SPARK_IMAGES_OUT=$work/out DOCKER_HOST=unix://$work/docker/sock CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/podman" "$work/podman-run" > "$work/storage.conf"
start() {
  stop
  mkdir -p "$work/docker"
  "${DOCKERD:-dockerd}" --data-root "$work/docker/data" --host "$DOCKER_HOST" --exec-root "$work/docker/exec" \
    --pidfile "$work/docker/pid" -b none --iptables=false > "$work/docker.log" 2>&1 &
  daemon=$!
  for _ in $(seq 100); do docker info > /dev/null 2>&1 && return; sleep 0.2; done
  tail -n 3 "$work/docker.log" >&2
  exit 1
}
seconds() { local begin=$EPOCHREALTIME; "$@" > /dev/null 2> "$work/said" || { cat "$work/said" >&2; exit 1; }; bc <<< "scale=2; ($EPOCHREALTIME - $begin) / 1"; }
echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg); docker $(docker version --format '{{.Client.Version}}' 2> /dev/null || true), $(podman --version)"
for _ in $(seq "$rounds"); do
  for engine in embedded docker podman; do
    if [ "$engine" = docker ]; then start; else stop; fi
    cold=$(seconds "$xtask" build-layers "$@" --offline --engine "$engine")
    again=$(for _ in 1 2 3 4 5; do seconds "$xtask" build-layers "$@" --offline --engine "$engine"; done | sort -n | sed -n 3p)
    echo "$engine: cold $cold s, nothing to do $again s"
  done
done
