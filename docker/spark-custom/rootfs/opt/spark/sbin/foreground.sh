#!/usr/bin/env bash
#
# foreground.sh COMMAND...: runs a start script of sbin/ as a container wants it.
#
# Spark's start scripts stay in the foreground (SPARK_NO_DAEMONIZE), but each waits for a child: a SIGTERM would end the
# script, then the container, and the server would be killed before it closed anything. Here the server gets the signal,
# and what it ends with is what the container ends with.
set -uo pipefail

# The Java processes that the scripts below a process started: the server, or several of SPARK_WORKER_INSTANCES. What a
# server started, as a worker its executors, is its own matter.
servers() {
  local pid
  for pid in $(pgrep --parent "$1"); do
    case "$(ps --pid "$pid" --format comm=)" in
      java) echo "$pid" ;;
      bash) servers "$pid" ;;
    esac
  done
}

# Java never sees a SIGINT: what a script starts in the background is deaf to it. SIGTERM it is, then.
stop() {
  local found
  found="$(servers "$script")"
  # Where no server runs yet, none is to start.
  kill -s TERM ${found:-"$script"} 2> /dev/null
}

"$@" &
script=$!
trap stop TERM INT
# A signal ends the waiting, not the script.
while kill -0 "$script" 2> /dev/null; do
  wait "$script"
  status=$?
done
exit "${status:-0}"
