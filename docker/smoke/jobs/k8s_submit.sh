#!/usr/bin/env bash
# A submission to a Kubernetes master where nothing listens ends in the Kubernetes client's own connection error: the
# client, its HTTP library and all that they load are there.
set -uo pipefail

log="$(mktemp)"
SECONDS=0
# The credentials are given, so that nothing is looked for outside of the container.
spark-submit --master k8s://https://127.0.0.1:1 --deploy-mode cluster --name smoke \
  --conf spark.kubernetes.container.image=image.invalid/spark \
  --conf spark.kubernetes.authenticate.submission.oauthToken=token \
  --conf spark.kubernetes.trust.certificates=true \
  --conf spark.kubernetes.submission.connectionTimeout=2000 \
  --conf spark.kubernetes.submission.requestTimeout=2000 \
  "local://$SPARK_HOME/examples/src/main/python/pi.py" > "$log" 2>&1
status=$?

if (( status == 0 )); then
  echo "not ok k8s_submit the submission succeeded though nothing can answer"
  exit 1
fi
errors='NoClassDefFoundError|ClassNotFoundException|NoSuchMethodError|ServiceConfigurationError|No HttpClient'
missing="$(grep -m 1 -E "$errors" "$log")"
if [[ -n $missing ]]; then
  echo "not ok k8s_submit a class is missing: $missing"
  exit 1
fi
if ! grep -q io.fabric8.kubernetes.client.KubernetesClientException "$log" || ! grep -q 'Connection refused' "$log"; then
  cat "$log" >&2
  echo "not ok k8s_submit expected the client's 'Connection refused', found: $(grep -m 1 Exception "$log")"
  exit 1
fi
echo "ok k8s_submit KubernetesClientException: Connection refused, after $SECONDS s"
