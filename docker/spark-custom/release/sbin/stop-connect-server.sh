#!/usr/bin/env bash
#
# Stops the Spark Connect server that start-connect-server.sh put into the background.
set -euo pipefail

SPARK_HOME="${SPARK_HOME:-$(cd "$(dirname "$0")/.." && pwd)}"
export SPARK_HOME
exec "$SPARK_HOME/sbin/spark-daemon.sh" stop org.apache.spark.sql.connect.service.SparkConnectServer 1
