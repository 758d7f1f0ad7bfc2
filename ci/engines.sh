#!/usr/bin/env bash
# Builds the base and a small image on it with real engines, compares them with what the assembler makes, loads the
# assembler's into the engines, runs one, and kills a load to see the next one complete. Some two minutes on two cores.
#
#   sudo ci/engines.sh
#
# dockerd (or what DOCKERD names) is started here, with folders of its own, and stopped at the end. Podman, buildah and ctr are
# taken where they are; what is not there is skipped, in a line that says so. Needs a checkout whose files are fetched
# (`cargo xtask fetch base`), root, and no network.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "engines: skipped: $*"; }
[ "$(id -u)" = 0 ] || { skip "dockerd and a storage of one's own need root"; exit 0; }
xtask=${XTASK:-target/debug/xtask}
[ -x "$xtask" ] || cargo build --quiet -p xtask
work=$(mktemp -d)
export SPARK_IMAGES_OUT=$work/out
source ci/own-engine.sh
trap 'end_engine "$work"; rm -rf "$work"' EXIT
fail() { echo "engines: FAILED: $*" >&2; exit 1; }

# An image of our own, with what engines do in ways of their own: modes, owners, links, a user, a folder that is there.
mkdir -p "$work/images/small/rootfs/opt/small/deep"
cat > "$work/images/small/image.toml" << 'TOML'
name = "small"
about = "A small image for the engines"
tags = ["1"]
[parents]
PARENT = "base"
[[stage]]
into = "rootfs/"
folder = "rootfs"
TOML
cat > "$work/images/small/Dockerfile" << 'DOCKERFILE'
ARG PARENT
FROM ${PARENT} AS one
COPY --chown=185:0 rootfs/opt/small/ /opt/small/
COPY rootfs/opt/small/deep/ /usr/share/doc/small/
FROM ${PARENT}
COPY --from=one /opt/small/deep/ /srv/deep/
COPY --chmod=0640 rootfs/opt/small/run /srv/run
ADD rootfs/opt/small/run /srv/more/
ENV A="b c" PATH=/srv:$PATH
LABEL org.example.text="one two"
EXPOSE 4040
VOLUME /srv/volume
WORKDIR /srv/deep
USER 185
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo small"]
DOCKERFILE
printf '#!/bin/sh\necho small\n' > "$work/images/small/rootfs/opt/small/run"
chmod 755 "$work/images/small/rootfs/opt/small/run"
echo deep > "$work/images/small/rootfs/opt/small/deep/file"
ln -s file "$work/images/small/rootfs/opt/small/deep/link"
build() { "$xtask" --images "$work/images" build-layers small --offline "$@"; }
load() { "$xtask" --images "$work/images" load base small "$@"; }
images=(spark-k8s-base:"$("$xtask" list --json | grep -o 'spark-k8s-base:[^"]*' | head -n 1 | cut -d: -f2)" small:1)

echo "== assembler"
build
probe=$(mktemp -p "$work")
tried() { "$@" > "$probe" 2>&1 || { cat "$probe" >&2; return 1; }; }

d=$work/docker
if own_engine docker "$d"; then
  if ! build --engine docker --plan > /dev/null 2> "$probe" || ! build --engine docker 2> "$probe"; then
    grep -q "cannot build these images" "$probe" || { cat "$probe" >&2; fail "docker"; }
    skip "docker: $(tail -n +2 "$probe" | head -n 1)"
  else
    echo "== docker"
    build --engine docker | grep -c cached | grep -qx 2 || fail "docker built again what it has"
    ci/differential/same.sh docker "${images[@]}"
    docker images -q | sort -u | xargs docker rmi -f > /dev/null
    # Killed in the middle, then whole.
    load --to docker > /dev/null 2>&1 &
    killed=$!
    sleep 0.7
    kill -9 "$killed" && wait "$killed" 2> /dev/null || true
    load --to docker
    load --to docker | grep -c "there$" | grep -qx 2 || fail "docker was sent again what it has"
    docker run --rm --read-only --user 1234567:0 --network none small:1 'test ! -w /srv && cat /srv/deep/link && id -u' |
      tr '\n' ' ' | grep -qx 'deep 1234567 ' || fail "docker run"
    if command -v ctr > /dev/null && [ -e "$d/exec/containerd/containerd.sock" ]; then
      echo "== containerd"
      export CONTAINERD_ADDRESS=$d/exec/containerd/containerd.sock
      load --to containerd > /dev/null 2>&1 &
      killed=$!
      sleep 0.7
      kill -9 "$killed" && wait "$killed" 2> /dev/null || true
      load --to containerd
      load --to containerd | grep -c "there$" | grep -qx 2 || fail "containerd was sent again what it has"
    else
      skip "containerd: no ctr, or none of dockerd's own"
    fi
  fi
  end_engine "$d"
else
  skip "docker: $why"
fi

if own_engine podman "$work/podman"; then
  echo "== podman"
  build --engine podman
  build --engine podman | grep -c cached | grep -qx 2 || fail "podman built again what it has"
  ci/differential/same.sh podman "${images[@]}"
  if command -v buildah > /dev/null; then
    build --engine buildah | grep -c cached | grep -qx 2 || fail "buildah does not know what Podman has"
  else
    skip "buildah: it is not here"
  fi
  podman rmi -af > /dev/null
  load --to podman
  load --to podman | grep -c "there$" | grep -qx 2 || fail "podman was sent again what it has"
  podman run --rm --no-healthcheck --read-only --user 1234567:0 --network none small:1 'cat /srv/deep/link && id -u' |
    tr '\n' ' ' | grep -qx 'deep 1234567 ' || fail "podman run"
  podman rmi -af > /dev/null
else
  skip "podman: $why"
fi
echo "engines: all of it is the same"
