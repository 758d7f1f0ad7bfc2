#!/usr/bin/env bash
# SparkPi through spark-submit: the Scala one where the distribution has its examples' jar, else the Python one.
set -euo pipefail

jars=("$SPARK_HOME"/examples/jars/spark-examples_*.jar)
if [[ -f ${jars[0]} ]]; then
  kind=Scala
  output="$(spark-submit --master "local[2]" --class org.apache.spark.examples.SparkPi "${jars[0]}" 10)"
else
  kind=Python
  output="$(spark-submit --master "local[2]" "$SPARK_HOME/examples/src/main/python/pi.py" 10)"
fi

if [[ ! $output =~ Pi\ is\ roughly\ (3\.1[0-9]*) ]]; then
  echo "not ok sparkpi expected 'Pi is roughly 3.1...', found: $(head -c 300 <<< "${output//$'\n'/ | }")"
  exit 1
fi
echo "ok sparkpi $kind, Pi is roughly ${BASH_REMATCH[1]}"
