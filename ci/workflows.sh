#!/usr/bin/env bash
# The files of CI, as those see them who wrote their formats: actionlint, the schemas of GitHub and GitLab, zizmor. The child
# pipeline of GitLab too, and what both formats print when there is nothing to build. Asks no network, but to
# install what looks.
#
#   ci/workflows.sh              what is not installed is left out, and said
#   STRICT=1 ci/workflows.sh     what is not installed is an error
#   INSTALL=1 ci/workflows.sh    install it first below target/ci, with pip and go
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "${INSTALL:-}" ]; then
  python3 -m venv target/ci/venv
  target/ci/venv/bin/pip install --quiet check-jsonschema==0.39.0 zizmor==1.32.0
  GOBIN=$PWD/target/ci/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
fi
PATH=$PATH:$PWD/target/ci/venv/bin:$PWD/target/ci/bin

has() {
  command -v "$1" > /dev/null && return
  echo "not checked, because $1 is not installed: $2"
  if [ -n "${STRICT:-}" ]; then exit 1; fi
  return 1
}

cargo xtask ci-matrix --format gitlab > "$work/child.yml"
cargo xtask ci-matrix --format gitlab --group-by image > "$work/image.yml"
# Nothing differs from what is there: no job.
git rev-parse --verify --quiet HEAD > "$work/head"
if git diff --quiet HEAD -- docker; then
  cargo xtask ci-matrix --changed-since "$(cat "$work/head")" --format gitlab > "$work/empty.yml"
  grep -q '^nothing-to-build:' "$work/empty.yml"
  GITHUB_OUTPUT="$work/output" cargo xtask ci-matrix --changed-since "$(cat "$work/head")" --format github --github-output > "$work/empty.json"
  grep -q '"level-0":{"include":\[\]}' "$work/empty.json"
  grep -qx 'true' "$work/output" && grep -qxF '[]' "$work/output"
fi

if has actionlint "what the workflows of GitHub say"; then
  actionlint
fi
if has check-jsonschema "the schemas of both"; then
  check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
  check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml "$work"/*.yml
fi
if has zizmor "what somebody could do with the workflows of GitHub"; then
  zizmor --offline --quiet --persona=auditor .github/workflows
fi
