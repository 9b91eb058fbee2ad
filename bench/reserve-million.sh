#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A ledger with a million reservations: the latency of a claim beside that on a ledger with ten, and the time and
# memory of list and check.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

count=${1:-1000000}
samples=${2:-200}

ledger() { reserve --store "sqlite:$scratch/$1.db" "${@:2}"; }

# requests COUNT: of one pool, of random beginnings within a year, from an hour to two days long.
requests() {
  awk -v count="$1" -v now="$EPOCHSECONDS" 'BEGIN {
    srand(7)
    for (i = 0; i < count; i++)
      printf "{\"kind\":\"reservation_request\",\"pool\":\"rack\",\"owner\":\"o%d\",\"amount\":\"cpu=%d,memory=%dGiB\",\"from\":\"%s\",\"duration_ms\":%d}\n",
        i % 50, 1 + i % 4, 1 + i % 16, strftime("%Y-%m-%dT%H:%M:%SZ", now + 3600 + int(rand() * 31536000), 1), 3600000 * (1 + int(rand() * 48))
  }'
}

# Milliseconds that each of so many claims took, a process each, one a line: those that are granted, or refused.
latencies() {
  local i from amount=cpu=1,memory=1GiB
  [ "$2" = granted ] || amount=cpu=90000000
  for ((i = 0; i < samples; i++)); do
    from=$EPOCHREALTIME
    ledger "$1" claim rack --owner x --amount $amount --from "+$((i + 1))h" --for 90m >"$scratch/out" 2>/dev/null || true
    calc "($EPOCHREALTIME - $from) * 1000" 2
    echo
  done | sort -g
}
percentile() { awk -v p="$1" '{v[NR] = $1} END {i = int(NR * p / 100 + 0.999999); print v[i < 1 ? 1 : i]}'; }

for name in few many; do ledger $name pool add rack --capacity cpu=99000000,memory=8000TiB >"$scratch/out"; done
requests 10 >"$scratch/few.jsonl"
requests "$count" >"$scratch/many.jsonl"
ledger few claim - <"$scratch/few.jsonl" >"$scratch/out"

heading "A ledger with $count reservations"
split -l 100000 "$scratch/many.jsonl" "$scratch/part."
: >"$scratch/times"
for part in "$scratch"/part.*; do
  seconds ledger many claim - --atomic <"$part" >>"$scratch/times"
  echo >>"$scratch/times"
  grep -q '"outcome":"ok"' <(tail -n 1 "$scratch/out")
  rm "$part"
done
taken=$(awk '{s += $1} END {print s}' "$scratch/times")
row "claims in atomic batches of 100000, all granted" "$(calc "$count / $taken" 0)" "claims/s ($taken s)"
for answer in granted refused; do
  latencies few $answer >"$scratch/few.$answer"
  latencies many $answer >"$scratch/many.$answer"
  for p in 50 99; do
    few=$(percentile $p <"$scratch/few.$answer")
    many=$(percentile $p <"$scratch/many.$answer")
    row "a claim that is $answer, p$p, process and all" "$many" "ms (with ten reservations $few ms, ratio $(calc "$many / $few" 2))"
  done
done
row "list of all" "$(seconds ledger many list)" "s"
row "list of one owner" "$(seconds ledger many list --owner o7)" "s"
row "pool list" "$(seconds ledger many pool list)" "s"
row "check: all added up anew" "$(seconds ledger many check)" "s"
grep -q '"sound":true' "$scratch/out"
row "memory of a claim" "$(peak_mib reserve --store "sqlite:$scratch/many.db" claim rack --owner x --amount cpu=1)" MiB
row "memory of list" "$(peak_mib reserve --store "sqlite:$scratch/many.db" list)" MiB
row "memory of check" "$(peak_mib reserve --store "sqlite:$scratch/many.db" check)" MiB
row "the ledger's file" "$(calc "$(stat -c %s "$scratch/many.db") / 1048576" 0)" MiB
