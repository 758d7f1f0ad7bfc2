#!/usr/bin/env bash
# The workflows of GitHub, really run on this machine by act: each step of each job, the files of CI as they are. What is
# asserted is what came of it: which jobs ran and how they ended, what was uploaded, pushed, and asked of GitHub.
#
#   ci/act.sh                    all scenarios, about half an hour on two processors; `tool` is most of it
#   ci/act.sh lock failing       some of them: lock, failing, by-hand, handing-on, pull-request, tool
#   ACTIONS=DIR ci/act.sh        actions/checkout and actions/cache, at the commits of the table, lie in DIR/actions: GitHub is
#                                not asked for them
#
# Needs act, node, git, jq, rsync, and docker-registry (Debian) for what jobs hand on. Stand-ins are ci/act/: for `gh`, for
# actions/upload-artifact (it needs GitHub's own store) and for `cargo xtask`, which is compiled once and not in each job. The
# repository on GitHub is a bare one in a folder. What the runs need of packages comes from where this machine takes them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
for program in act node git jq rsync docker-registry cargo; do
  command -v "$program" > /dev/null || { echo "$program is not installed"; exit 1; }
done
work=$(mktemp -d)
# Tests that run the tool as another user read the checkout that it was built from.
chmod 755 "$work"
registry=
finish() {
  if [ -n "$registry" ]; then kill "$registry" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

cargo build --quiet --package xtask
XTASK=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/debug/xtask
REAL_CARGO=$(command -v cargo)
export XTASK REAL_CARGO
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export SPARK_IMAGES_CACHE=${SPARK_IMAGES_CACHE:-$HOME/.cache/spark-images}
if command -v go > "$work/out"; then
  GOENV=$(go env GOENV) GOMODCACHE=$(go env GOMODCACHE)
  export GOENV GOMODCACHE
fi
unset CARGO_TARGET_DIR GITHUB_TOKEN GH_TOKEN
mkdir -p "$work/home"
export HOME=$work/home PATH=$root/ci/act/bin:$PATH GH_LOG=$work/gh ARTIFACTS=$work/artifacts
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/origin.git.insteadOf"
export GIT_CONFIG_VALUE_0=https://github.com/example/images
git_as=(git -c user.name=somebody -c user.email=somebody@example.org)

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { echo "not as it should be: $*"; tail -n 60 "$work/log"; exit 1; }
has() { grep -qE -- "$1" "${2:-$work/log}" || fail "no line of ${2:-the log} is like: $1"; }
has_not() { if grep -E -- "$1" "${2:-$work/log}"; then fail "${2:-the log} says: $1"; fi; }
# How the jobs ended whose names begin so: the names in the log of act are those of workflow and job.
ended() { has "^\[$1[^]]*\] .*Job $2$"; }
did_not_run() { has_not "^\[$1[^]]*\] .*Run "; }

# A repository as GitHub would have it: the last commit of this checkout, and what is not committed.
fresh() {
  rm -rf "$work/origin.git" "$work/clone" "$ARTIFACTS" "$GH_LOG"
  mkdir "$ARTIFACTS" && touch "$GH_LOG"
  git clone --quiet --bare --no-hardlinks "$root" "$work/origin.git"
  git -C "$work/origin.git" config uploadpack.allowAnySHA1InWant true
  git clone --quiet https://github.com/example/images "$work/clone"
  git -C "$work/clone" switch --quiet --force-create main
  git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --ignore-failed-read --null -T - -c 2> "$work/log" | tar -C "$work/clone" -x
  change "as it is"
}

# Commits what is in the clone, to its main branch.
change() {
  git -C "$work/clone" add --all
  "${git_as[@]}" -C "$work/clone" commit --quiet --allow-empty --message "$1"
  git -C "$work/clone" push --quiet --force origin HEAD:main
}

runner=$(jq -rn --argjson list "$(sed -n 's/^ *runs-on: \(\[.*\]\)$/\1/p' .github/workflows/tool.yml)" '$list[0]')
local_actions=()
pinned() { sed -n "s|.*uses: \($1@[0-9a-f]*\).*|\1|p" .github/workflows/*.yml | sort -u; }
local_actions+=(--local-repository "$(pinned actions/upload-artifact)=$root/ci/act/upload-artifact")
if [ -n "${ACTIONS:-}" ]; then
  for action in actions/checkout actions/cache; do
    local_actions+=(--local-repository "$(pinned $action)=$ACTIONS/$action")
  done
fi

# run WORKFLOW EVENT [FLAG...]: one run of a workflow; what it says is in $work/log, how it ends is the status.
run() {
  local workflow=$1 event=$2
  shift 2
  (cd "$work/clone" && act "$event" --workflows ".github/workflows/$workflow" --no-skip-checkout --concurrent-jobs 1 \
    --platform "$runner=-self-hosted" --actor somebody --defaultbranch main --secret GITHUB_TOKEN=token-of-the-run \
    --cache-server-addr 127.0.0.1 --cache-server-path "$work/caches" "${local_actions[@]}" \
    --var "SPARK_IMAGES_REGISTRIES=${SPARK_IMAGES_REGISTRIES:-}" "$@") > "$work/log" 2>&1
}
green() { run "$@" || fail "$* ended red"; }
red() { if run "$@"; then fail "$* ended green"; fi; }

# A registry of images, empty, on a port that is free.
start_registry() {
  if [ -n "$registry" ]; then kill "$registry"; wait "$registry" 2> /dev/null || true; fi
  rm -rf "$work/registry" && mkdir "$work/registry"
  port=$(node -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
  cat > "$work/registry.yml" << END
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
END
  docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
  registry=$!
  curl --silent --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/v2/" > "$work/out"
  at_registry=(--var "SPARK_IMAGES_REGISTRY=127.0.0.1:$port/Example" --secret SPARK_IMAGES_REGISTRY_USER=user-of-the-registry
    --secret SPARK_IMAGES_REGISTRY_PASSWORD=secret-of-the-registry)
}
# What is in the registry, as its own files say: manifests, then tags. `fp-` and a fingerprint are what is handed on by.
manifests() { find "$work/registry" -path '*/_manifests/revisions/*/link' | wc -l; }
tags() { find "$work/registry" -path '*/_manifests/tags/*/current/link' ! -path '*/tags/fp-*' | wc -l; }

scenario_lock() {
  fresh
  # What Debian's archive has today.
  (cd "$work/clone" && cargo xtask lock --update debian) > "$work/log" 2>&1
  change "a lock of today"
  say "lock.yml on its schedule: nothing to renew"
  green lock.yml schedule
  ended "Security updates/Move" succeeded
  did_not_run "Security updates/Ask"
  [ ! -s "$GH_LOG" ] || fail "gh was asked: $(cat "$GH_LOG")"
  [ ! -e "$ARTIFACTS/lock" ] || fail "the lock was uploaded"

  say "lock.yml: a package of the lock is old"
  cp "$work/clone/docker/versions.lock" "$work/renewed"
  sed -i -E 's|deb:tzdata=[^/]*/|deb:tzdata=2000a-0+deb12u1/|; s|tzdata_[^_]*_all.deb|tzdata_2000a-0+deb12u1_all.deb|' \
    "$work/clone/docker/versions.lock"
  if cmp -s "$work/renewed" "$work/clone/docker/versions.lock"; then fail "the lock has no tzdata"; fi
  change "an old lock"
  green lock.yml schedule
  ended "Security updates/Move" succeeded
  ended "Security updates/Ask" succeeded
  cmp "$ARTIFACTS/lock/versions.lock" "$work/renewed" || fail "another lock was uploaded"
  git -C "$work/origin.git" show lock/debian:docker/versions.lock | cmp - "$work/renewed" || fail "another lock was pushed"
  [ "$(git -C "$work/origin.git" diff --name-only main lock/debian)" = docker/versions.lock ] || fail "more was pushed"
  has '^gh run download 1 --name lock --dir docker $' "$GH_LOG"
  has '^gh auth setup-git $' "$GH_LOG"
  has '^gh pr create --base main --head lock/debian --title lock:\\ security\\ updates\\ of\\ Debian --body ' "$GH_LOG"
  [ "$(wc -l < "$GH_LOG")" = 4 ] || fail "gh was asked more: $(cat "$GH_LOG")"

  say "lock.yml: the same while its pull request is open"
  rm -rf "$ARTIFACTS/lock" "$GH_LOG"
  GH_OPEN=1 green lock.yml workflow_dispatch
  has '^gh pr list ' "$GH_LOG"
  has_not 'pr create' "$GH_LOG"
}

scenario_failing() {
  fresh
  start_registry
  before=$(git -C "$work/clone" rev-parse HEAD)
  say "images.yml: an image that cannot be built"
  sed -i 's|^ADD rootfs.tar /$|ADD rootfs-that-is-not-there.tar /|' "$work/clone/docker/base/Dockerfile"
  change "a base that cannot be built"
  GH_LAST=$before red images.yml push "${at_registry[@]}"
  ended "Images/Plan" succeeded
  ended "Images/base" failed
  has 'rootfs-that-is-not-there.tar'
  for job in custom jars jdbc python runtime; do did_not_run "Images/$job"; done
  ended "Images/Result" failed
  [ "$(manifests)" = 0 ] || fail "$(manifests) manifests were pushed"
  [ ! -e "$ARTIFACTS/base/ci/junit.xml" ] || fail "tests were reported of what was not built"
  has_not 'secret-of-the-registry|token-of-the-run'

  say "images.yml: an image that its test refuses"
  rm -rf "${ARTIFACTS:?}"/*
  git -C "$work/clone" checkout --quiet "$before" -- docker
  sed -i '1a echo "this is no base" >&2; exit 1' "$work/clone/docker/smoke/jobs/base.sh"
  change "a base that fails its test"
  GH_LAST=$before red images.yml push "${at_registry[@]}"
  ended "Images/base" failed
  for job in custom jars jdbc python runtime; do did_not_run "Images/$job"; done
  ended "Images/Result" failed
  [ "$(manifests)" = 0 ] || fail "$(manifests) manifests were pushed"
  has 'FAILED +spark-k8s-base:.* base: '
  has 'this is no base' "$(find "$ARTIFACTS/base/spark-images/logs" -name 'smoke-spark-k8s-base*_base.log')"
  has '<failure' "$ARTIFACTS/base/ci/junit.xml"
  [ "$(jq '.runs | length' "$ARTIFACTS/base/ci/audit.sarif")" = 1 ] || fail "the audit was not uploaded"

  say "images.yml: an image that the audit refuses"
  rm -rf "${ARTIFACTS:?}"/*
  git -C "$work/clone" checkout --quiet "$before" -- docker
  sed -i 's|^ADD rootfs.tar /$|&\nENV DATABASE_URL=postgresql://user:hunter22x@db.example.org/prices|' "$work/clone/docker/base/Dockerfile"
  change "a base with a password"
  GH_LAST=$before red images.yml push "${at_registry[@]}"
  ended "Images/base" failed
  has 'error\[secret\]'
  [ "$(jq -r '.runs[0].results[0].ruleId' "$ARTIFACTS/base/ci/audit.sarif")" = secret ] || fail "the SARIF does not say so"
  [ ! -e "$ARTIFACTS/base/ci/junit.xml" ] || fail "it was tested all the same"
  [ "$(manifests)" = 0 ] || fail "$(manifests) manifests were pushed"
}

scenario_by-hand() {
  fresh
  say "images.yml by hand on another branch: nothing"
  git -C "$work/clone" switch --quiet --create other
  "${git_as[@]}" -C "$work/clone" commit --quiet --allow-empty --message other
  git -C "$work/clone" push --quiet origin other
  red images.yml workflow_dispatch
  has 'images are built and pushed from main alone'
  ended "Images/Plan" failed
  did_not_run 'Images/[^PR]'
  [ ! -s "$GH_LOG" ] || fail "gh was asked: $(cat "$GH_LOG")"

  say "images.yml by hand on main: the plan is all images"
  git -C "$work/clone" switch --quiet main
  green images.yml workflow_dispatch --job plan
  ended "Images/Plan" succeeded
  [ ! -s "$GH_LOG" ] || fail "gh was asked: $(cat "$GH_LOG")"
  has '"level-0","level-1"'

  say "images.yml: nothing changed since the last run"
  GH_LAST=$(git -C "$work/clone" rev-parse HEAD) green images.yml push
  has '^gh run list --workflow images.yml ' "$GH_LOG"
  did_not_run "Images/base"
  ended "Images/Result" succeeded
}

scenario_handing-on() {
  fresh
  start_registry
  # The caches of the workflow are those of a runner's home.
  local kept=$SPARK_IMAGES_CACHE store=$HOME/.cache/spark-images
  unset SPARK_IMAGES_CACHE
  say "images.yml: the first job on a new runner"
  green images.yml workflow_dispatch --job level-0 "${at_registry[@]}"
  ended "Images/base" succeeded
  has 'built +spark-k8s-base'
  has 'Cache saved with key: files-'
  key=$(sed -n 's/.*Cache saved with key: \(files-[0-9a-f]*\).*/\1/p' "$work/log" | tail -n 1)
  has 'testcase' "$ARTIFACTS/base/ci/junit.xml"
  [ "$(manifests)" -gt 0 ] || fail "nothing was handed on"
  [ "$(tags)" = 0 ] || fail "an image of origin release got a tag"
  (cd "$store/artifacts" && find . -type f -exec sha256sum {} + | sort) > "$work/saved"
  [ -s "$work/saved" ] || fail "the store is empty"

  say "the same on a runner that has the cache, and no image to take"
  rm -rf "$store" "${ARTIFACTS:?}"/*
  start_registry
  green images.yml workflow_dispatch --job level-0 "${at_registry[@]}"
  has "Cache restored from key: $key"
  has 'built +spark-k8s-base'
  has_not 'fetching'
  (cd "$store/artifacts" && find . -type f -exec sha256sum {} + | sort) | cmp - "$work/saved" || fail "the caches differ"

  say "the same on a runner without the cache: the image is in the registry"
  rm -rf "$store" "$work/caches" "${ARTIFACTS:?}"/*
  images=$(manifests)
  green images.yml workflow_dispatch --job level-0 "${at_registry[@]}" --var SPARK_IMAGES_ALLOW_RELEASE=true
  has_not 'built +spark-k8s-base'
  has 'testcase' "$ARTIFACTS/base/ci/junit.xml"
  [ "$(tags)" -gt 0 ] || fail "no tag was pushed, which the variable allows"
  [ "$(manifests)" -ge "$images" ] || fail "manifests are gone"
  export SPARK_IMAGES_CACHE=$kept
}

# A merge commit, as GitHub makes it for a pull request.
scenario_pull-request() {
  fresh
  say "pull-request.yml: a change that fails, of a fork"
  git -C "$work/clone" switch --quiet --create theirs
  sed -i 's|^ADD rootfs.tar /$|ADD rootfs-that-is-not-there.tar /|' "$work/clone/docker/base/Dockerfile"
  git -C "$work/clone" add --all
  "${git_as[@]}" -C "$work/clone" commit --quiet --message theirs
  git -C "$work/clone" switch --quiet --create merge main
  "${git_as[@]}" -C "$work/clone" merge --quiet --no-ff --message merge theirs
  git -C "$work/clone" push --quiet origin merge:refs/pull/7/merge theirs
  jq -n '{number: 7, pull_request: {number: 7, head: {ref: "theirs"}, base: {ref: "main"}}}' > "$work/event.json"
  # It is told no secret; were the registry asked, it would not answer.
  red pull-request.yml pull_request --eventpath "$work/event.json" --var SPARK_IMAGES_REGISTRY=127.0.0.1:1
  ended "Pull request/Plan" succeeded
  ended "Pull request/base" failed
  for job in custom jars jdbc python runtime; do did_not_run "Pull request/$job"; done
  ended "Pull request/Result" failed
  has 'docker/base/Dockerfile:[0-9]+: `rootfs-that-is-not-there.tar` is not in the context'
  has 'rootfs-that-is-not-there.tar' "$(find "$ARTIFACTS/base/spark-images/logs" -name 'build-spark-k8s-base*.log')"
  [ ! -s "$GH_LOG" ] || fail "gh was asked: $(cat "$GH_LOG")"

  say "pull-request.yml: a change of no image"
  git -C "$work/clone" reset --quiet --hard main
  echo >> "$work/clone/README.md"
  git -C "$work/clone" add --all
  "${git_as[@]}" -C "$work/clone" commit --quiet --message theirs
  git -C "$work/clone" push --quiet --force origin merge:refs/pull/7/merge
  green pull-request.yml pull_request --eventpath "$work/event.json"
  did_not_run "Pull request/base"
  ended "Pull request/Result" succeeded
}

scenario_tool() {
  fresh
  # Our crates are compiled once for both runs, and what they stand on has been for this checkout.
  rsync --archive --exclude incremental "${XTASK%/debug/xtask}/" "$work/target/"
  export WORKPLACE=$work/workplace CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=0
  say "tool.yml"
  green tool.yml push
  ended "Tool/Format" succeeded
  has 'test result: .*ok'
  has_not 'test result: .*FAILED'

  say "tool.yml: a test that fails"
  cat > "$work/clone/xtask/tests/a_test_that_fails.rs" << 'END'
//! A test that fails.

#[test]
fn fails() {
    panic!("this test fails");
}
END
  change "a test that fails"
  red tool.yml push
  ended "Tool/Format" failed
  has 'this test fails'
  did_not_run 'Tool/Format.*ci/workflows.sh'
  unset WORKPLACE CARGO_TARGET_DIR CARGO_INCREMENTAL
}

scenarios=("$@")
if [ $# = 0 ]; then scenarios=(lock failing by-hand handing-on pull-request tool); fi
for name in "${scenarios[@]}"; do
  declare -F "scenario_$name" > /dev/null || { echo "there is no scenario $name: lock, failing, by-hand, handing-on, pull-request, tool"; exit 1; }
done
for name in "${scenarios[@]}"; do "scenario_$name"; done
say "all as it should be"
