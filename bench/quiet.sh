#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Busy virtual servers that all stand on one host, and the standing pipeline beside them: how long until every host is
# below the threshold, by how many moves, and how many more moves in the time after that (target: none). Where a
# server runs, and whether it moved away and back, is read from the hypervisors: its id there changes with each move.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

calm=${1:-600}      # seconds
threshold=${2:-50%} # two emulating CPUs drive no three hosts to the default
export RACKLINE_LAB=bench-quiet-$$
pipeline=''
end_pipeline() { [ -z "$pipeline" ] || kill -- "-$pipeline"; }
at_exit+=(end_pipeline "lab/lab down")
lab() { lab/lab "$@"; }

heading "Four busy servers on one host of three; then $calm s in which nothing should move"
lab up --sizes 2:2048,2:2048,4:3072 >/dev/null 2>&1
names=()
for i in {1..4}; do
  lab vm create "web$i" --host h1 --dirty-mb 8 >/dev/null
  names+=("web$i")
done
for i in 1 2; do
  lab vm create "db$i" --host "h$((i + 1))" --group db >/dev/null
  names+=("db$i")
done
lab vm wait "${names[@]}" --timeout 180
for i in {1..4}; do lab vm load "web$i" --cpu 30 >/dev/null; done

where() { # every running server with its host and its id there
  local host
  for host in 1 2 3; do
    lab exec -- virsh -c "qemu+tcp://10.77.0.1$host/system" list |
      awk -v host="h$host" '$3 == "running" {print $2, host, $1}'
  done | sort
}
balanced() { lab exec -- bash -c "capwatch --window 5s | capplan check --threshold $threshold" >/dev/null 2>&1; }

if balanced; then echo "the cluster is balanced from the start" >&2 && exit 1; fi
began=$EPOCHREALTIME
setsid lab/lab exec -- bash -c "capwatch --follow --interval 5s | capplan balance --threshold $threshold | migrate" \
  >"$scratch/moved" 2>"$scratch/pipeline.err" </dev/null &
pipeline=$!
# Balanced is what a look says, and what the pipeline leaves as it is for a minute.
settled() { balanced && sleep 60 && balanced && [ "$(where)" = "$1" ]; }
until settled "$(where)"; do
  [ "$(calc "$EPOCHREALTIME - $began" 0)" -lt 600 ] || { cat "$scratch/pipeline.err" >&2 && exit 1; }
done
took=$(calc "$EPOCHREALTIME - $began" 0)
moves=$(jq -s '[.[] | select(.kind == "vm_moved" and .outcome == "done")] | length' <"$scratch/moved")
where >"$scratch/then"
sleep "$calm"
where >"$scratch/now"
kill -0 "$pipeline" || { echo "the pipeline has ended" >&2 && cat "$scratch/pipeline.err" >&2 && exit 1; }
lab vm verify >"$scratch/verify" || { cat "$scratch/verify" && exit 1; }
row "until no host is above $threshold cpu, and nothing has moved for a minute" "$took" s
row "moves until then" "$moves" ""
row "servers that moved in the $calm s after" "$(join -j 1 "$scratch/then" "$scratch/now" | awk '$2 != $4 || $3 != $5' | wc -l)" "of ${#names[@]}"
