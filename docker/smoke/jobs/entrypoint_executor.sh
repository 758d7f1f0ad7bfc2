#!/usr/bin/env bash
# The entrypoint's executor form: the exact words of the command, with 12 Java options in the order of their numbers,
# then a real executor whose driver does not answer; and decom.sh, which Kubernetes runs beside an executor.
set -uo pipefail

fail() {
  echo "not ok entrypoint_executor ${1//$'\n'/ | }"
  exit 1
}

export SPARK_EXECUTOR_MEMORY=512m SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@127.0.0.1:1 SPARK_EXECUTOR_ID=7
export SPARK_EXECUTOR_CORES=1 SPARK_APPLICATION_ID=app-1 SPARK_EXECUTOR_POD_IP=127.0.0.1 SPARK_RESOURCE_PROFILE_ID=0
export SPARK_EXECUTOR_POD_NAME=pod-7 SPARK_CONF_DIR=/opt/spark/conf SPARK_CLASSPATH=/given.jar
for number in 0 1 2 3 4 5 6 7 8 9 10; do
  export "SPARK_JAVA_OPT_$number=-Dsmoke.n$number=a b=$number"
done
export "SPARK_JAVA_OPT_11=-Dsmoke.lines=one
two"

# A `java` that prints its arguments shows them as they are.
fake="$(mktemp -d)"
mkdir "$fake/bin"
printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' > "$fake/bin/java"
chmod 755 "$fake/bin/java"
found="$(JAVA_HOME="$fake" /opt/entrypoint.sh executor)" || fail "the executor form ended with $?"
expected=""
for number in 0 1 2 3 4 5 6 7 8 9 10; do
  expected+="<-Dsmoke.n$number=a b=$number>"
done
expected+="<-Dsmoke.lines=one
two><-Xms512m><-Xmx512m><-cp></opt/spark/conf:/given.jar:/opt/spark/jars/*:$PWD:/opt/spark/image-conf>"
expected+="<org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend>"
expected+="<--driver-url><spark://CoarseGrainedScheduler@127.0.0.1:1><--executor-id><7><--cores><1><--app-id><app-1>"
expected+="<--hostname><127.0.0.1><--resourceProfileId><0><--podName><pod-7>"
[[ $found == "$expected" ]] || fail "expected $expected, found: $found"

for number in 0 1 2 3 4 5 6 7 8 9 10 11; do
  unset "SPARK_JAVA_OPT_$number"
done
log="$(mktemp)"
/opt/entrypoint.sh executor > "$log" 2>&1 && fail "the executor ended well though no driver can answer"
if ! grep -q 'Connection refused' "$log"; then
  cat "$log" >&2
  fail "expected 'Connection refused', found: $(grep -m 1 -E 'Exception|Error' "$log")"
fi

# A process that looks like an executor, and dies of the signal as one without Spark's handler does.
bash -c 'exec -a /usr/bin/java python3 -c "import time; time.sleep(60)" KubernetesExecutorBackend' &
executor=$!
until [[ "$(tr '\0' ' ' < "/proc/$executor/cmdline")" == /usr/bin/java* ]]; do :; done
said="$(/opt/decom.sh)" || fail "decom.sh ended with $?"
wait "$executor"
status=$?
(( status == 128 + $(kill -l PWR) )) || fail "decom.sh: expected an end by SIGPWR, found status $status: $said"
said="$(/opt/decom.sh)" || fail "decom.sh without an executor ended with $?"

echo "ok entrypoint_executor 12 Java options in order, driver: Connection refused, decommissioned by SIGPWR"
