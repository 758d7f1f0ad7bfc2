#!/usr/bin/env bash
#
# Starts standalone workers: start-worker.sh MASTER [options]
# SPARK_WORKER_INSTANCES says how many (1), SPARK_WORKER_PORT and SPARK_WORKER_WEBUI_PORT (8081) where the first one
# listens; each further one takes the next number.
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
# SparkSubmit knows the worker by this class name.
class=org.apache.spark.deploy.worker.Worker

case " $*" in
  " " | *" --help" | *" -h")
    echo "usage: start-worker.sh MASTER [options]" >&2
    "$SPARK_HOME/bin/spark-class" "$class" --help 2>&1 | grep -- '^ ' >&2
    (( $# > 0 ))
    exit
    ;;
esac

# spark-env.sh may set the three variables; these scripts expect unset ones to be empty.
set +u
. "$SPARK_HOME/sbin/spark-config.sh"
. "$SPARK_HOME/bin/load-spark-env.sh"
set -u

start() {
  local number="$1"
  shift
  local ports=(--webui-port "$(( ${SPARK_WORKER_WEBUI_PORT:-8081} + number - 1 ))")
  if [[ -n ${SPARK_WORKER_PORT:-} ]]; then
    ports+=(--port "$(( SPARK_WORKER_PORT + number - 1 ))")
  fi
  "$SPARK_HOME/sbin/spark-daemon.sh" start "$class" "$number" "${ports[@]}" "$@"
}

instances="${SPARK_WORKER_INSTANCES:-1}"
if (( instances > 1 )) && [[ -n ${SPARK_NO_DAEMONIZE+set} ]]; then
  # In the foreground the first would keep the others from starting.
  for (( number = 2; number <= instances; number++ )); do
    start "$number" "$@" &
  done
  start 1 "$@"
  wait
else
  for (( number = 1; number <= instances; number++ )); do
    start "$number" "$@"
  done
fi
