#!/usr/bin/env bash
#
# Kubernetes runs this in an executor's pod before it stops it (spark.kubernetes.decommission.script). SIGPWR asks the
# executor to hand its blocks to others and to leave; the script waits for that, so that the pod is not stopped sooner.
# How long it may take is the pod's terminationGracePeriodSeconds.
set -euo pipefail

pid="$(pgrep --newest --full '^[^ ]*/java .*ExecutorBackend' || true)"
if [[ -z $pid ]]; then
  echo "decom.sh: there is no executor to decommission"
  exit 0
fi
echo "decom.sh: decommissioning the executor, process $pid"
kill -s PWR "$pid"
tail --pid="$pid" -f /dev/null
echo "decom.sh: the executor has ended"
