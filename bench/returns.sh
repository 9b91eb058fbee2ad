#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hosts that fall silent and come back at random, against fence methods with delays and slow BMCs: no host is told to
# switch off more than once after its life was seen, each that stays down is fenced, and no other one is.
# "bench/returns.sh 20 7" runs 20 schedules, drawn from seed 7, three at a time on seven hosts.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

schedules=${1:-20}
RANDOM=${2:-1}
export RACKLINE_LAB=bench-returns-$$
pipeline=''
end_pipeline() { [ -z "$pipeline" ] || kill -- "-$pipeline" 2>/dev/null || true; }
at_exit+=(end_pipeline "lab/lab down")
lab() { lab/lab "$@"; }
on_cluster() { lab exec -- "$@"; }
pick() { echo $(($1 + RANDOM % ($2 - $1 + 1))); }

# Each command to a BMC with its time, and a BMC that takes as many seconds as its file says.
ipmitool() {
  cat >"$scratch/ipmitool" <<END
#!/bin/bash
for ((i = 1; i < \$#; i++)); do
  j=\$((i + 1))
  [ "\${!i}" = -H ] && address=\${!j}
done
case " \$* " in *" power off "*) echo "\$EPOCHREALTIME h\$((\${address##*.} - 10))" >>"$scratch/offs" ;; esac
sleep "\$(cat "$scratch/slow.h\$((\${address##*.} - 10))" 2>/dev/null || echo 0)"
exec $(type -P ipmitool) "\$@"
END
  chmod 755 "$scratch/ipmitool"
}

inventory() {
  local host delays=(0 0 1500 4000 0 2500 6000) number=0
  lab inventory | grep '"host"'
  for host in "${hosts[@]}"; do
    printf '{"kind":"fence_method","time":"2026-01-01T00:00:00Z","tool":"bench","host":"%s","level":1,"agent":"fence_ipmilan","delay_ms":%d,"timeout_ms":12000,"password_file":"%s","options":["ip=10.79.0.%d","username=admin","lanplus=1","cipher=3","ipmitool_path=%s"]}\n' \
      "$host" "${delays[number++]}" "$RACKLINE_LAB_DIR/$RACKLINE_LAB/bmc-password" $((10 + ${host#h})) "$scratch/ipmitool"
  done
}

keep() { [ -z "${RETURNS_KEEP:-}" ] || { mkdir -p "$RETURNS_KEEP" && cp "$scratch"/{told,err,offs} "$RETURNS_KEEP"; }; }
# The benchmark ends, and says what the programs said, when COMMAND is not true within SECONDS.
await() { # SECONDS COMMAND...
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= until)); then
      echo "waited in vain: $*" >&2
      tail -5 "$scratch/err" >&2
      keep
      exit 1
    fi
    sleep 0.3
  done
}

# Stamps each line with the time at which it came out of the pipeline's end.
stamped() { while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done; }
export -f stamped

# From the stamped records of one host since TIME: the first of FILTER, as its stamp.
first() { # HOST TIME JQ_FILTER
  awk -v from="$2" '$1 > from' "$scratch/told" | grep -F "\"host\":\"$1\"" |
    while read -r at record; do
      jq -e "$3" <<<"$record" >/dev/null && echo "$at" && break
    done || true
}
# shellcheck disable=SC2016 # jq's own
life='.kind=="host_up" or .kind=="host_maintenance" or (.kind|IN("host_suspect","host_isolated","host_partitioned","hypervisor_down")) and (.net=="alive" or .store=="alive" or .libvirt=="answers")'

heading "Hosts that fall silent and come back: $schedules schedules"
RACKLINE_LAB_DIR=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}
export RACKLINE_LAB_DIR
lab up --hosts 7 --agents >/dev/null 2>&1
mapfile -t hosts < <(lab inventory | jq -r .host)
ipmitool
: >"$scratch/offs"
: >"$scratch/told"
inventory >"$scratch/inventory"
chmod 600 "$scratch/inventory"
# shellcheck disable=SC2016 # known there
setsid lab/lab exec -- env RACKLINE_INVENTORY="$scratch/inventory" bash -c 'heartbeat watch --slots "$LAB_SLOTS" | fence --loop-window 1s | stamped' >"$scratch/told" 2>"$scratch/err" </dev/null &
pipeline=$!
all_told() { [ "$(grep -c snapshot "$scratch/told")" -ge ${#hosts[@]} ]; }
await 60 all_told

silence() { # HOST HOW
  if [ "$2" = freeze ]; then lab freeze "$1"; else lab cut "$1" && lab cut --storage "$1"; fi
}
back() { # HOST HOW; it may have been switched off
  if [ "$2" = freeze ]; then lab thaw "$1"; else lab heal "$1" && lab heal --storage "$1"; fi
}
# One schedule: HOST HOW MILLISECONDS, 0: for ever. Writes when it was silent and when it was back.
schedule() {
  silence "$1" "$2" 2>/dev/null
  [ "$3" = 0 ] && return
  sleep "$(calc "$3 / 1000")"
  back "$1" "$2" 2>/dev/null || true
  echo "$EPOCHREALTIME" >"$scratch/back.$1"
}
is_off() { [ ! -e "$RACKLINE_LAB_DIR/$RACKLINE_LAB/hosts/$1/init.pid" ] || ! kill -0 "$(cut -d' ' -f1 "$RACKLINE_LAB_DIR/$RACKLINE_LAB/hosts/$1/init.pid")" 2>/dev/null; }

is_well() { grep -F "\"host\":\"$1\"" "$scratch/told" | grep -F '"verdict"' | tail -1 | grep -q '"verdict":"alive"'; }

# Whether what became of a host of this round is known.
is_said() { # HOST
  if is_off "$1"; then
    [ -n "$(first "$1" "$began" '.kind=="host_fenced"')" ]
  else
    [ "${time[$1]}" != 0 ] && [ -n "$(first "$1" "$(cat "$scratch/back.$1")" "$life")" ]
  fi
}

bad=0 fenced=0 withdrawn=0 commands=0 late=0 worst=0 done=0
while ((done < schedules)); do
  began=$EPOCHREALTIME
  mapfile -t chosen < <(shuf -n 3 -e "${hosts[@]}" --random-source=<(yes "$(pick 1 30000)"))
  jobs=()
  declare -A how=() time=()
  for host in "${chosen[@]}"; do
    rm -f "$scratch/back.$host"
    (($(pick 1 3) > 1)) || pick 1 4 >"$scratch/slow.$host"
    how[$host]=freeze
    (($(pick 1 2) > 1)) || how[$host]="cut"
    time[$host]=$(pick 100 20000)
    # Half of them come back about when the fence is at work.
    (($(pick 1 2) > 1)) || time[$host]=$(pick 2500 9000)
    (($(pick 1 5) > 1)) || time[$host]=0
    schedule "$host" "${how[$host]}" "${time[$host]}" &
    jobs+=($!)
  done
  wait "${jobs[@]}"
  # Until all is said, and stays so: a slow controller carries out late what it was told before the life was seen, and
  # the host that it switched off is silent once more. The slowest has a delay of 6 s, and three calls of 4 s.
  calm=0
  for ((i = 0; i < 90 && calm < 15; i++)); do
    calm=$((calm + 1))
    for host in "${chosen[@]}"; do
      is_said "$host" || calm=0
    done
    sleep 1
  done
  for host in "${chosen[@]}"; do
    done=$((done + 1))
    offs=$(awk -v from="$began" -v host="$host" '$1 > from && $2 == host' "$scratch/offs" | wc -l)
    seen='' after=0
    if [ -e "$scratch/back.$host" ]; then
      returned=$(cat "$scratch/back.$host")
      seen=$(first "$host" "$returned" "$life")
      late=$((late + $(awk -v from="$returned" -v host="$host" '$1 > from && $2 == host' "$scratch/offs" | wc -l)))
      [ -z "$seen" ] || after=$(awk -v from="$seen" -v host="$host" '$1 > from && $2 == host' "$scratch/offs" | wc -l)
    fi
    commands=$((commands + offs))
    ((after <= worst)) || worst=$after
    proof=$(first "$host" "$began" '.kind=="host_fenced" and .verified')
    [ -z "$(first "$host" "$began" '.kind=="host_not_fenced" and .outcome=="withdrawn"')" ] || withdrawn=$((withdrawn + 1))
    state=on
    is_off "$host" && state=off
    verdict=ok
    ((after <= 1)) || verdict="TOLD $after TIMES AFTER LIFE"
    [ "$state" = on ] || [ -n "$proof" ] || verdict="OFF AND NOT FENCED"
    [ "$state" = off ] || [ -z "$proof" ] || verdict="FENCED AND ON"
    [ "${time[$host]}" != 0 ] || [ "$state" = off ] || verdict="STAYS DOWN AND IS NOT OFF"
    [ "$verdict" = ok ] || bad=$((bad + 1))
    [ -z "$proof" ] || fenced=$((fenced + 1))
    printf '  %s %-6s silent %6s ms, BMC slow %s s: %d told off, %d after life was seen, is %s: %s\n' "$host" "${how[$host]}" "${time[$host]}" \
      "$(cat "$scratch/slow.$host" 2>/dev/null || echo 0)" "$offs" "$after" "$state" "$verdict"
    rm -f "$scratch/slow.$host"
    if [ "$state" = off ]; then
      on_cluster env RACKLINE_INVENTORY="$scratch/inventory" fence unfence "$host" >/dev/null 2>&1 || true
      lab boot "$host" >/dev/null 2>&1 || true
      lab heal "$host" >/dev/null 2>&1 || true
      await 60 on_cluster failover clear "$host" >>"$scratch/err" 2>&1
    else
      back "$host" "${how[$host]}" 2>/dev/null || true
    fi
  done
  # All well before the next ones.
  for host in "${chosen[@]}"; do
    await 60 is_well "$host"
  done
done
keep
row "schedules" "$done" "($bad bad)"
row "hosts fenced / withdrawn" "$fenced / $withdrawn" ""
row "commands to switch off" "$commands" "($late between the return and the first sign of life or later)"
row "most commands to one host after its life was seen" "$worst" ""
[ $bad = 0 ]
