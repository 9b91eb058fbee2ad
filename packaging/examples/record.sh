#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keeps the facts of a night, and tells in the morning what would have been moved:
#
#     0 22 * * * root /usr/share/doc/rackline/examples/record.sh night
#     0 7  * * * root /usr/share/doc/rackline/examples/record.sh morning
#
# What is decided depends on the facts alone, so that other thresholds can be tried on the same night:
#
#     record.sh replay --cpu-threshold 60
set -euo pipefail
night=${STATE_DIRECTORY:-/var/lib/rackline}/night.jsonl

case ${1:-} in
night) # 8 hours
  mkdir -p "${night%/*}"
  capwatch --interval 30s --count 960 >"$night"
  ;;
morning)
  rackline-records --check -q "$night" >/dev/null
  capplan balance <"$night" | jq -r 'select(.kind == "vm_move") | "\(.time) \(.vm): \(.from) -> \(.to): \(.reason)"'
  ;;
replay)
  shift
  capplan balance "$@" <"$night"
  ;;
*)
  echo "usage: record.sh night|morning|replay [OPTION...]" >&2
  exit 2
  ;;
esac
