#!/usr/bin/env bash
# `spark-submit --version` names the version and the Scala expected.
set -euo pipefail

output="$(spark-submit --version 2>&1)"
for words in "version ${EXPECT_SPARK:?is not set}" "Using Scala version ${EXPECT_SCALA:?is not set}."; do
  if [[ $output != *"$words"* ]]; then
    echo "not ok submit_version expected '$words', found: $(head -c 600 <<< "${output//$'\n'/ | }")"
    exit 1
  fi
done
echo "ok submit_version Spark $EXPECT_SPARK, Scala $EXPECT_SCALA"
