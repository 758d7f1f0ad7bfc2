#!/bin/bash
# Builds small Dockerfiles with the assembler, with the Docker engine's BuildKit, with a newer BuildKit and with buildah,
# and compares the images: every entry of the file system and the configuration; with the newer BuildKit the history too,
# which the others write in forms of their own.
#
#   sudo ci/differential/compare.sh [CASE...]
#
# Every case is a folder: in `run/` those with RUN, in `files/` all others, which copy from what context.py makes. A file
# `error` in it holds words of the error that the assembler must give, and one `not-TOOL` says why a tool is left out.
# What differs for a reason stands in docs/differences.md: case, tools, and the reason; a line there that holds for nothing
# is an error as well.
#
# TOOLS names the tools, of `docker` (DOCKER_HOST names the engine, DOCKER the command), `buildkit` (BUILDKIT_HOST names a
# buildkitd) and `buildah`; all three if it is not set. Needs root, python3, zstd and a static busybox. Needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/ci/differential
documented=$PWD/docs/differences.md
[ "$(id -u)" = 0 ] || { echo "compare: needs root, to give files their owners" >&2; exit 2; }
read -ra tools <<< "${TOOLS:-docker buildkit buildah}"
docker=${DOCKER:-docker}
busybox=${BUSYBOX:-/bin/busybox}
programs=(python3 zstd "$busybox")
for tool in "${tools[@]}"; do
  case $tool in
    docker) programs+=("$docker") ;;
    buildkit) programs+=(buildctl) ;;
    buildah) programs+=(buildah) ;;
    *) echo "compare: TOOLS are docker, buildkit and buildah, not $tool" >&2; exit 2 ;;
  esac
done
for program in "${programs[@]}"; do
  command -v "$program" > /dev/null ||
    { echo "compare: $program is not here: apt-get install docker.io buildah busybox-static zstd, or set TOOLS" >&2; exit 2; }
done
umask 022
work=$(mktemp -d)
store=(--root "$work/buildah" --runroot "$work/buildah-run" --storage-driver "${BUILDAH_DRIVER:-overlay}")
clean() {
  buildah "${store[@]}" rm --all > /dev/null 2>&1 || true
  { grep -o "$work/buildah[^ ]*" /proc/mounts || true; } | sort -r | while read -r mounted; do umount "$mounted" || true; done
  rm -rf "$work"
}
trap clean EXIT
cases=("$@")
[ $# -gt 0 ] || cases=($(ls "$here/files" "$here/run" | grep -E '^[0-9]'))

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
python3 "$here/context.py" "$work/context"
for case in "${cases[@]}"; do
  if [ -d "$here/files/$case" ]; then
    cp -a "$work/context" "$work/cases/$case"
    cp -rT "$here/files/$case" "$work/cases/$case"
    rm -f "$work/cases/$case"/{error,not-*}
  else
    cp -r "$here/run/$case" "$work/cases/"
  fi
done
find "$work/cases" -type f -perm /100 -exec chmod 755 {} + -o -type f -exec chmod 644 {} +

echo "== ours" >&2
DIFFERENTIAL="$work" cargo test --quiet -p xtask --bin xtask differential -- --ignored --nocapture > "$work/ours.log" 2>&1 ||
  { cat "$work/ours.log" >&2; exit 1; }

# Each of these builds a folder: NAME FOLDER. Networks are off, as ours are.
export DOCKER_BUILDKIT=1 BUILDAH_ISOLATION=chroot
build_docker() { "$docker" build --network none -t "differential-$1" "$2"; }
write_docker() { "$docker" save "differential-$1" > "$work/docker.tar" && python3 "$here/flatten.py" docker "$work/docker.tar" --without-history; }
drop_docker() { "$docker" rmi -f "differential-$1"; }
build_buildkit() {
  local base=()
  [ "$1" = base ] || base=(--opt "context:differential-base=oci-layout://base@$base_digest" --oci-layout "base=$work/buildkit-base")
  buildctl build --frontend dockerfile.v0 --local context="$2" --local dockerfile="$2" --opt force-network-mode=none \
    "${base[@]}" --output "type=oci,tar=false,dest=$work/buildkit-$1"
}
write_buildkit() { python3 "$here/flatten.py" oci "$work/buildkit-$1" -; }
drop_buildkit() { rm -r "$work/buildkit-$1"; }
build_buildah() { buildah "${store[@]}" bud $([ -d "$here/run/$1" ] && echo --layers) -t "differential-$1" "$2"; }
write_buildah() {
  buildah "${store[@]}" push -q "differential-$1" "oci:$work/oci:$1" > /dev/null
  python3 "$here/flatten.py" oci "$work/oci" "$1" --without-history
}
drop_buildah() { :; }

for tool in "${tools[@]}"; do
  echo "== $tool" >&2
  "build_$tool" base "$work/base" > "$work/base.log" 2>&1 || { cat "$work/base.log" >&2; exit 1; }
  [ "$tool" != buildkit ] ||
    base_digest=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['manifests'][0]['digest'])" "$work/buildkit-base/index.json")
  for case in "${cases[@]}"; do
    [ ! -e "$here/files/$case/not-$tool" ] || continue
    if "build_$tool" "$case" "$work/cases/$case" > "$work/out/$case.$tool.log" 2>&1 &&
      "write_$tool" "$case" > "$work/out/$case.$tool" 2>> "$work/out/$case.$tool.log"; then
      "drop_$tool" "$case" > /dev/null
    else
      echo failed > "$work/out/$case.$tool"
    fi
  done
  [ "$tool" != docker ] || drop_docker base > /dev/null
done
for case in "${cases[@]}"; do
  if [ -e "$work/out/$case.failed" ]; then
    echo failed > "$work/out/$case.ours"
  else
    python3 "$here/flatten.py" oci "$work/layout" "$case" > "$work/out/$case.ours"
  fi
done
[ -z "${KEEP:-}" ] || cp -r "$work/out" "$KEEP"

# docs/differences.md: | case | tools | reason |
reason_of() {
  awk -F ' *[|] *' -v c="$1" -v t="$2" '$2 == c && (" " $3 " ") ~ (" " t " ") {print $4}' "$documented"
}
status=0
for case in "${cases[@]}"; do
  if [ -e "$here/files/$case/error" ]; then
    error=$(cat "$here/files/$case/error")
    if ! grep -qFe "$error" "$work/out/$case.failed" 2> /dev/null; then
      echo "ERROR    $case: expected an error that says: $error"
      [ ! -e "$work/out/$case.failed" ] || sed 's/^/    found: /' "$work/out/$case.failed"
      status=1
    fi
  fi
  for tool in "${tools[@]}"; do
    if [ -e "$here/files/$case/not-$tool" ]; then
      echo "left out $case $tool: $(cat "$here/files/$case/not-$tool")"
      continue
    fi
    reason=$(reason_of "$case" "$tool")
    ours=$work/out/$case.ours
    if [ "$tool" != buildkit ]; then
      grep -v '^history ' "$ours" > "$work/ours" && ours=$work/ours
    fi
    if diff -U0 --label "$tool" --label ours "$work/out/$case.$tool" "$ours" > "$work/diff"; then
      if [ -z "$reason" ]; then
        echo "same     $case $tool"
      else
        echo "SAME     $case $tool, though docs/differences.md says: $reason"
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
