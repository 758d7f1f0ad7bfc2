#!/usr/bin/env bash
# The pipelines of GitLab, really run on this machine by gitlab-ci-local: which jobs there are for whom, the renewal of the lock,
# the child pipeline by its trigger, and a job of it that fails and one that hands on. About two minutes.
#
# Needs gitlab-ci-local (npm), git, node, curl, and docker-registry (Debian). Jobs run in no container but as programs of this
# machine, and `cargo xtask` in them is compiled once: ci/act/bin. The project on GitLab is a bare repository in a folder.
# gitlab-ci-local calls a trigger successful whatever its child does: that `strategy: depend` fails it is GitLab's own.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
for program in gitlab-ci-local git node curl docker-registry cargo; do
  command -v "$program" > /dev/null || { echo "$program is not installed"; exit 1; }
done
work=$(mktemp -d)
registry=
finish() {
  if [ -n "$registry" ]; then kill "$registry" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

cargo build --quiet --package xtask
XTASK=${CARGO_TARGET_DIR:-$root/target}/debug/xtask
REAL_CARGO=$(command -v cargo)
cache=${SPARK_IMAGES_CACHE:-$HOME/.cache/spark-images}
export XTASK REAL_CARGO PATH=$root/ci/act/bin:$PATH
unset CARGO_TARGET_DIR SPARK_IMAGES_OUT
git_as=(git -c user.name=somebody -c user.email=somebody@example.org)

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { echo "not as it should be: $*"; tail -n 60 "$work/log"; exit 1; }
has() { grep -qE -- "$1" "${2:-$work/log}" || fail "no line of ${2:-the log} is like: $1"; }
has_not() { if grep -E -- "$1" "${2:-$work/log}"; then fail "${2:-the log} says: $1"; fi; }

git clone --quiet --bare --no-hardlinks "$root" "$work/origin.git"
git -C "$work/origin.git" config receive.advertisePushOptions true
printf '#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_[0-9] > "%s/options"\n' "$work" > "$work/origin.git/hooks/post-receive"
chmod 700 "$work/origin.git/hooks/post-receive"
git clone --quiet "$work/origin.git" "$work/clone"
git -C "$work/clone" remote set-url origin https://gitlab.com/example/images
git -C "$work/clone" switch --quiet --force-create main
(git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --ignore-failed-read --null -T - -c 2> "$work/log") | tar -C "$work/clone" -x
change() {
  git -C "$work/clone" add docker ci xtask .gitlab-ci.yml
  "${git_as[@]}" -C "$work/clone" commit --quiet --allow-empty --message "$1"
  git -C "$work/clone" push --quiet --force "$work/origin.git" HEAD:main
}
change "as it is"

# pipeline SOURCE [ARGUMENT...]: what a pipeline of that source does; what it says is in $work/log.
pipeline() {
  local source=$1
  shift
  # It copies what has another size or time, and what was written within one second has the same time.
  rm -rf "$work/clone/.gitlab-ci-local/builds"
  (cd "$work/clone" && gitlab-ci-local --force-shell-executor --shell-isolation --color=false \
    --ignore-predefined-vars CI_PIPELINE_SOURCE,CI_DEFAULT_BRANCH,CI_COMMIT_BEFORE_SHA,GITLAB_USER_NAME,GITLAB_USER_EMAIL \
    --variable "CI_PIPELINE_SOURCE=$source" --variable CI_DEFAULT_BRANCH=main --variable "SPARK_IMAGES_CACHE=$cache" \
    --variable GIT_CONFIG_COUNT=1 --variable "GIT_CONFIG_KEY_0=url.file://$work/origin.git.insteadOf" \
    --variable GIT_CONFIG_VALUE_0=https://gitlab.com/example/images.git "$@") > "$work/log" 2>&1
}

# Names of jobs, in the order of the file.
jobs_of() { pipeline "$@" --list-csv || fail "$1 cannot be listed"; sed '1,/^name;/d' "$work/log" | cut -d ';' -f 1 | xargs; }
say "who starts what"
for source in push merge_request_event web; do
  [ "$(jobs_of $source)" = "tool plan build" ] || fail "$source starts $(jobs_of $source)"
done
[ -z "$(jobs_of schedule)" ] || fail "a schedule without a token starts $(jobs_of schedule)"
bot=(--variable SPARK_IMAGES_BOT_TOKEN=token-of-the-bot --variable GITLAB_USER_NAME=Bot --variable GITLAB_USER_EMAIL=bot@example.org)
[ "$(jobs_of schedule "${bot[@]}")" = lock ] || fail "a schedule starts $(jobs_of schedule "${bot[@]}")"

say "the lock: nothing to renew"
(cd "$work/clone" && cargo xtask lock --update debian) > "$work/log" 2>&1
change "a lock of today"
pipeline schedule "${bot[@]}" lock || fail "lock ended red"
if git -C "$work/origin.git" rev-parse --verify --quiet lock/debian; then fail "a branch was pushed"; fi
say "the lock: a package is old"
cp "$work/clone/docker/versions.lock" "$work/renewed"
sed -i -E 's|deb:tzdata=[^/]*/|deb:tzdata=2000a-0+deb12u1/|; s|tzdata_[^_]*_all.deb|tzdata_2000a-0+deb12u1_all.deb|' \
  "$work/clone/docker/versions.lock"
if cmp -s "$work/renewed" "$work/clone/docker/versions.lock"; then fail "the lock has no tzdata"; fi
change "an old lock"
pipeline schedule "${bot[@]}" lock || fail "lock ended red"
git -C "$work/origin.git" show lock/debian:docker/versions.lock | cmp - "$work/renewed" || fail "another lock was pushed"
[ "$(git -C "$work/origin.git" diff --name-only main lock/debian)" = docker/versions.lock ] || fail "more was pushed"
[ "$(xargs < "$work/options")" = "GIT_PUSH_OPTION_0=merge_request.create GIT_PUSH_OPTION_1=merge_request.target=main" ] ||
  fail "GitLab was asked for $(cat "$work/options")"
has_not 'token-of-the-bot'
cp "$work/renewed" "$work/clone/docker/versions.lock"
change "a lock of today"

port=$(node -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
mkdir "$work/registry"
cat > "$work/registry.yml" << END
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
END
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
registry=$!
curl --silent --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/v2/" > "$work/out"
manifests() { find "$work/registry" -path '*/_manifests/revisions/*/link' | wc -l; }
image=127.0.0.1:$port/example
before=$(git -C "$work/clone" rev-parse HEAD)

say "a merge request whose base cannot be built: plan, trigger, child"
sed -i 's|^ADD rootfs.tar /$|ADD rootfs-that-is-not-there.tar /|' "$work/clone/docker/base/Dockerfile"
change "a base that cannot be built"
since=(--variable "CI_MERGE_REQUEST_DIFF_BASE_SHA=$before")
pipeline merge_request_event "${since[@]}" plan || fail "plan ended red"
# gitlab-ci-local's own status says nothing of the child.
pipeline merge_request_event "${since[@]}" --stage build || true
has '\[build\] -> base .*FAIL 1'
has 'rootfs-that-is-not-there.tar. is not in the context'
has_not '\[build\] -> (custom|jars|jdbc|python|runtime).* starting'
[ "$(manifests)" = 0 ] || fail "$(manifests) manifests were pushed"
git -C "$work/clone" checkout --quiet "$before" -- docker
change "a base that can be built"

say "its first job on the main branch: built, audited, tested, handed on"
# No commit before: a branch that is new.
pipeline push --variable CI_COMMIT_BEFORE_SHA=0000000000000000000000000000000000000000 plan || fail "plan ended red"
has_not 'nothing-to-build' "$work/clone/child.yml"
pipeline push --file child.yml base --variable "SPARK_IMAGES_CACHE_TO=$image" --variable "SPARK_IMAGES_PUSH=$image" ||
  fail "base ended red"
for step in build audit smoke 'hand on'; do has "== $step"; done
# Origin release is not pushed, unless it is allowed.
has_not '== push'
[ "$(manifests)" -gt 0 ] || fail "nothing was handed on"
for file in ci/audit.sarif spark-images/logs; do
  [ -e "$work/clone/target/$file" ] || fail "$file is no artifact"
done
say "all as it should be"
