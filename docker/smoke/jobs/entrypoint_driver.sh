#!/usr/bin/env bash
# smoke: conf=/opt/spark/conf
# The entrypoint's driver form, called as Kubernetes' backend does, with a foreign folder (smoke/conf) mounted read-only
# over /opt/spark/conf: the image's defaults are there, the given file's keys win, and its other keys are as they were.
set -uo pipefail

conf=/opt/spark/conf
if [[ ! -f $conf/spark.properties || -f $conf/spark-env.sh ]]; then
  echo "not ok entrypoint_driver smoke/conf is not mounted over $conf"
  exit 1
fi
if : 2> /dev/null > "$conf/written"; then
  echo "not ok entrypoint_driver $conf is writable"
  exit 1
fi

output="$(SPARK_CONF_DIR="$conf" SPARK_DRIVER_BIND_ADDRESS=127.0.0.1 /opt/entrypoint.sh driver \
  --properties-file "$conf/spark.properties" "local://$(dirname "$0")/show_conf.py" --properties-file mine)"
status=$?
if (( status != 0 )); then
  echo "not ok entrypoint_driver the driver ended with $status"
  exit 1
fi

expected=(
  # given
  "spark.app.name=smoke"
  "spark.ui.prometheus.enabled=false"
  "spark.kubernetes.driver.label.example.com/a:b=escaped=value"
  # (spark.driver.extraJavaOptions, over two lines of the file)
  "smoke.one=1"
  "smoke.two=2"
  # of the image
  "spark.jars.ivy=/tmp/.ivy2"
  "log4j2.properties=/opt/spark/image-conf/log4j2.properties"
  "metrics.properties=/opt/spark/image-conf/metrics.properties"
  # of the entrypoint
  "spark.driver.bindAddress=127.0.0.1"
  "spark.executorEnv.SPARK_DRIVER_POD_IP=127.0.0.1"
  "SPARK_CONF_DIR=$conf"
  "arguments=--properties-file mine"
  "count=10"
)
# Further settings that the image's defaults are to bring (`key=value ...`), those of Iceberg for one.
read -ra further <<< "${EXPECT_DEFAULTS:-}"
for line in "${expected[@]}" "${further[@]}"; do
  if ! grep -qxF -- "$line" <<< "$output"; then
    printf '%s\n' "$output" >&2
    key="${line%%=*}"
    echo "not ok entrypoint_driver expected '$line', found: $(grep -m 1 -F -- "$key=" <<< "$output")"
    exit 1
  fi
done
echo "ok entrypoint_driver $(( ${#expected[@]} + ${#further[@]} )) settings"
