#!/usr/bin/env bash
#
# Starts the Thrift JDBC/ODBC server: start-thriftserver.sh [spark-submit options] [thrift server options]
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
# The classic API is meant, whatever the environment asks of clients.
export SPARK_CONNECT_MODE=0
# SparkSubmit knows the server by this class name.
class=org.apache.spark.sql.hive.thriftserver.HiveThriftServer2

case " $*" in
  *" --help" | *" -h")
    echo "usage: start-thriftserver.sh [options] [thrift server options]" >&2
    "$SPARK_HOME/bin/spark-submit" --help 2>&1 | grep -v Usage >&2
    echo >&2
    echo "Thrift server options:" >&2
    "$SPARK_HOME/bin/spark-class" "$class" --help 2>&1 | grep -- '^ *-' >&2
    exit 0
    ;;
esac

exec "$SPARK_HOME/sbin/spark-daemon.sh" submit "$class" 1 --name "Thrift JDBC/ODBC Server" "$@"
