#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nights on the practice cluster: four hosts, eight protected virtual servers, and what is drawn from a seed happens to
# them: hosts die, hang, are cut off, the site loses its power, the storage pauses, the watcher is away, BMCs are deaf,
# guests die, locks outlive their hosts. Meanwhile no server may run twice; afterwards each runs exactly once, sound as
# its guest itself says, or a person was called who was told its name or its host's.
# "bench/nights.sh 3 7" runs three nights, drawn from the seeds 7, 8 and 9.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

nights=${1:-3}
seed=${2:-1}
lasts=${NIGHT_SECONDS:-200}
export RACKLINE_LAB=bench-nights-$$ RACKLINE_LAB_DIR=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}
state=$RACKLINE_LAB_DIR/$RACKLINE_LAB
vms=(vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8)
hosts=(h1 h2 h3 h4)
pipeline='' counter=''
end_pipeline() { [ -z "$pipeline" ] || kill -- "-$pipeline" 2>/dev/null || true; }
end_counter() { [ -z "$counter" ] || kill "$counter" 2>/dev/null || true; }
at_exit+=(end_counter end_pipeline "lab/lab down")
lab() { lab/lab "$@"; }
on_cluster() { lab exec -- "$@"; }
pick() { echo $(($1 + RANDOM % ($2 - $1 + 1))); }
any_host() { echo "${hosts[RANDOM % 4]}"; }

begin() {
  # shellcheck disable=SC2016 # known there
  setsid lab/lab exec -- bash -c 'heartbeat watch --slots "$LAB_SLOTS" | fence --loop-window 1s | failover' >>"$scratch/records" 2>>"$scratch/err" </dev/null &
  pipeline=$!
}
end() {
  end_pipeline
  wait "$pipeline" 2>/dev/null || true
  pipeline=''
}

# Each QEMU process with its guest and host, whatever any libvirtd says: the hosts are processes of this machine.
copies() {
  local pid guest host
  for pid in $(pgrep -f 'guest=vm[0-9],'); do
    host=$(grep -o "/$RACKLINE_LAB/hosts/h[0-9]" "/proc/$pid/mountinfo" 2>/dev/null | head -1) || continue
    guest=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -o 'guest=vm[0-9]' | head -1) || continue
    echo "${guest#guest=} ${host##*/}"
  done
}
# Told by two looks one after the other: QEMU opens a locked disk before it gives up.
count_copies() {
  local before='' now
  while :; do
    now=$(copies | sort -u | cut -d' ' -f1 | uniq -d)
    comm -12 <(echo "$before") <(echo "$now") | grep . | sed "s/^/$SECONDS /" >>"$scratch/twice" || true
    before=$now
    sleep 0.7
  done
}
place_of() { copies | awk -v vm="$1" '$1 == vm {print $2}'; }

tell() { echo "$((SECONDS - dusk)) $*" | tee -a "$scratch/story" | sed 's/^/    /'; }
# What ends by itself; the host may be off by then.
later() { # SECONDS COMMAND...
  local after=$1
  shift
  (sleep "$after" && "$@" >/dev/null 2>&1) &
  ending+=($!)
}
die() { # HOST
  lab cut "$1" 2>/dev/null || true
  lab kill "$1" 2>/dev/null || true
}

happen() {
  local host seconds vm
  host=$(any_host)
  case $(pick 1 11) in
    1) tell "$host dies" && die "$host" ;;
    2)
      vm=vm$(pick 1 4)
      host=$(place_of "$vm" | head -1)
      [ -n "$host" ] || return 0
      seconds=$(pick 15 40)
      tell "$host dies, and the lock of $vm outlives it by $seconds s"
      die "$host"
      sleep 0.3
      timeout "$seconds" qemu-io -f raw -c "sleep 60000" "$state/shared/$vm.img" >/dev/null 2>&1 &
      ending+=($!)
      ;;
    3) tell "$host hangs for ever" && lab freeze "$host" 2>/dev/null ;;
    4) seconds=$(pick 1 15) && tell "$host stands still for $seconds s" && lab freeze "$host" 2>/dev/null && later "$seconds" lab thaw "$host" ;;
    5) seconds=$(pick 5 40) && tell "$host is cut off for $seconds s" && lab cut "$host" 2>/dev/null && later "$seconds" lab heal "$host" ;;
    6)
      seconds=$(pick 5 40)
      tell "the storage pauses for $seconds s"
      for host in "${hosts[@]}"; do
        lab cut --storage "$host" 2>/dev/null && later "$seconds" lab heal --storage "$host"
      done
      ;;
    7)
      seconds=$(pick 5 20)
      tell "the site loses its power for $seconds s"
      for host in "${hosts[@]}"; do die "$host"; done
      sleep "$seconds"
      for host in "${hosts[@]}"; do
        # What a fence has switched off stays off when the current is back.
        on_cluster rackline hosts -o json | jq -e --arg host "$host" 'select(.host==$host and .state=="fenced")' >/dev/null && continue
        lab boot "$host" >/dev/null 2>&1 || true
        lab heal "$host" 2>/dev/null || true
      done
      ;;
    8) seconds=$(pick 10 40) && tell "the watcher is away for $seconds s" && end && sleep "$seconds" && begin ;;
    9) seconds=$(pick 10 60) && tell "the BMC of $host is deaf for $seconds s" && lab bmc "$host" deaf && later "$seconds" lab bmc "$host" ok ;;
    10) seconds=$(pick 5 30) && tell "libvirtd of $host hangs for $seconds s" && lab freeze --libvirtd "$host" 2>/dev/null && later "$seconds" lab thaw --libvirtd "$host" ;;
    11)
      vm=vm$(pick 1 8)
      tell "$vm dies" && kill_guest "$vm"
      ;;
  esac
  return 0
}
kill_guest() { # VM: those of this lab alone
  local pid
  for pid in $(pgrep -f "guest=$1,"); do
    ! grep -q "/$RACKLINE_LAB/hosts/" "/proc/$pid/mountinfo" 2>/dev/null || kill -KILL "$pid"
  done
}

