#!/bin/bash
# The part of compare.sh that is fast enough for every run of CI: the cases without RUN, against one builder. That is the
# engine of DOCKER_HOST, or a dockerd started here for this run alone, or buildah. Where there is none it says so and passes.
#
#   ci/differential/fast.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
skip() { echo "differential: skipped, because $*"; exit 0; }
has() { command -v "$1" > /dev/null; }
[ "$(id -u)" = 0 ] || skip "it needs root, to give files their owners"
if [ "${CI:-}" = true ] && has apt-get && ! { has dockerd && has zstd && has busybox; }; then
  apt-get install -qq -y --no-install-recommends docker.io busybox-static zstd > /dev/null 2>&1 ||
    echo "differential: docker.io, busybox-static and zstd could not be installed" >&2
fi
has zstd && has busybox || skip "zstd or busybox is not here: apt-get install zstd busybox-static"
cases=($(ls ci/differential/files))
if [ -n "${DOCKER_HOST:-}" ] && docker info > /dev/null 2>&1; then
  TOOLS=docker ci/differential/compare.sh "${cases[@]}"
elif has dockerd; then
  home=$(mktemp -d)
  source ci/own-engine.sh
  trap 'end_engine "$home"; rm -rf "$home"' EXIT
  # Docker's own client knows its engine; another one may want a plugin for it.
  export DOCKER=/usr/bin/docker
  own_engine docker "$home" || skip "$why"
  TOOLS=docker ci/differential/compare.sh "${cases[@]}"
elif has buildah; then
  TOOLS=buildah ci/differential/compare.sh "${cases[@]}"
else
  skip "neither dockerd nor buildah is here: apt-get install docker.io"
fi
