# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The lab as a whole: up, down, status, inventory, and a place to stand in it.

cluster_up() {
  local hosts=3 sizes='' agents=no i size
  while [ $# -gt 0 ]; do
    case $1 in
      --hosts | --sizes) [ $# -ge 2 ] || usage_error "$1 needs a value"; if [ "$1" = --hosts ]; then hosts=$2; else sizes=$2; fi; shift 2 ;;
      --agents) agents=yes; shift ;;
      *) usage_error "up: no such option: $1" ;;
    esac
  done
  [[ $hosts =~ ^[2-8]$ ]] || usage_error "from 2 to $MAX_HOSTS hosts, not $hosts"
  IFS=, read -r -a size <<<"$DEFAULT_SIZES"
  IFS=, read -r -a sizes <<<"$sizes"
  for i in "${!sizes[@]}"; do
    [[ ${sizes[i]} =~ ^([1-9]|[1-5][0-9]|6[0-2]):[1-9][0-9]{2,7}$ ]] || usage_error "a size is CPUS:MIB (1 to 62 CPUs, 100 MiB or more), not ${sizes[i]}"
    size[i]=${sizes[i]}
  done
  if [ -e "$STATE/up" ]; then
    say "lab \"$LAB\" is already up ($(host_names | wc -l) hosts)"
    return 0
  fi
  [ -c /dev/fuse ] || fail "/dev/fuse is missing: the hosts' storage and figures need it"
  [ -c /dev/net/tun ] || fail "/dev/net/tun is missing: the guests' network needs it"
  if living "$STATE/starting.pid"; then fail_with 5 "lab \"$LAB\" is just being started by process $PID"; fi
  prepare
  # what an interrupted or killed start has left
  cluster_remove
  cgroup_sweep
  local began
  began=$(date +%s%N)
  mkdir -p "$STATE/hosts" "$STATE/shared" "$STATE/vms"
  trap 'trap - INT TERM EXIT; say interrupted; cluster_remove; exit 130' INT
  trap 'trap - INT TERM EXIT; cluster_remove; exit 143' TERM
  trap 'trap - INT TERM EXIT; cluster_remove' EXIT
  record_process "$STATE/starting.pid" $$
  # before there is any group of that name: whoever cleans up after us must find it
  od -An -N6 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/token"
  echo "$GUEST_IMAGE" >"$STATE/guest-image"
  (umask 077 && od -An -N8 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/bmc-password")
  if [ "$agents" = yes ]; then
    (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/heartbeat.key")
    mkdir "$STATE/shared/.beats"
  fi
  switch_up
  local -a starting=()
  for ((i = 1; i <= hosts; i++)); do
    host_files "h$i" "${size[i - 1]%%:*}" "${size[i - 1]#*:}"
    # in the lab's group: if we are killed, these are found and do not go on alone
    (cgroup_enter infra && bmc_up "h$i" && host_boot "h$i") &
    starting+=($!)
  done
  for i in "${starting[@]}"; do wait "$i" || fail "lab \"$LAB\" did not start"; done
  cluster_inventory >"$STATE/inventory.jsonl"
  rm -f "$STATE/starting.pid"
  touch "$STATE/up"
  trap - INT TERM EXIT
  say "lab \"$LAB\" is up: $hosts hosts in $((($(date +%s%N) - began) / 1000000)) ms; ends with: lab down"
}

# Ends whatever there is of the lab and removes every trace, from any state it may be in.
cluster_remove() {
  disown -a # what we kill here is no news
  if living "$STATE/starting.pid" && [ "$PID" != $$ ]; then kill -KILL "$PID" 2>/dev/null || true; fi
  if [ -s "$STATE/token" ]; then
    cgroup_kill || fail "lab \"$LAB\": processes that cannot be killed: $(cgroup_processes | tr '\n' ' ')"
    cgroup_remove || say "control groups left: $CGROUPS/*/$(cgroup_name)"
  fi
  rm -rf --one-file-system "$STATE"
  rmdir "$BASE" 2>/dev/null || true
}

cluster_down() {
  [ $# = 0 ] || usage_error "down takes no argument: $1"
  [ -d "$STATE" ] || { say "lab \"$LAB\" is not up"; return 0; }
  cluster_remove
}

cluster_inventory() {
  local h now
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  for h in $(host_names); do
    printf '{"kind":"host","time":"%s","tool":"lab","host":"%s","uri":"%s","bmc":"ipmi://%s.%d","shared_storage":["%s"]}\n' \
      "$now" "$h" "$(host_uri "$h")" "$BMC_NET" $((10 + ${h#h})) "$IMAGES"
  done
  array_inventory
}

cluster_status() {
  [ $# = 0 ] || usage_error "status takes no argument: $1"
  need_lab
  build_helpers
  local h d power link storage bmc cpus mib
  read_links
  {
    echo "HOST ADDRESS POWER LINK STORAGE BMC CPUS MEMORY_MIB VMS"
    for h in $(host_names); do
      d=$STATE/hosts/$h
      { read -r cpus; read -r mib; } <"$d/size"
      power=off link=- storage=-
      if living "$d/init.pid"; then
        power=on
        cgroup_frozen "$h" && power=frozen
        [ -e "$d/libvirtd-frozen" ] && [ $power = on ] && power=on,libvirtd-frozen
        link=$(link_state "$h.lan")
        storage=up
        [ -e "$d/storage-cut" ] && storage="cut"
      elif living "$d/booting.pid"; then
        power=booting
      fi
      bmc=$(<"$d/bmc/mode")
      [ "$(link_state "$h.bmc")" = up ] || bmc="cut"
      living "$d/bmc/pid" || bmc=dead
      echo "$h $(host_address "$h") $power $link $storage $bmc $cpus $mib $(running_guests "$h" | sort | paste -sd, | sed 's/^$/-/')"
    done
  } | column -t
}

cluster_environment() {
  export PATH=$REPO/build/bin:$BUILD/bin:$LAB_HOME:$PATH
  export RACKLINE_LAB=$LAB RACKLINE_LAB_DIR=$BASE
  export RACKLINE_INVENTORY=$STATE/inventory.jsonl RACKLINE_STORE=sqlite:$STATE/state.db
  export RACKLINE_HEARTBEAT_KEY_FILE=$STATE/heartbeat.key LAB_SLOTS=$STATE/shared/.beats
  export RACKLINE_BMC_USER=admin RACKLINE_BMC_PASSWORD_FILE=$STATE/bmc-password
}

cluster_exec() {
  local host=''
  while [ $# -gt 0 ]; do
    case $1 in
      --host) [ $# -ge 2 ] || usage_error "--host needs a host"; host=$2; shift 2 ;;
      --) shift; break ;;
      -*) usage_error "exec: no such option: $1" ;;
      *) break ;;
    esac
  done
  [ $# -gt 0 ] || usage_error "exec: which command?"
  need_lab
  cluster_environment
  if [ -n "$host" ]; then
    host_number "$host"
    in_host "$host" "$@"
  else
    living "$STATE/switch.pid" || fail_with 3 "the switch of lab \"$LAB\" is not running"
    exec nsenter -t "$PID" -n -- "$@"
  fi
}

cluster_shell() {
  cluster_exec "$@" -- env "PS1=lab $LAB \\w\\$ " bash --norc -i
}