heal() {
  local host
  wait "${ending[@]}" 2>/dev/null || true
  for host in "${hosts[@]}"; do
    lab bmc "$host" ok
    lab heal "$host" 2>/dev/null || true
    lab heal --storage "$host" 2>/dev/null || true
    lab thaw --libvirtd "$host" 2>/dev/null || true
  done
}
each_once() { [ "$(copies | sort | cut -d' ' -f1 | uniq -u | wc -l)" = ${#vms[@]} ]; }

# The sentence for one that does not run exactly once: it names the server, or the host that it was on.
called_for() { # VM
  local host
  host=$(on_cluster failover list -o json | jq -r --arg vm "$1" 'select(.vm==$vm).host')
  grep -E "^[a-z]+: .*(\b$1\b|\b$host\b).*(person|not restarted|NOT fenced|does not answer|shows life|silent)" "$scratch/err" | tail -1
}

night() { # SEED
  RANDOM=$1
  : >"$scratch/records" && : >"$scratch/err" && : >"$scratch/twice" && : >"$scratch/story"
  ending=()
  lab up --hosts 4 --agents >/dev/null 2>&1
  local i vm
  for i in 1 2 3 4 5 6 7 8; do
    local disk=file
    ((i <= 4)) || disk=nbd
    lab vm create "vm$i" --host "h$(((i - 1) % 4 + 1))" --disk $disk >/dev/null
  done
  lab vm wait "${vms[@]}" --timeout 240 >/dev/null
  on_cluster capwatch --window 0 --timeout 60s >/dev/null
  on_cluster failover protect "${vms[@]}" -q >/dev/null
  count_copies &
  counter=$!
  begin
  for ((i = 0; i < 200; i++)); do
    [ "$(grep -c snapshot "$scratch/records")" -lt 4 ] || break
    sleep 0.3
  done
  dusk=$SECONDS
  while ((SECONDS - dusk < lasts)); do
    happen || true # it is off, or frozen already
    sleep "$(pick 10 45)"
  done
  tell "the night is over"
  heal
  local dawn=$SECONDS well=0
  while ((SECONDS - dawn < 150 && well < 3)); do
    if each_once; then well=$((well + 1)); else well=0; fi
    sleep 3
  done
  local sound=0 called=0 wrong=0
  for vm in "${vms[@]}"; do
    if [ "$(place_of "$vm" | wc -l)" = 1 ] && lab vm wait "$vm" --timeout 60 >/dev/null 2>&1 && lab vm verify "$vm" >"$scratch/verify"; then
      sound=$((sound + 1))
    elif [ "$(place_of "$vm" | wc -l)" -le 1 ] && called_for "$vm" >"$scratch/call"; then
      called=$((called + 1))
      echo "    $vm: a person: $(cut -c1-160 "$scratch/call")"
    else
      wrong=$((wrong + 1))
      echo "    $vm: WRONG: runs on [$(place_of "$vm" | paste -sd' ')]: $(cat "$scratch/verify" 2>/dev/null)"
    fi
  done
  end_counter
  end
  local twice
  twice=$(cut -d' ' -f2 "$scratch/twice" | sort -u | paste -sd' ')
  row "night $1: sound exactly once / a person called / wrong" "$sound / $called / $wrong" "(ran twice: ${twice:-none}; $(grep -c '"kind":"host_fenced"' "$scratch/records") fenced, $(grep -c '"kind":"vm_restarted"' "$scratch/records") restarts)"
  if [ $wrong != 0 ] || [ -n "$twice" ]; then
    bad=$((bad + 1))
    mkdir -p "${NIGHT_KEEP:-$scratch/kept}" && cp "$scratch"/{records,err,story,twice} "${NIGHT_KEEP:-$scratch/kept}"
  fi
  lab down >/dev/null 2>&1
}

heading "Nights of four hosts and eight servers: $nights"
bad=0 dusk=0
for ((n = 0; n < nights; n++)); do night $((seed + n)); done
row "nights with a fault" "$bad" ""
[ $bad = 0 ]
