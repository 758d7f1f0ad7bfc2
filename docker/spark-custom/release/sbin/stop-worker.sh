#!/usr/bin/env bash
#
# Stops the standalone workers that start-worker.sh put into the background: SPARK_WORKER_INSTANCES of them (1).
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
class=org.apache.spark.deploy.worker.Worker

# spark-env.sh may set the variable; these scripts expect unset ones to be empty.
set +u
. "$SPARK_HOME/sbin/spark-config.sh"
. "$SPARK_HOME/bin/load-spark-env.sh"
set -u

for (( number = 1; number <= ${SPARK_WORKER_INSTANCES:-1}; number++ )); do
  "$SPARK_HOME/sbin/spark-daemon.sh" stop "$class" "$number"
done
