#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fast heartbeats of five agents in a network of its own, without hypervisors: nobody dies while every core is kept
# busy, and nobody while a fifth of the heartbeats is dropped as well; then one after the other dies, and is found. No
# libvirtd ever answers, so that nothing but heartbeats speaks for a host.
#
#     bench/beats.sh [SECONDS [INTERVAL [DEATHS]]]      180, 250ms, 20
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

seconds_each=${1:-180} interval=${2:-250ms} deaths=${3:-20}
if [ -z "${IN_A_NETWORK:-}" ]; then
  rm -rf "$scratch"
  exec env IN_A_NETWORK=yes unshare --net -- "$0" "$seconds_each" "$interval" "$deaths"
fi
ip link set lo up
ip link add v0 type veth peer name v1
ip address add 10.99.255.254/16 dev v0
ip link set v0 arp off up && ip link set v1 up

slots=$(mktemp -d "${BEATS_SLOTS:-$PWD/build}/slots.XXXXXX") # on a disk: their flushes are part of it
pids=()
end_all() {
  [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
  rm -rf "$slots"
}
at_exit+=(end_all)
heartbeat key "$scratch/key"
export RACKLINE_HEARTBEAT_KEY_FILE=$scratch/key RACKLINE_STORE=sqlite:$scratch/state RACKLINE_INVENTORY=$scratch/inventory
for i in 1 2 3 4 5; do
  echo '{"kind":"host","host":"h'$i'","uri":"qemu+tcp://10.99.0.'$i'/system"}'
done >"$RACKLINE_INVENTORY"

declare -A agents
: >"$scratch/watched"
agent() { # HOST
  [ -e "$scratch/$1.key" ] || heartbeat key --host "$1" "$scratch/$1.key"
  heartbeat beat --host "$1" --key-file "$scratch/$1.key" --watcher 127.0.0.1 --uri test:///default --interval "$interval" --slots "$slots" \
    --self-fence 0 --run-dir "$scratch" --qemu-run-dir "$scratch" >/dev/null 2>&1 &
  agents[$1]=$!
  pids+=("$!")
  disown "$!" # that it is killed is no news
}
stamped() { while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done; }
kind_of() { grep -F "\"host\":\"$1\"" "$scratch/watched" | tail -1 | grep -oE '"kind":"[a-z_]+"' || true; }
await() { # HOST KIND
  until [ "$(kind_of "$1")" = "\"kind\":\"$2\"" ]; do sleep 0.05; done
}
for i in 1 2 3 4 5; do agent h$i; done
heartbeat watch --slots "$slots" --interval "$interval" --flap-hold 1s > >(stamped >"$scratch/watched") 2>"$scratch/err" &
watcher=$!
pids+=("$watcher")
disown "$watcher"
for i in 1 2 3 4 5; do await h$i host_up; done

calm() { # WORDS
  local from idle cpu seen
  seen=$(wc -l <"$scratch/watched")
  idle=$(awk '/^cpu / {print $5}' /proc/stat)
  cpu=$(awk '{print $14 + $15}' "/proc/$watcher/stat")
  from=$EPOCHREALTIME
  sleep "$seconds_each"
  tail -n "+$((seen + 1))" "$scratch/watched" >"$scratch/said"
  heading "Nobody dies for $seconds_each s, beats every $interval, $1"
  row "cores idle meanwhile" "$(calc "($(awk '/^cpu / {print $5}' /proc/stat) - $idle) / $seconds_each / $(nproc)" 1)" "%"
  row "CPU of the watcher" "$(calc "($(awk '{print $14 + $15}' "/proc/$watcher/stat") - $cpu) / ($EPOCHREALTIME - $from)" 1)" "% of a core"
  row "host_down" "$(grep -c '"kind":"host_down"' "$scratch/said" || true)" "(target 0)"
  row "suspicions, which do nothing" "$(grep -c '"kind":"host_suspect"' "$scratch/said" || true)" ""
  row "isolated or partitioned, which nobody fences unasked" "$(grep -cE '"kind":"host_(isolated|partitioned)"' "$scratch/said" || true)" ""
}
for ((i = 0; i < 2 * $(nproc); i++)); do
  (while :; do :; done) &
  pids+=("$!")
  disown "$!"
done
hogs=("${pids[@]: -2*$(nproc)}")
calm "every core busy"
nft -f - <<'NFT'
table inet drops {
  chain in {
    type filter hook input priority 0
    udp dport 7788 numgen random mod 5 == 0 drop
  }
}
NFT
calm "every core busy, 20 % of the heartbeats dropped"
nft delete table inet drops
kill -KILL "${hogs[@]}"

for ((i = 0; i < deaths; i++)); do
  host=h$((i % 5 + 1))
  await $host host_up
  sleep "1.$((RANDOM % 900 + 100))"
  died=$EPOCHREALTIME
  kill -KILL "${agents[$host]}"
  await $host host_down
  down=$(grep -F '"kind":"host_down"' "$scratch/watched" | grep -F "\"host\":\"$host\"" | tail -1 | cut -d' ' -f1)
  calc "$down - $died" >>"$scratch/detect" && echo >>"$scratch/detect"
  agent $host
done
heading "$deaths deaths, beats every $interval"
row "from the death to host_down, median" "$(median <"$scratch/detect")" "s (worst $(maximum <"$scratch/detect"))"
