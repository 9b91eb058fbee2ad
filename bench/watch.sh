#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# heartbeat watch with 10,000 simulated hosts at one beat a second, in a network of its own; then, on the practice
# cluster with 8 hosts, how soon a host that is cut off is found: heartbeat watch beside corosync, both as they come.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

hosts=${1:-10000}
rounds=${2:-5}

heading "heartbeat watch, $hosts hosts, one beat a second each (target under 15 % of a core and 100 MB)"
heartbeat key "$scratch/key"
for ((i = 0; i < hosts; i++)); do
  # Addresses from which no answer comes, as from a host that is dead.
  echo "{\"kind\":\"host\",\"host\":\"sim$i\",\"uri\":\"qemu+tcp://10.99.$((i / 250)).$((i % 250 + 1))/system\"}"
done >"$scratch/inventory"
# shellcheck disable=SC2016 # read there
unshare --net -- bash -c '
  ip link set lo up
  ip link add v0 type veth peer name v1
  ip address add 10.99.255.254/16 dev v0
  ip link set v0 arp off up && ip link set v1 up
  scratch=$1
  mkfifo "$scratch/fifo"
  heartbeat watch --key-file "$scratch/key" --inventory "$scratch/inventory" --store "sqlite:$scratch/state" -o json \
    >"$scratch/fifo" 2>"$scratch/watch.err" &
  watcher=$!
  "${RACKLINE_BUILD:-build}/bench/beats" --hosts "$2" --deaths 200 --seconds 60 --key-file "$scratch/key" <"$scratch/fifo" >"$scratch/beats" &
  beats=$!
  cpu() { awk "{print (\$14 + \$15) / 100}" "/proc/$watcher/stat"; }
  sleep 5 # the snapshot
  from=$(cpu) since=$EPOCHREALTIME
  sleep 58
  awk "BEGIN {printf \"%.1f\n\", 100 * ($(cpu) - $from) / ($EPOCHREALTIME - $since)}" >"$scratch/percent"
  awk "/^VmHWM/ {printf \"%.1f\n\", \$2 / 1024}" "/proc/$watcher/status" >"$scratch/mib"
  wait $beats || true
  kill $watcher
  wait $watcher || true
' watch "$scratch" "$hosts"
row "CPU" "$(cat "$scratch/percent")" "% of a core"
row "memory, peak" "$(cat "$scratch/mib")" MiB
row "deaths, detected, false" "$(awk '{print $2 ", " $4 ", " $6}' "$scratch/beats")" ""
row "detection from the moment of death, p50" "$(awk '{print $8}' "$scratch/beats")" ms
row "p99" "$(awk '{print $10}' "$scratch/beats")" ms

command -v corosync >/dev/null || { echo "corosync is not installed: apt-get install corosync" >&2 && exit 1; }
heading "A host of 8 is cut off, $rounds rounds: from the cut to the verdict"
export RACKLINE_LAB=bench-watch-$$
watcher=''
members=()
end_all() {
  local pid
  for pid in $watcher "${members[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
}
at_exit+=(end_all "lab/lab down")
lab() { lab/lab "$@"; }
lab up --hosts 8 --agents >/dev/null 2>&1
lab exec -- capwatch --window 0 --timeout 60s >/dev/null
# One ring of eight with Debian's own settings, a token of 3 s and what it adds for each host; nothing encrypted.
corosync_conf() { # HOST
  local i
  printf 'system {\n state_dir: %s/corosync-%s\n}\n' "$scratch" "$1"
  printf 'totem {\n version: 2\n cluster_name: bench\n transport: udpu\n}\nlogging {\n to_logfile: yes\n to_syslog: no\n timestamp: hires\n logfile: %s/corosync-%s.log\n}\nquorum {\n provider: corosync_votequorum\n}\nnodelist {\n' "$scratch" "$1"
  for i in {1..8}; do printf ' node {\n ring0_addr: 10.77.0.1%d\n nodeid: %d\n name: h%d\n }\n' "$i" "$i" "$i"; done
  echo '}'
}
for i in {1..8}; do
  mkdir "$scratch/corosync-h$i"
  corosync_conf "h$i" >"$scratch/corosync-h$i.conf"
  setsid lab/lab exec --host "h$i" -- corosync -f -c "$scratch/corosync-h$i.conf" </dev/null >/dev/null 2>"$scratch/corosync-h$i.err" &
  members+=($!)
done
# shellcheck disable=SC2016 # known there
setsid lab/lab exec -- bash -c 'exec heartbeat watch --slots "$LAB_SLOTS"' >"$scratch/watched" 2>"$scratch/err" </dev/null &
watcher=$!
# The membership as h1 sees it last: the number of its members.
ring() { grep -aoE 'QUORUM\] Members\[[0-9]+\]' "$scratch/corosync-h1.log" 2>/dev/null | tail -1 | tr -dc 0-9; }
for ((left = 300; left > 0; left--)); do
  [ "$(ring)" = 8 ] && [ "$(grep -c host_up "$scratch/watched")" -ge 8 ] && break
  sleep 0.2
done
[ "$left" -gt 0 ] || { echo "the ring has $(ring) members" >&2 && tail -n 3 "$scratch"/corosync-h1.err >&2 && exit 1; }
for ((round = 1; round <= rounds; round++)); do
  host=h$((round % 7 + 2))
  downs=$(grep -c '"kind":"host_down"' "$scratch/watched" || true)
  sleep "0.$((RANDOM % 900 + 100))"
  cut=$EPOCHREALTIME
  lab cut "$host" && lab cut --storage "$host"
  ours='' theirs=''
  until [ -n "$ours" ] && [ -n "$theirs" ]; do
    [ -n "$ours" ] || [ "$(grep -c '"kind":"host_down"' "$scratch/watched")" = "$downs" ] || ours=$EPOCHREALTIME
    [ -n "$theirs" ] || [ "$(ring)" != 7 ] || theirs=$EPOCHREALTIME
    sleep 0.02
  done
  calc "$ours - $cut" >>"$scratch/ours" && echo >>"$scratch/ours"
  calc "$theirs - $cut" >>"$scratch/theirs" && echo >>"$scratch/theirs"
  lab heal --storage "$host" && lab heal "$host"
  until [ "$(ring)" = 8 ] && [ "$(jq -r --arg h "$host" 'select(.host==$h).kind' "$scratch/watched" | tail -1)" = host_up ]; do sleep 0.2; done
done
row "heartbeat watch, median (worst)" "$(median <"$scratch/ours")" "s ($(maximum <"$scratch/ours"))"
row "corosync, median (worst)" "$(median <"$scratch/theirs")" "s ($(maximum <"$scratch/theirs"))"
row "ratio" "$(calc "$(median <"$scratch/theirs") / $(median <"$scratch/ours")" 1)" "times as soon"
