#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From the death of a host with 4 virtual servers to the last one's own answer from elsewhere, at default settings, split
# into detection, fencing, and restart until each answers. What the guests need for their boot alone is measured in the
# same run: a machine without KVM boots them slowly, and that is no time of ours. "./run bench failover" does 5 rounds;
# bench/failover.sh 20 more; bench/failover.sh 20 250ms with faster heartbeats.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

rounds=${1:-5}
interval=${2:-1s}
export LAB_AGENT_OPTIONS="--interval $interval"
export RACKLINE_LAB=bench-failover-$$
healer=''
end_healer() { [ -z "$healer" ] || kill -- "-$healer" 2>/dev/null || true; }
at_exit+=(end_healer "lab/lab down")
lab() { lab/lab "$@"; }
on_cluster() { lab exec -- "$@"; }

heading "A host of 4 virtual servers dies, $rounds rounds (published for the best documented light HA stack: about 120 s)"
lab up --agents >/dev/null 2>&1
names=(vm1 vm2 vm3 vm4)
for vm in "${names[@]}"; do lab vm create "$vm" --host h1 >/dev/null; done
lab vm wait "${names[@]}" --timeout 180 >/dev/null
on_cluster capwatch --window 0 --timeout 60s >/dev/null
on_cluster failover protect "${names[@]}" -q >/dev/null

# Power fails at one instant, and that is told. What lab kill does takes its time: it tidies up what is left.
# shellcheck disable=SC2016 # known there
fail_power() { # HOST
  local init
  read -r init _ <"${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}/$RACKLINE_LAB/hosts/$1/init.pid"
  on_cluster bash -c 'for port in lan guest store; do ip link set "$1.$port" down; done; kill -KILL "$2"; echo "$EPOCHREALTIME"' _ "$1" "$init"
  lab kill "$1"
}

# How long the four take to boot on one host when nothing else is to be done.
boot() {
  local uri vm began
  uri=$(lab inventory | jq -r 'select(.host == "h1") | .uri')
  for vm in "${names[@]}"; do on_cluster virsh -q -c "$uri" destroy "$vm" >/dev/null; done
  began=$EPOCHREALTIME
  for vm in "${names[@]}"; do on_cluster virsh -q -c "$uri" start "$vm" >/dev/null & done
  wait
  for vm in "${names[@]}"; do lab vm wait "$vm" --timeout 90 >/dev/null; done
  calc "$EPOCHREALTIME - $began" >>"$scratch/boot" && echo >>"$scratch/boot"
}
for _ in 1 2 3 4 5; do boot; done

# The same host dies again and again, which is what fence refuses after the third time: not here.
# Stamps each line with the time at which it came out of the pipeline's end.
stamped() { while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done; }
when() { # PATTERN: the time of the last such line
  grep -F "$1" "$scratch/healed" | tail -1 | cut -d' ' -f1
}
export -f stamped
host=h1
for ((round = 1; round <= rounds; round++)); do
  : >"$scratch/healed"
  # shellcheck disable=SC2016 # known there
  setsid lab/lab exec -- bash -c 'heartbeat watch --slots "$LAB_SLOTS" --interval "$1" | fence --loop-window 1s | failover | stamped' heal "$interval" >"$scratch/healed" 2>"$scratch/err" </dev/null &
  healer=$!
  until [ "$(grep -c snapshot "$scratch/healed")" -ge 3 ]; do sleep 0.2; done
  sleep 2
  died=$(fail_power $host)
  for vm in "${names[@]}"; do lab vm wait "$vm" --timeout 90 >/dev/null; done
  until [ "$(grep -c vm_restarted "$scratch/healed")" -ge 4 ]; do sleep 0.05; done
  answered=$EPOCHREALTIME
  down=$(when '"kind":"host_down"')
  fenced=$(when '"kind":"host_fenced"')
  calc "$down - $died" >>"$scratch/detect" && echo >>"$scratch/detect"
  calc "$fenced - $down" >>"$scratch/fence" && echo >>"$scratch/fence"
  calc "$answered - $fenced" >>"$scratch/restart" && echo >>"$scratch/restart"
  calc "$answered - $died" >>"$scratch/all" && echo >>"$scratch/all"
  calc "$answered - $died - $(median <"$scratch/boot")" >>"$scratch/ours" && echo >>"$scratch/ours"
  end_healer
  wait "$healer" 2>/dev/null || true
  healer=''
  # Back again, all on one host that is not the one that takes them next.
  on_cluster fence unfence $host >/dev/null
  lab boot $host >/dev/null 2>&1
  lab heal $host
  on_cluster capwatch --window 0 --timeout 60s >/dev/null
  on_cluster failover clear $host >/dev/null
  # What its watcher said of it stands for a minute, as the watcher has ended.
  until on_cluster rackline hosts -o json | jq -se --arg host $host 'any(.[]; .host == $host and .state == "serving")' >/dev/null; do sleep 1; done
  for from in h1 h2 h3; do
    [ $from = $host ] || on_cluster bash -c "capwatch --window 0 | jq -c --arg from $from --arg to $host 'select(.kind==\"vm_sample\" and .host==\$from and .state==\"running\") | {kind:\"vm_move\",time,tool:\"bench\",id:(.vm+\"-$round-$from\"),vm,from:\$from,to:\$to,stage:1,reason:\"back\"}' | { cat; echo '{\"kind\":\"end\",\"time\":\"2026-11-22T12:00:00Z\",\"tool\":\"bench\",\"outcome\":\"ok\"}'; } | migrate" >"$scratch/back"
  done
  on_cluster failover refresh -q >/dev/null
done
lab vm verify "${names[@]}" >"$scratch/verify" || { cat "$scratch/verify" && exit 1; }
row "the boot of the four alone: median" "$(median <"$scratch/boot")" "s (5 rounds)"
row "all but that: median" "$(median <"$scratch/ours")" "s (worst $(maximum <"$scratch/ours"); target 4.5)"
for part in detect fence restart all; do
  row "$part: median" "$(median <"$scratch/$part")" "s (worst $(maximum <"$scratch/$part"))"
done
