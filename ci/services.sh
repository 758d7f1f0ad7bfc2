#!/usr/bin/env bash
# Jobs against real servers, and that nothing of these is left after kill -9.
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

"${xtask[@]}" smoke jdbc-drivers --spark 4.1.0 --with-services --only jdbc_services > "$work/killed" 2>&1 &
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
echo "of $(wc -w <<< "$family") processes none is left after kill -9"
