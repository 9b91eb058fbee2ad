#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# audit append beside tee and logger, verify beside sha256sum, and what it costs a pipeline.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

count=${1:-1000000}
some=$((count / 10))
records=$scratch/records.jsonl
awk -v count="$count" 'BEGIN {
  for (i = 0; i < count; i++)
    printf "{\"kind\":\"vm_moved\",\"time\":\"2026-11-22T12:%02d:%02dZ\",\"tool\":\"migrate\",\"id\":\"%016x\",\"cause\":\"inc%06d\",\"vm\":\"db%04d\",\"from\":\"h%02d\",\"to\":\"h%02d\",\"outcome\":\"done\",\"live\":true,\"stage\":1,\"elapsed_ms\":%d,\"downtime_ms\":%d}\n", (i / 60) % 60, i % 60, i, i / 7, i % 5000, i % 20, (i + 3) % 20, 4000 + i % 999, i % 80
}' >"$records"
head -n "$some" "$records" >"$scratch/some.jsonl"
fresh() { rm -f "$scratch"/trail* "$scratch/copy"; }

# Equal durability: all of it is on the disk when the command ends.
ours() { fresh && audit append --file "$scratch/trail" <"$1" >/dev/null; }
with_tee() { fresh && tee "$scratch/copy" <"$1" >/dev/null && sync "$scratch/copy"; }
with_logger() { fresh && logger --socket-errors=off --no-act --stderr --file "$1" 2>"$scratch/copy" && sync "$scratch/copy"; }

heading "Keeping $some records ($(stat -c %s "$scratch/some.jsonl") bytes), on the disk at the end; medians of 5"
declare -A took
for _ in 1 2 3 4 5; do
  for what in ours with_tee with_logger; do
    seconds "$what" "$scratch/some.jsonl" >>"$scratch/$what" && echo >>"$scratch/$what"
  done
done
for what in ours with_tee with_logger; do took[$what]=$(median <"$scratch/$what"); done
row "audit append: checked, hashed, chained" "$(calc "$some / ${took[ours]}" 0)" records/s
row "tee, sync" "$(calc "$some / ${took[with_tee]}" 0)" records/s
row "logger: written as syslog lines to a file, sync" "$(calc "$some / ${took[with_logger]}" 0)" records/s
row "ratio, audit : logger" "$(calc "${took[with_logger]} / ${took[ours]}" 2)"
row "ratio, audit : tee (which checks and hashes nothing)" "$(calc "${took[with_tee]} / ${took[ours]}" 3)"

if [ -S /run/systemd/journal/socket ]; then
  : >"$scratch/journal"
  for _ in 1 2 3; do
    seconds bash -c "systemd-cat <'$scratch/some.jsonl' && journalctl --sync" >>"$scratch/journal" && echo >>"$scratch/journal"
  done
  row "systemd-cat, journalctl --sync" "$(calc "$some / $(median <"$scratch/journal")" 0)" records/s
else
  row "journald does not run here" "-"
fi

# Each record on the disk before the next is sent: what both of them pay for.
each=200
head -n "$each" "$records" >"$scratch/each.jsonl"
one_by_one() { # COMMAND: sends a record, waits until it has come out
  local line pid
  rm -f "$scratch/to" "$scratch/from" && mkfifo "$scratch/to" "$scratch/from"
  "$@" <"$scratch/to" >"$scratch/from" &
  pid=$!
  exec 8>"$scratch/to" 9<"$scratch/from"
  while read -r line; do
    echo "$line" >&8
    read -r line <&9
  done <"$scratch/each.jsonl"
  exec 8>&- 9<&-
  wait "$pid" || true
}
heading "One record at a time, $each of them: how long until it has passed"
for what in "cat" "audit append --file $scratch/trail" "audit append --file $scratch/trail --durable before"; do
  fresh
  # shellcheck disable=SC2086 # words
  took[$what]=$(seconds one_by_one $what)
  row "${what//$scratch\//}" "$(calc "${took[$what]} / $each * 1e6" 0)" "us for each"
done

heading "Verifying $count records, one core; medians of 5"
fresh
audit append --file "$scratch/trail" <"$records" >/dev/null
row "size of the trail" "$(calc "$(stat -c %s "$scratch/trail") / 1048576" 0)" MiB
: >"$scratch/ours" && : >"$scratch/peer"
for _ in 1 2 3 4 5; do
  seconds audit verify --file "$scratch/trail" >>"$scratch/ours" && echo >>"$scratch/ours"
  seconds sha256sum "$scratch/trail" >>"$scratch/peer" && echo >>"$scratch/peer"
done
ours=$(median <"$scratch/ours")
peer=$(median <"$scratch/peer")
row "audit verify" "$ours" s
row "sha256sum" "$peer" s
row "ratio, audit : sha256sum (target at most 3)" "$(calc "$ours / $peer" 2)"
row "memory, audit verify" "$(peak_mib audit verify --file "$scratch/trail")" MiB
audit verify --file "$scratch/trail" >/dev/null

heading "In a live pipeline: 20 records a second through it, until the actor has each"
delay() { # COMMAND...: median and worst of 100, in microseconds
  fresh
  for ((i = 0; i < 100; i++)); do
    echo "{\"kind\":\"x\",\"sent\":${EPOCHREALTIME/./}}"
    sleep 0.05
  done | "$@" | while read -r line; do
    line=${line##*:}
    echo $((${EPOCHREALTIME/./} - ${line%\}}))
  done
}
for what in "cat" "audit append --file $scratch/trail" "audit append --file $scratch/trail --durable before"; do
  # shellcheck disable=SC2086
  delay $what >"$scratch/delays"
  row "${what//$scratch\//}" "$(median <"$scratch/delays")" "us, worst $(maximum <"$scratch/delays") us"
done
