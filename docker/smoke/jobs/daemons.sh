#!/usr/bin/env bash
# Spark's servers through the scripts of sbin/, in the foreground as the image sets them: a standalone master with a
# worker that runs a job, and a Connect server that a client of another process uses.
set -uo pipefail

fail() {
  echo "not ok daemons $1"
  tail -n 20 "$logs"/* >&2
  exit 1
}

logs="$(mktemp -d)"
touch "$logs"/{master,worker,connect}
trap 'kill $(jobs -p) 2> /dev/null' EXIT
# Ports that are free now, from the kernel.
read -r master_port master_ui worker_ui connect_port < <(python3 - << 'PYTHON'
import socket

sockets = [socket.socket() for _ in range(4)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PYTHON
)

# Waits until a log has the words, as long as its server lives, two minutes at most.
wait_for() {
  local log="$1" words="$2" pid="$3"
  for (( i = 0; i < 600; i++ )); do
    grep -q -- "$words" "$log" && return
    kill -0 "$pid" 2> /dev/null || return 1
    sleep 0.2
  done
  return 1
}

master="spark://127.0.0.1:$master_port"
SPARK_MASTER_HOST=127.0.0.1 SPARK_MASTER_PORT=$master_port SPARK_MASTER_WEBUI_PORT=$master_ui \
  start-master.sh > "$logs/master" 2>&1 &
wait_for "$logs/master" "I have been elected leader" $! || fail "the master did not start"
SPARK_WORKER_WEBUI_PORT=$worker_ui start-worker.sh "$master" --cores 1 --memory 600m --host 127.0.0.1 \
  --work-dir "$logs/work" > "$logs/worker" 2>&1 &
start-connect-server.sh --master "local[1]" --conf spark.connect.grpc.binding.port="$connect_port" \
  --conf spark.ui.port=0 > "$logs/connect" 2>&1 &
connect=$!
wait_for "$logs/worker" "Successfully registered with master" $! || fail "the worker did not register"

spark-submit --master "$master" --conf spark.executor.memory=512m --conf spark.ui.port=0 \
  --conf spark.driver.host=127.0.0.1 "$SPARK_HOME/examples/src/main/python/pi.py" 2 > "$logs/pi" 2>&1 ||
  fail "the job on the worker failed"
grep -q "Pi is roughly 3.1" "$logs/pi" || fail "the job on the worker printed no Pi"
metrics="$(python3 -c "
import urllib.request
print(urllib.request.urlopen('http://127.0.0.1:$master_ui/metrics/master/prometheus', timeout=20).read().decode())")"
[[ $metrics == *metrics_master_workers_Value* ]] || fail "the master's Prometheus page does not count workers"

wait_for "$logs/connect" "Spark Connect server started at" "$connect" || fail "the Connect server did not start"
count="$(python3 -c "
from pyspark.sql import SparkSession
print(SparkSession.builder.remote('sc://127.0.0.1:$connect_port').getOrCreate().range(42).count())" 2> "$logs/client")"
[[ $count == 42 ]] || fail "expected a count of 42 from the Connect server, found: '$count'"
echo "ok daemons master, worker, Connect server"
