#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Start time of each program beside jq's, and the sizes of the binaries.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

runs=50
times() { for ((i = 0; i < runs; i++)); do "$@" >/dev/null; done; }
heading "Start, medians of 7 rounds of $runs runs"
programs=(capwatch capplan migrate heartbeat fence failover audit reserve rackline-records)
for _ in 1 2 3 4 5 6 7; do
  for program in jq "${programs[@]}"; do
    seconds times "$program" --version >>"$scratch/$program" && echo >>"$scratch/$program"
  done
done
jq_ms=$(calc "$(median <"$scratch/jq") * 1000 / $runs" 2)
row "jq --version" "$jq_ms" ms
for program in "${programs[@]}"; do
  ms=$(calc "$(median <"$scratch/$program") * 1000 / $runs" 2)
  row "$program --version" "$ms" "ms, $(calc "$ms / $jq_ms" 1) times jq"
done

heading "Sizes, stripped"
for program in "${programs[@]}"; do
  strip -o "$scratch/stripped" "$(command -v "$program")"
  row "$program" "$(($(stat -c %s "$scratch/stripped") / 1024))" KiB
done
