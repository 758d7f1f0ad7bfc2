# shellcheck shell=bash
# What the jobs share that start Spark's servers: each as a container's command (the entrypoint with tini), in the
# foreground, with a log of its own. Sourced; a check that is under way is named by `check`.

check=start
logs="$(mktemp -d)"
declare -A pids=()
trap 'kill -9 $(for pid in "${pids[@]}"; do tree "$pid"; done) 2> /dev/null' EXIT

fail() {
  tail -n 40 "$logs"/*.log >&2
  echo "not ok $check ${1//$'\n'/ | }"
  exit 1
}

# Ports that are free now, from the kernel.
free_ports() {
  python3 -c "
import socket
sockets = [socket.socket() for _ in range($1)]
for one in sockets:
    one.bind(('127.0.0.1', 0))
print(*(one.getsockname()[1] for one in sockets))"
}

# A process and all below it.
tree() {
  local child
  echo "$1"
  for child in $(pgrep --parent "$1"); do
    tree "$child"
  done
}

# serve NAME COMMAND...
serve() {
  local name="$1"
  shift
  /opt/entrypoint.sh "$@" > "$logs/$name.log" 2>&1 &
  pids[$name]=$!
}

# await NAME WORDS: waits until a server's log has the words, as long as it lives, four minutes at most: machines are busy.
await() {
  local i
  for (( i = 0; i < 1200; i++ )); do
    grep -q -- "$2" "$logs/$1.log" && return
    kill -0 "${pids[$1]}" 2> /dev/null || break
    sleep 0.2
  done
  fail "the $1 did not say '$2'"
}

# stop NAME WORDS: SIGTERM to the container's command has to reach the server, which says WORDS as it closes, and has to
# end all of it.
stop() {
  local pid="${pids[$1]}" all i status
  all="$(tree "$pid")"
  kill -0 "$pid" 2> /dev/null || fail "the $1 did not stay in the foreground"
  kill -s TERM "$pid"
  for (( i = 0; i < 100; i++ )); do
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
  done
  kill -0 "$pid" 2> /dev/null && fail "the $1 runs on 10 s after SIGTERM"
  wait "$pid"
  status=$?
  unset "pids[$1]"
  (( status == 143 || status == 0 )) || fail "the $1 ended with $status after SIGTERM"
  # shellcheck disable=SC2086 # these are words
  kill -0 $all 2> /dev/null && fail "the $1 left processes: $(ps --format pid=,args= --pid "${all//$'\n'/,}")"
  grep -q -- "$2" "$logs/$1.log" || fail "the $1 was ended before it closed: its log lacks '$2'"
}

# get URL: what a web page says.
get() {
  python3 -c "
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())" "$1"
}
