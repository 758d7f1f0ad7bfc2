#!/usr/bin/env bash
# Jobs against real servers, and that nothing of these is left after kill -9: no process, no mount and, after the next run, no
# file. xtask/tests/smoke.rs has the same after success, failure and Ctrl-C.
#
#   ci/services.sh       with images that are built; the services are built here
set -euo pipefail
cd "$(dirname "$0")/.."
xtask=(cargo xtask)
services=(service-postgresql service-mariadb service-kafka service-s3)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${xtask[@]}" build-layers "${services[@]}" --with services

# One Spark version whole, of the other one what has jars of its own.
"${xtask[@]}" smoke runtime:iceberg jdbc-drivers --spark 4.1.0 --with-services \
  --only s3a --only kafka --only iceberg_tables --only jdbc_services
"${xtask[@]}" smoke runtime:iceberg --spark 3.5.7 --with-services --only kafka --only iceberg_tables

# The pids of a process and of all below it.
family() {
  local pid
  echo "$1"
  for pid in $(cat "/proc/$1/task/"*/children 2> /dev/null); do family "$pid"; done
}

# What killed runs leave: folders of runs in the store, folders of jobs. One that is in use is locked.
store=${SPARK_IMAGES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spark-images}
mkdir "$work/temporary"
remains() {
  find "$store/sandbox/runs" "$work/temporary" -mindepth 1 -maxdepth 1 -exec flock --nonblock {} echo {} \;
}
"${xtask[@]}" smoke jdbc-drivers --spark 4.1.0 --only work_dir > "$work/before" 2>&1
before=$(remains)

TMPDIR="$work/temporary" "${xtask[@]}" smoke jdbc-drivers --spark 4.1.0 --with-services --only jdbc_services > "$work/killed" 2>&1 &
cargo=$!
until grep -q '^ok .* service postgresql' "$work/killed"; do
  kill -0 "$cargo"
  sleep 0.2
done
family=$(family "$cargo")
for pid in $family; do
  case "$(readlink "/proc/$pid/exe")" in */xtask) kill -9 "$pid" ;; esac
done
wait "$cargo" || true
for _ in {1..50}; do
  left=$(for pid in $family; do [ ! -e "/proc/$pid" ] || echo "$pid"; done)
  [ -n "$left" ] || break
  sleep 0.2
done
if [ -n "$left" ]; then
  ps -o pid,args -p "$(echo $left | tr ' ' ,)"
  echo "these survived the kill of xtask"
  exit 1
fi
grep -F "$store" /proc/self/mountinfo && { echo "these mounts survived the kill of xtask"; exit 1; }
[ "$(remains)" != "$before" ] || { echo "kill -9 left no file: it came too late"; exit 1; }
TMPDIR="$work/temporary" "${xtask[@]}" smoke jdbc-drivers --spark 4.1.0 --only work_dir > "$work/after" 2>&1
[ "$(remains)" = "$before" ] || { remains; echo "the next run did not remove what kill -9 left"; exit 1; }
echo "of $(wc -w <<< "$family") processes none is left after kill -9, and no file after the next run"
