#!/usr/bin/env bash
#
# Starts the Spark Connect server: start-connect-server.sh [--wait] [spark-submit options]
# With --wait, or with SPARK_NO_DAEMONIZE set, it stays in the foreground.
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
# The classic API is meant, whatever the environment asks of clients.
export SPARK_CONNECT_MODE=0
# SparkSubmit knows the server by this class name.
class=org.apache.spark.sql.connect.service.SparkConnectServer

case " $*" in
  *" --help" | *" -h")
    echo "usage: start-connect-server.sh [--wait] [options]" >&2
    "$SPARK_HOME/bin/spark-submit" --help 2>&1 | grep -v Usage >&2
    exit 0
    ;;
esac

if [[ ${1:-} == --wait ]]; then
  shift
  export SPARK_NO_DAEMONIZE=1
fi
exec "$SPARK_HOME/sbin/spark-daemon.sh" submit "$class" 1 --name "Spark Connect server" "$@"
