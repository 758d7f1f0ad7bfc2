#!/usr/bin/env bash
#
# Starts a standalone master: start-master.sh [options]
# SPARK_MASTER_HOST, SPARK_MASTER_PORT and SPARK_MASTER_WEBUI_PORT say where it listens.
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
# SparkSubmit knows the master by this class name.
class=org.apache.spark.deploy.master.Master

case " $*" in
  *" --help" | *" -h")
    "$SPARK_HOME/bin/spark-class" "$class" --help 2>&1 | grep -- '^Usage\|^ ' >&2
    exit 0
    ;;
esac

# spark-env.sh may set the three variables; these scripts expect unset ones to be empty.
set +u
. "$SPARK_HOME/sbin/spark-config.sh"
. "$SPARK_HOME/bin/load-spark-env.sh"
set -u

exec "$SPARK_HOME/sbin/spark-daemon.sh" start "$class" 1 \
  --host "${SPARK_MASTER_HOST:-$(hostname -f)}" \
  --port "${SPARK_MASTER_PORT:-7077}" \
  --webui-port "${SPARK_MASTER_WEBUI_PORT:-8080}" \
  "$@"
