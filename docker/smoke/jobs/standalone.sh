#!/usr/bin/env bash
# smoke: checks=standalone,history memory=2g
# A standalone master with two workers, all as a container's command; one worker and its executor are killed in the
# middle of a job, which still ends right; Prometheus' pages count. Then a History Server tells it all from the event log
# that the job wrote. Those that are left end on SIGTERM.
set -uo pipefail
. "$(dirname "$0")/servers.sh"

check=standalone
events="${SMOKE_EVENTS:-$(mktemp -d)}"
read -r port master_ui ui_one ui_two history_ui < <(free_ports 5)
master="spark://127.0.0.1:$port"
export SPARK_DAEMON_MEMORY=256m
SPARK_MASTER_HOST=127.0.0.1 SPARK_MASTER_PORT=$port SPARK_MASTER_WEBUI_PORT=$master_ui serve master start-master.sh
await master "I have been elected leader"
for name in one two; do
  ui="ui_$name"
  SPARK_WORKER_WEBUI_PORT=${!ui} serve "$name" start-worker.sh "$master" --cores 1 --memory 600m --host 127.0.0.1 \
    --work-dir "$logs/work-$name"
done
await one "Successfully registered with master"
await two "Successfully registered with master"

timeout 120 spark-submit --master "$master" --name smoke --conf spark.executor.memory=512m --conf spark.ui.port=0 \
  --conf spark.driver.host=127.0.0.1 --conf spark.eventLog.enabled=true --conf "spark.eventLog.dir=file:$events" \
  --conf spark.eventLog.compress=false --conf spark.eventLog.rolling.enabled=false \
  "$(dirname "$0")/standalone_app.py" "$logs" > "$logs/said" 2> "$logs/driver.log" &
driver=$!
# The job says when each of the two executors holds a task.
until [[ -e $logs/ready ]]; do
  kill -0 "$driver" 2> /dev/null || fail "the job ended before it had two executors"
  sleep 0.1
done
# shellcheck disable=SC2046 # these are words
kill -9 $(tree "${pids[two]}")
wait "${pids[two]}" 2> /dev/null
unset 'pids[two]'
touch "$logs/killed"
wait "$driver" || fail "the job ended with $? after a worker was killed"
wanted='sum 4950, 2 executors, class org.codehaus.jackson.map.ObjectMapper'
grep -qxF "$wanted" "$logs/said" || fail "expected '$wanted', found: $(grep '^sum ' "$logs/said" || head -c 300 "$logs/said")"
metrics="$(get "http://127.0.0.1:$master_ui/metrics/master/prometheus")"
grep -q '^metrics_master_aliveWorkers_Value{[^}]*} 1$' <<< "$metrics" ||
  fail "the master's Prometheus page does not count one worker: $(grep -i workers <<< "$metrics")"
stop one "RECEIVED SIGNAL TERM"
stop master "RECEIVED SIGNAL TERM"
echo "ok standalone one of two workers killed, sum 4950, counted by Prometheus, ended on SIGTERM"

check=history
SPARK_HISTORY_OPTS="-Dspark.history.fs.logDirectory=file:$events -Dspark.history.ui.port=$history_ui" \
  serve history start-history-server.sh
await history "Finished parsing"
found="$(python3 - "http://127.0.0.1:$history_ui/api/v1/applications" << 'PYTHON'
import json
import sys
import urllib.request


def ask(path):
    with urllib.request.urlopen(sys.argv[1] + path, timeout=30) as answer:
        return json.load(answer)


(app,) = ask("")
executors = ask(f"/{app['id']}/allexecutors")
lost = [executor for executor in executors if not executor["isActive"] and "removeReason" in executor]
print(app["name"], "completed" if app["attempts"][-1]["completed"] else "in progress", end=", ")
print(*sorted({job["status"] for job in ask(f"/{app['id']}/jobs")}), end=", ")
print(len(lost) >= 1 and "an executor was lost")
PYTHON
)"
[[ $found == "smoke completed, SUCCEEDED, an executor was lost" ]] || fail "found '$found'"
stop history "RECEIVED SIGNAL TERM"
echo "ok history $found, ended on SIGTERM"
