#!/usr/bin/env bash
#
# Stops the Thrift JDBC/ODBC server that start-thriftserver.sh put into the background.
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
exec "$SPARK_HOME/sbin/spark-daemon.sh" stop org.apache.spark.sql.hive.thriftserver.HiveThriftServer2 1
