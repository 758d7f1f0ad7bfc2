#!/usr/bin/env bash
#
# Tells Spark which GPUs this executor has (spark.executor.resource.gpu.discoveryScript), as the JSON it expects:
#     {"name": "gpu", "addresses": ["0", "1"]}
set -euo pipefail

indices="$(nvidia-smi --query-gpu=index --format=csv,noheader)"
addresses=""
while read -r index; do
  # Spark takes every text for an address, also an excuse.
  if [[ ! $index =~ ^[0-9]+$ ]]; then
    echo "getGpusResources.sh: expected the index of a GPU from nvidia-smi, found '$index'" >&2
    exit 1
  fi
  addresses+="${addresses:+, }\"$index\""
done <<< "$indices"
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
