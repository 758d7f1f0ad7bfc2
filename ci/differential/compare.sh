#!/bin/bash
# Builds small Dockerfiles with RUN with the assembler, with Docker's BuildKit and with buildah, and compares the images:
# every entry of the file system, and the configuration.
#
#   sudo ci/differential/compare.sh [CASE...]
#
# Every case is a folder in `run/`. What differs for a reason stands in `differences.txt`: case, tool, and the reason; a
# line there that holds for nothing is an error as well. Needs root, buildah, python3, a static busybox, and a Docker
# whose engine DOCKER_HOST names; DOCKER names its command. Needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/ci/differential
[ "$(id -u)" = 0 ] || { echo "compare: needs root, to give files their owners" >&2; exit 2; }
docker=${DOCKER:-docker}
busybox=${BUSYBOX:-/bin/busybox}
for tool in "$docker" buildah python3 "$busybox"; do
  command -v "$tool" > /dev/null || { echo "compare: $tool is not here: apt-get install docker.io buildah busybox-static" >&2; exit 2; }
done
work=$(mktemp -d)
store=(--root "$work/buildah" --runroot "$work/buildah-run" --storage-driver "${BUILDAH_DRIVER:-overlay}")
clean() {
  buildah "${store[@]}" rm --all > /dev/null 2>&1 || true
  { grep -o "$work/buildah[^ ]*" /proc/mounts || true; } | sort -r | while read -r mounted; do umount "$mounted" || true; done
  rm -rf "$work"
}
trap clean EXIT
cases=("$@")
[ $# -gt 0 ] || cases=($(ls "$here/run"))

mkdir -p "$work/root"/{bin,dev,etc,old/sub,proc,run,sys,tmp,twin} "$work/base" "$work/out" "$work/cases"
for name in awk cat chmod chown cp cut dd env false grep hostname id ln ls mkdir mkfifo mknod mv printf pwd rm sh sort stat tail \
  touch tr true wc; do
  ln -s busybox "$work/root/bin/$name"
done
cp "$busybox" "$work/root/bin/busybox"
printf 'root:x:0:0::/root:/bin/sh\nspark:x:185:185::/home/spark:/bin/sh\n' > "$work/root/etc/passwd"
printf 'root:x:0:\nspark:x:185:\nextra:x:700:spark\n' > "$work/root/etc/group"
touch "$work"/root/etc/{hostname,hosts,resolv.conf}
echo a > "$work/root/old/a"
echo b > "$work/root/old/b"
ln -s a "$work/root/old/link"
echo c > "$work/root/old/sub/c"
echo twin > "$work/root/twin/1"
ln "$work/root/twin/1" "$work/root/twin/2"
chown -h 185:185 "$work"/root/old{,/a,/link} "$work/root/twin/1"
chown 185:0 "$work/root/old/b"
chown 185:700 "$work/root/old/sub"
chown 0:700 "$work/root/old/sub/c"
chmod 640 "$work/root/old/a"
chmod 2775 "$work/root/old/sub"
chmod 4755 "$work/root/old/sub/c"
chmod 1777 "$work/root/tmp"
tar -C "$work/root" --sort=name --numeric-owner --mtime=@1000000000 -cf "$work/base/base.tar" .
cp "$here/run-base/Dockerfile" "$work/base/"
for case in "${cases[@]}"; do cp -r "$here/run/$case" "$work/cases/"; done

echo "== ours" >&2
DIFFERENTIAL="$work" cargo test --quiet -p xtask --bin xtask differential -- --ignored --nocapture > "$work/ours.log" 2>&1 ||
  { cat "$work/ours.log" >&2; exit 1; }

echo "== BuildKit, buildah" >&2
export DOCKER_BUILDKIT=1 BUILDAH_ISOLATION=chroot
$docker build -q -t differential-base "$work/base" > /dev/null
buildah "${store[@]}" bud -q -t differential-base "$work/base" > /dev/null
for case in "${cases[@]}"; do
  # Without a network, as ours.
  if $docker build --network none -t "differential-$case" "$work/cases/$case" > "$work/out/$case.buildkit.log" 2>&1; then
    $docker save "differential-$case" > "$work/docker.tar"
    python3 "$here/flatten.py" docker "$work/docker.tar" > "$work/out/$case.buildkit"
    $docker rmi -f "differential-$case" > /dev/null
  else
    echo failed > "$work/out/$case.buildkit"
  fi
  if buildah "${store[@]}" bud --layers -t "differential-$case" "$work/cases/$case" > "$work/out/$case.buildah.log" 2>&1; then
    buildah "${store[@]}" push -q "differential-$case" "oci:$work/oci:$case" > /dev/null
    python3 "$here/flatten.py" oci "$work/oci" "$case" > "$work/out/$case.buildah"
  else
    echo failed > "$work/out/$case.buildah"
  fi
  if [ -e "$work/out/$case.failed" ]; then
    echo failed > "$work/out/$case.ours"
  else
    python3 "$here/flatten.py" oci "$work/layout" "$case" > "$work/out/$case.ours"
  fi
done

status=0
for case in "${cases[@]}"; do
  for tool in buildkit buildah; do
    reason=$(awk -v c="$case" -v t="$tool" '$1 == c && $2 == t {$1 = $2 = ""; print substr($0, 3)}' "$here/differences.txt")
    if diff -U0 --label "$tool" --label ours "$work/out/$case.$tool" "$work/out/$case.ours" > "$work/diff"; then
      if [ -z "$reason" ]; then
        echo "same     $case $tool"
      else
        echo "SAME     $case $tool, though differences.txt says: $reason"
        status=1
      fi
    elif [ -n "$reason" ]; then
      echo "differs  $case $tool: $reason"
    else
      echo "DIFFERS  $case $tool"
      sed -n '3,40s/^/    /p' "$work/diff"
      [ "$(cat "$work/out/$case.$tool")" != failed ] || tail -n 5 "$work/out/$case.$tool.log" | sed 's/^/    /'
      [ ! -e "$work/out/$case.failed" ] || sed 's/^/    ours: /' "$work/out/$case.failed"
      status=1
    fi
  done
done
exit $status
