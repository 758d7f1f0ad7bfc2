#!/usr/bin/env bash
# Smoke jobs in containers of a real engine, with their servers; and that nothing is left of a run: after Ctrl-C at once,
# after kill -9 when the next one begins.
#
#   sudo ci/smoke-engine.sh docker|podman [IMAGE... FLAGS...]     default: all images
#
# With images that are built, and those of `--with services`. Needs three times their room.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=$1
shift
xtask=${XTASK:-target/debug/xtask}
work=$(mktemp -d)
source ci/own-engine.sh
trap 'end_engine "$work"; rm -rf "$work"' EXIT
own_engine "$engine" "$work" || { echo "smoke-engine: skipped: $why"; exit 0; }

smoke=("$xtask" smoke --engine "$engine" --with-services)
# What is missing is said with the command that loads it.
loads=$("${smoke[@]}" "$@" 2>&1 | sed -n 's/^to load it: cargo xtask //p') || true
[ -n "$loads" ] || { "${smoke[@]}" "$@"; exit 1; }
# shellcheck disable=SC2086
"$xtask" $loads

containers() { "$engine" ps --all --quiet | wc -l; }
# Waits until a run has so many containers.
reach() { until [ "$(containers)" -ge "$1" ]; do kill -0 "$2" || { cat "$work/said"; exit 1; }; sleep 0.2; done; }

# With a job and the servers that it needs there are three.
for signal in INT KILL; do
  setsid "${smoke[@]}" runtime:iceberg --spark 4.1 --only s3a > "$work/said" 2>&1 &
  reach 3 $!
  kill -s "$signal" $!
  wait $! || true
  case $signal in
    INT) [ "$(containers)" = 0 ] || { "$engine" ps --all; echo "containers are left after Ctrl-C"; exit 1; } ;;
    KILL) [ "$(containers)" -gt 0 ] || { echo "kill -9 left no container: it came too late"; exit 1; } ;;
  esac
done

"${smoke[@]}" "$@"
[ "$(containers)" = 0 ] || { "$engine" ps --all; echo "containers are left"; exit 1; }
echo "no container is left"
