#!/usr/bin/env bash
#
# Tells Spark which GPUs this executor has (spark.executor.resource.gpu.discoveryScript), as the JSON it expects:
#     {"name": "gpu", "addresses": ["0", "1"]}
set -euo pipefail

indices="$(nvidia-smi --query-gpu=index --format=csv,noheader)"
addresses=""
while read -r index; do
  addresses+="${addresses:+, }\"$index\""
done <<< "$indices"
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
