# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Storage arrays: each a tgtd in a network of its own, at 10.76.0.(30+N), with a file system of its own size, which fills
# as a real one does. The file system outlives a power failure. What is configured stands in files, since tgtd forgets it.

readonly MAX_ARRAYS=8 LUN_PREFIX=iqn.2026-11.lab

array_address() { printf '%s.%d' "$STORAGE_NET" $((30 + ${1#a})); }

array_number() { # ARRAY: sets N and D
  [[ ${1:-} =~ ^a([1-8])$ ]] || usage_error "no such array: ${1:-} (they are called a1 to a$MAX_ARRAYS)"
  N=${BASH_REMATCH[1]}
  D=$STATE/arrays/$1
}

known_array() { # ARRAY: sets N and D
  array_number "$@"
  [ -d "$D" ] || fail "lab \"$LAB\" has no array $1"
}

array_names() {
  local d
  for d in "$STATE"/arrays/a[1-8]; do
    [ -d "$d" ] && printf '%s\n' "${d##*/}"
  done
  return 0
}

tgt() { # ARRAY MODE OPERATION ARGUMENTS...
  local a=$1 mode=$2 op=$3
  shift 3
  TGT_IPC_SOCKET=$STATE/arrays/$a/control timeout 20 tgtadm -C 0 --lld iscsi --mode "$mode" --op "$op" "$@"
}

array_answers() { tgt "$1" system show >/dev/null 2>&1; }

# Where its files are, seen from here.
array_files() { # ARRAY
  living "$STATE/arrays/$1/disk.pid" || fail "$1 has lost its file system"
  printf '/proc/%s/root%s/disk' "$PID" "$STATE/arrays/$1"
}

# Of its file system, in KiB.
array_room() { # ARRAY free|used
  local files free all size
  files=$(array_files "$1")
  # df would look for the file system among our own mounts
  read -r size all free < <(stat -f -c '%S %b %a' "$files")
  [ "$2" = free ] || free=$((all - free))
  echo $((free * size / 1024))
}

array_is_on() { living "$STATE/arrays/$1/pid"; }

array_up() { # ARRAY [--size MIB]
  local a='' mib=1024
  while [ $# -gt 0 ]; do
    case $1 in
      --size) number "$@"; mib=$2; shift ;;
      -*) usage_error "array up: no such option: $1" ;;
      *) [ -z "$a" ] || usage_error "array up: one array, not two: $1"; a=$1 ;;
    esac
    shift
  done
  array_number "$a"
  command -v tgtd >/dev/null || fail "tgtd is missing: apt install tgt"
  [ -d "$D" ] || { array_make "$a" "$mib" || { array_forget "$a"; exit 1; }; }
  array_is_on "$a" || array_boot "$a"
  cluster_inventory >"$STATE/inventory.jsonl"
}

array_make() { # ARRAY MIB
  mkdir -p "$D/disk" "$D/luns"
  echo "$2" >"$D/size"
  [ -e "$STATE/chap-password" ] || (umask 077 && od -An -N12 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/chap-password")
  cgroup_create "$1"
  # shellcheck disable=SC2016 # its own
  spawn infra "$D/disk.pid" "$D/log" unshare --mount -- bash -c 'mount -t tmpfs -o "size=$1m" array "$2" && exec sleep infinity' _ "$2" "$D/disk"
  wait_until 5 mounted "$D/disk.pid" || { say "$1: no file system: $D/log"; return 1; }
}

mounted() { living "$1" && grep -q '^array ' "/proc/$PID/mounts" 2>/dev/null; }

array_boot() { # ARRAY
  local a=$1 d=$STATE/arrays/$1 disk nn lun
  living "$d/disk.pid" || fail "$a has lost its file system"
  disk=$PID
  printf -v nn %02x $((0x20 + ${a#a}))
  rm -f "$d/control.0" "$d/control.0.lock" "$d/cut" "$d/frozen"
  spawn "$a" "$d/pid" "$d/log" nsenter -t "$disk" --mount --root --wd -- unshare --net -- "$LAB_HOME/lib/array-init" "$d" "$(array_address "$a")"
  living "$d/pid" || fail "$a did not start: $d/log"
  wait_until 5 own_network "$PID" || fail "$a has no network namespace"
  living "$d/pid"
  # Nobody reaches it before all that it had is there again: to an initiator, a target that is missing is one that was deleted.
  { port_commands "$a.store" store "$PID" eth0 "52:54:00:76:00:$nn"; echo "link set $a.store down"; } | in_switch ip -batch -
  wait_until 10 array_answers "$a" || fail "$a does not answer: $d/log"
  for lun in $(luns_of "$a"); do lun_configure "$lun"; done
  set_link up "$a.store"
}

array_off() { # ARRAY: as without power, so that nobody is told
  set_link down "$1.store"
  cgroup_kill "$1" || fail "$1: processes that cannot be killed"
  rm -f "$STATE/arrays/$1/pid" "$STATE/arrays/$1/frozen"
  echo "link delete $1.store" | in_switch ip -force -batch - 2>/dev/null || true
}

array_forget() { # ARRAY
  array_off "$1"
  end_process "$STATE/arrays/$1/slow.pid"
  end_process "$STATE/arrays/$1/disk.pid"
  cgroup_remove "$1" || true
  rm -rf --one-file-system "${STATE:?}/arrays/${1:?}"
}

array_need_on() { array_is_on "$1" || fail "$1 is off"; }

# So much later is what it answers, on average: it stands still for that long again and again.
array_slow() { # ARRAY MILLISECONDS
  number "the delay of an array" "${2:-}"
  end_process "$D/slow.pid"
  array_need_on "$1"
  kill -CONT "$PID"
  [ "$2" = 0 ] || spawn infra "$D/slow.pid" "$D/log" "$LAB_HOME/lib/array-slow" "$PID" "$2"
}

# Takes the room on its file system that is left, but for MIB.
array_fill() { # ARRAY [MIB]
  number "what stays free" "${2:-0}"
  local files free
  files=$(array_files "$1")
  rm -f "$files/.fill"
  free=$(($(array_room "$1" free) - ${2:-0} * 1024))
  [ "$free" -le 0 ] || fallocate -l "${free}K" "$files/.fill"
}

# A command on the array's own machine, where its tgtd is the only one.
array_exec() { # ARRAY -- COMMAND...
  local a=$1
  shift
  [ "${1:-}" = -- ] && shift
  [ $# -gt 0 ] || usage_error "array exec $a -- COMMAND"
  array_need_on "$a"
  living "$D/disk.pid" || fail "$a has lost its file system"
  TGT_IPC_SOCKET=$D/control exec nsenter -t "$PID" --mount --root --wd -- "$@"
}

array_inventory() {
  local a now
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  for a in $(array_names); do
    printf '{"kind":"array","time":"%s","tool":"lab","array":"%s","portal":"iscsi://%s","driver":"tgt","admin":["env","RACKLINE_LAB=%s","RACKLINE_LAB_DIR=%s","%s/lab","array","exec","%s","--"]}\n' \
      "$now" "$a" "$(array_address "$a")" "$LAB" "$BASE" "$LAB_HOME" "$a"
  done
}

array_list() {
  local a state
  read_links
  {
    echo "ARRAY PORTAL POWER LINK SIZE_MIB USED_MIB LUNS"
    for a in $(array_names); do
      state=off
      if array_is_on "$a"; then
        state=on
        [ ! -e "$STATE/arrays/$a/frozen" ] || state=frozen
        if living "$STATE/arrays/$a/slow.pid"; then state=slow; fi
      fi
      echo "$a $(array_address "$a"):3260 $state $(link_state "$a.store") $(<"$STATE/arrays/$a/size") $((($(array_room "$a" used) + 1023) / 1024)) $(luns_of "$a" | sort | paste -sd, | sed 's/^$/-/')"
    done
  } | column -t
}

array_command() { # up|down|kill|boot|freeze|thaw|cut|heal|slow|fill|exec|list [ARRAY]
  [ $# -gt 0 ] || usage_error "array: which command?"
  local verb=$1 a=${2:-}
  [[ $verb =~ ^(up|down|kill|boot|freeze|thaw|cut|heal|slow|fill|exec|list)$ ]] || usage_error "array: no such command: $verb"
  need_lab
  shift
  case $verb in
    up) array_up "$@"; return ;;
    list) [ $# = 0 ] || usage_error "array list takes no argument: $1"; array_list; return ;;
    slow) [ $# = 2 ] || usage_error "array slow ARRAY MILLISECONDS" ;;
    exec) [ $# -ge 2 ] || usage_error "array exec ARRAY -- COMMAND" ;;
    fill) [[ $# =~ ^[12]$ ]] || usage_error "array fill ARRAY [MIB]" ;;
    *) [ $# = 1 ] || usage_error "array $verb: one array" ;;
  esac
  known_array "$a"
  case $verb in
    down)
      array_forget "$a"
      cluster_inventory >"$STATE/inventory.jsonl"
      ;;
    kill) array_off "$a" ;;
    boot) array_is_on "$a" || array_boot "$a" ;;
    freeze) array_need_on "$a"; cgroup_freeze "$a"; touch "$D/frozen" ;;
    thaw) cgroup_thaw "$a"; rm -f "$D/frozen" ;;
    cut) array_need_on "$a"; set_link down "$a.store" ;;
    heal) array_need_on "$a"; set_link up "$a.store" ;;
    slow) array_slow "$a" "$2" ;;
    fill) array_fill "$@" ;;
    exec) array_exec "$@" ;;
  esac
}
