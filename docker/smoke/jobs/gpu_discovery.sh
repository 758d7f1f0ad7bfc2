#!/usr/bin/env bash
# smoke: gpu checks=gpu_discovery,gpu_discovery_real
# gpu_discovery.sh [SCRIPT]: the script that tells Spark of the GPUs prints the JSON that Spark wants, with a stand-in
# nvidia-smi for no, one and several GPUs and for one that fails; and with the real one, where there is one. On a machine
# with a GPU it runs without an image, given the script's path. Then there are no variables of the image to look at.
set -uo pipefail

script="${1:-/opt/spark/bin/getGpusResources.sh}"

fail() {
  echo "not ok gpu_discovery ${1//$'\n'/ | }"
  exit 1
}

# Runs the script with an nvidia-smi that prints $1 and ends with $2.
found() {
  local folder
  folder="$(mktemp -d)"
  printf '#!/bin/sh\n[ "$*" = "--query-gpu=index --format=csv,noheader" ] || exit 9\nprintf "%%b" "%s"\nexit %s\n' \
    "$1" "$2" > "$folder/nvidia-smi"
  chmod 755 "$folder/nvidia-smi"
  PATH="$folder:$PATH" bash "$script"
}

same() {
  [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"
}

same "one GPU" '{"name": "gpu", "addresses": ["0"]}' "$(found '0\n' 0)"
same "three GPUs" '{"name": "gpu", "addresses": ["0", "1", "12"]}' "$(found '0\n1\n12\n' 0)"
same "no end of line" '{"name": "gpu", "addresses": ["0"]}' "$(found '0' 0)"
# Spark would take what is printed for an address: what is no index must not be printed, and the script must fail.
for case in "No devices were found\n 6" "No devices were found\n 0" "\n 0" "0\nUnable to determine\n 0"; do
  if text="$(found "${case% *}" "${case##* }" 2> /dev/null)" || [[ -n $text ]]; then
    fail "nvidia-smi that says '${case% *}' and ends with ${case##* }: the script printed '$text'"
  fi
done
# A PATH with bash's own folder alone may hold the real one.
if text="$(PATH=/nonexistent "$BASH" "$script" 2> /dev/null)" || [[ -n $text ]]; then
  fail "without nvidia-smi the script printed '$text'"
fi
if [[ $# == 0 ]]; then
  [[ -x $script ]] || fail "$script is not executable"
  same NVIDIA_VISIBLE_DEVICES all "${NVIDIA_VISIBLE_DEVICES:-}"
  same NVIDIA_DRIVER_CAPABILITIES compute,utility "${NVIDIA_DRIVER_CAPABILITIES:-}"
fi
echo "ok gpu_discovery no, one and three GPUs${1:+, without the variables of the image}"

if ! command -v nvidia-smi > /dev/null; then
  echo "skip gpu_discovery_real there is no nvidia-smi: no driver, or the container was started without a GPU"
  exit 0
fi
json="$(bash "$script")" || { echo "not ok gpu_discovery_real the script ended with $?"; exit 1; }
listed="$(nvidia-smi -L | grep -c '^GPU ')"
counted="$(grep -o '"[0-9]*"' <<< "$json" | grep -c .)"
if [[ $listed != "$counted" ]]; then
  echo "not ok gpu_discovery_real nvidia-smi -L lists $listed GPUs, the script says $json"
  exit 1
fi
echo "ok gpu_discovery_real $json"
