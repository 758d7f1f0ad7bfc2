#!/usr/bin/env bash
#
# Asks the standalone workers that start-worker.sh put into the background to hand their blocks to others and to leave:
# SPARK_WORKER_INSTANCES of them (1). decommission-worker.sh [--block-until-exit]
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
  "$SPARK_HOME/sbin/spark-daemon.sh" decommission "$class" "$number"
done

# For systems that stop the machine when this script ends: wait for the first worker.
if [[ ${1:-} == --block-until-exit ]]; then
  for file in "${SPARK_PID_DIR:-/tmp}"/spark-*-"$class"-1.pid; do
    [[ -f $file ]] && tail --pid="$(< "$file")" -f /dev/null
  done
fi
