#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# False positives: nobody dies, for ten minutes, while guests keep every core busy; then for ten minutes while a fifth of
# all heartbeats is dropped on the way. The detectors' own margins are then read from the recorded arrivals: fixed
# timeouts beside phi-accrual, at equal false positives. bench/calm.sh SECONDS INTERVAL: for so long, with such beats.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

seconds_each=${1:-600}
interval=${2:-1s}
export LAB_AGENT_OPTIONS="--interval $interval"
export RACKLINE_LAB=bench-calm-$$
watcher=''
end_watcher() { [ -z "$watcher" ] || kill -- "-$watcher" 2>/dev/null || true; }
at_exit+=(end_watcher "lab/lab down")
lab() { lab/lab "$@"; }

lab up --agents >/dev/null 2>&1
names=()
for i in 1 2 3; do
  lab vm create "vm$i" --host "h$i" --cpu 100 >/dev/null
  names+=("vm$i")
done
lab vm wait "${names[@]}" --timeout 180 >/dev/null

watch_for() { # NAME SECONDS
  # shellcheck disable=SC2016 # known there
  setsid lab/lab exec -- bash -c 'exec heartbeat watch --slots "$LAB_SLOTS" --interval "$2" --record "$1"' watch "$scratch/$1.trace" "$interval" >"$scratch/$1" 2>"$scratch/$1.err" </dev/null &
  watcher=$!
  until [ "$(grep -c snapshot "$scratch/$1")" -ge 3 ]; do sleep 0.2; done
  local idle
  idle=$(awk '/^cpu / {print $5}' /proc/stat)
  sleep "$2"
  row "cores idle meanwhile" "$(calc "($(awk '/^cpu / {print $5}' /proc/stat) - $idle) / $2 / $(nproc)" 1)" "%"
  end_watcher
  wait "$watcher" 2>/dev/null || true
  watcher=''
  row "host_down" "$(grep -c '"kind":"host_down"' "$scratch/$1" || true)" "(target 0)"
  row "suspicions, which do nothing" "$(grep -v snapshot "$scratch/$1" | grep -c '"kind":"host_suspect"' || true)" ""
}
heading "Nobody dies for $seconds_each s, beats every $interval, every core busy with guests"
watch_for busy "$seconds_each"
heading "Nobody dies for $seconds_each s, beats every $interval, 20 % of all heartbeats dropped"
lab exec -- nft -f - <<'NFT'
table inet drops {
  chain in {
    type filter hook input priority 0
    udp dport 7788 numgen random mod 5 == 0 drop
  }
}
NFT
watch_for lossy "$seconds_each"
lab exec -- nft delete table inet drops

timeouts=500,600,700,800,900,1000,1100,1200,1500,2000,2500,3000,3500,4000,4500,5000,6000,7000
phis=0.5,1,2,3,5,8,12,16,20,24,32,40,48,64
for trace in busy lossy; do
  heading "Detectors on the arrivals recorded when $trace: each host dies after its last beat"
  # The last moments of the watching are the deaths.
  jq -c 'select(.kind=="heartbeat_seen")' "$scratch/$trace.trace" >"$scratch/seen"
  jq -sc 'group_by(.host)[] | {kind:"host_died",time:.[-1].time,tool:"bench",host:.[0].host,at_ms:(.[-1].at_ms+1)}' "$scratch/seen" >"$scratch/died"
  cat "$scratch/seen" "$scratch/died" >"$scratch/replay"
  echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"bench","outcome":"ok"}' >>"$scratch/replay"
  heartbeat replay --interval "$interval" --timeouts "$timeouts" --phis "$phis" -o json "$scratch/replay" >"$scratch/scores"
  for detector in fixed phi; do
    # For each level of false positives an hour and host, the soonest detection that keeps it.
    for level in 0 1 10; do
      best=$(jq -sr --arg d $detector --argjson level $level \
        '[.[] | select(.kind=="detector_score" and .detector==$d and .false_positives_per_host_hour<=$level)] | min_by(.detection_ms) |
         if . == null then "none" else "\(.detection_ms|round) \(.parameter)" end' "$scratch/scores")
      row "$detector, at most $level false an hour and host" "${best% *}" "ms (parameter ${best#* })"
    done
  done
done
