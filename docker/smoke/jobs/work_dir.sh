#!/usr/bin/env bash
# smoke: writable
# On a writable root the working directory is writable for user 185 and for any user of group 0, and SPARK_HOME's
# programs are not.
set -uo pipefail

fail() {
  echo "not ok work_dir ${1//$'\n'/ | }, as $(id -u):$(id -g)"
  exit 1
}

work=/opt/spark/work-dir
[[ $PWD == "$work" ]] || fail "expected to start in $work, found: $PWD"
touch "$work/written" 2> /dev/null || fail "$work is not writable ($(stat -c '%u:%g %a' "$work"))"
rm "$work/written"
for folder in jars bin sbin python image-conf; do
  # Where a single uid is mapped every file seems to be the user's own, and nothing can be said about them.
  if [[ -z ${SMOKE_UID_EMULATED:-} ]] && (( $(id -u) != 0 )) && [[ -w /opt/spark/$folder ]]; then
    fail "/opt/spark/$folder is writable"
  fi
done
echo "ok work_dir $(stat -c '%u:%g %a' "$work"), as $(id -u):$(id -g)"
