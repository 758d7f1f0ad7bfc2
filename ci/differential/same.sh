#!/usr/bin/env bash
# Compares images that an engine built with those that the assembler built: every entry of the file system, and the
# configuration. Both must be there: `cargo xtask build-layers IMAGE`, with and without `--engine ENGINE`.
#
#   ci/differential/same.sh docker|podman IMAGE...
#
# The engine is the one that its own client speaks to. Left out is what docs/engines.md says of an engine's images: times,
# history (each version of an engine words it in its own way), the label that holds the fingerprint, and the order of the
# environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
engine=$1
shift
layout=${SPARK_IMAGES_OUT:-target/spark-images}/images
work=$(mktemp -d -p "${TMPDIR:-/tmp}")
trap 'rm -rf "$work"' EXIT
normal() {
  sed 's/"io.spark-images.fingerprint": "[0-9a-f]*", //' | python3 -c '
import json, sys
for line in sys.stdin:
    if line.startswith("config Env "):
        line = "config Env %s\n" % json.dumps(sorted(json.loads(line[11:])))
    print(line, end="")'
}
status=0
for image in "$@"; do
  case $engine in
    docker) docker save "$image" > "$work/image" ;;
    podman) podman save --quiet --format docker-archive --output "$work/image" "$image" ;;
    *) echo "same: there are docker and podman, found $engine" >&2; exit 2 ;;
  esac
  python3 ci/differential/flatten.py docker "$work/image" --without-history | normal > "$work/theirs"
  rm -f "$work/image"
  python3 ci/differential/flatten.py oci "$layout" "$image" --without-history | normal > "$work/ours"
  if diff -U0 --label "$engine" --label ours "$work/theirs" "$work/ours" > "$work/diff"; then
    echo "same     $image: $(wc -l < "$work/ours") lines"
  else
    echo "DIFFERS  $image"
    sed -n '3,60s/^/    /p' "$work/diff"
    status=1
  fi
done
exit $status
