# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A host: one set of namespaces, whose first process is its power switch. One SIGKILL to it and the kernel ends all in there.

# Machines of different sizes, because a planner that has only seen equal ones has seen little. CPUS:MIB, from h1 on.
readonly DEFAULT_SIZES="8:16384,4:8192,6:12288,8:16384,4:8192,2:4096,6:12288,8:16384"

host_is_on() { living "$STATE/hosts/$1/init.pid" || living "$STATE/hosts/$1/booting.pid"; }

host_address() { printf '%s.%d' "$MANAGEMENT_NET" $((10 + ${1#h})); }

# Files that the host sees in place of the machine's own.
host_files() { # HOST CPUS MIB
  local h=$1 n=${1#h} d=$STATE/hosts/$1 i cpu file mask last=$(($2 - 1))
  mkdir -p "$d"/{etc/qemu,run,lib/libvirt/{qemu,images,boot},log/libvirt/qemu,cache/libvirt/qemu,figures,cpu,node/node0/hugepages}
  printf '%s\n%s\n' "$2" "$3" >"$d/size"
  cat >"$d/etc/libvirtd.conf" <<END
listen_tls = 0
listen_tcp = 1
listen_addr = "0.0.0.0"
tcp_port = "16509"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
host_uuid = "$(printf '72616b6c-0000-4000-8000-%012d' "$n")"
keepalive_interval = 5
keepalive_count = 5
max_clients = 500
max_workers = 40
prio_workers = 5
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
END
  # stdio_handler: there is no virtlogd. migration_*: the others do not know this host by name.
  cat >"$d/etc/qemu.conf" <<END
user = "root"
group = "root"
security_driver = "none"
namespaces = []
remember_owner = 0
stdio_handler = "file"
migration_address = "$(host_address "$h")"
migration_host = "$(host_address "$h")"
keepalive_interval = 5
keepalive_count = 5
END
  printf '%032x\n' $((0x7261636b0000 + n)) >"$d/machine-id"
  # the user that libvirt looks up before it reads that it shall not use it; made by a package that brings a system service along
  { grep -v "^libvirt-qemu:" /etc/passwd; echo "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin"; } >"$d/passwd"
  { grep -v "^libvirt-qemu:" /etc/group; echo "libvirt-qemu:x:64055:"; } >"$d/group"
  { echo "127.0.0.1 localhost"; for ((i = 1; i <= MAX_HOSTS; i++)); do echo "$MANAGEMENT_NET.$((10 + i)) h$i"; done; } >"$d/hosts"
  # the CPUs and the one NUMA node of a machine of that size, as far as libvirt reads them
  local -a directories=()
  for ((i = 0; i <= last; i++)); do directories+=("$d/cpu/cpu$i/topology" "$d/node/node0/cpu$i"); done
  mkdir -p "${directories[@]}"
  for ((i = 0; i <= last; i++)); do
    cpu=$d/cpu/cpu$i
    printf -v mask %x $((1 << i))
    echo 1 >"$cpu/online"
    for file in physical_package_id die_id; do echo 0 >"$cpu/topology/$file"; done
    for file in core_id thread_siblings_list core_cpus_list; do echo "$i" >"$cpu/topology/$file"; done
    for file in thread_siblings core_cpus; do echo "$mask" >"$cpu/topology/$file"; done
  done
  for file in cpu/online cpu/present cpu/possible node/node0/cpulist; do echo "0-$last" >"$d/$file"; done
  for file in online possible has_cpu has_normal_memory has_memory; do echo 0 >"$d/node/$file"; done
  echo 255 >"$d/cpu/kernel_max"
  printf "%x\n" $(((1 << $2) - 1)) >"$d/node/node0/cpumap"
  echo 10 >"$d/node/node0/distance"
  : >"$d/node/node0/meminfo"
}

# The first process of the namespaces that process PID has made. It may have had other children before it made them.
first_child() { # PID: sets CHILD
  local space
  CHILD=
  { read -r CHILD _ <"/proc/$1/task/$1/children"; } 2>/dev/null || [ -n "$CHILD" ] || return 1
  # a child that has ended meanwhile has no namespace any more
  space=$(readlink "/proc/$CHILD/ns/pid") && [ -n "$space" ] && [ "$space" != "$(readlink /proc/self/ns/pid)" ]
}

host_power_on() { # HOST
  local h=$1 d=$STATE/hosts/$1 lock parent nn cpus mib
  printf -v nn %02x "${1#h}"
  exec {lock}>"$d/lock"
  flock "$lock"
  if ! living "$d/init.pid"; then
    { read -r cpus; read -r mib; } <"$d/size"
    cgroup_create "$h"
    # A machine forgets its memory with the power; what it has on its own disk stays.
    rm -rf "$d/run"
    mkdir -p "$d/run"
    rm -f "$d/libvirtd-frozen" "$d/storage-cut"
    host_key "$h" || host_failed "$h" "has no key for its heartbeats"
    spawn "$h" "$d/unshare.pid" "$d/init.log" unshare --net --mount --uts --ipc --pid --cgroup --fork --kill-child=SIGKILL -- \
      "$LAB_HOME/lib/host-init" "$h" "$d" "$STATE/shared" "$(<"$STATE/guest-image")" "$HELPERS" "$cpus" "$mib" "$(cgroup_v2 && echo v2 || echo v1)" "$(agent_program)"
    living "$d/unshare.pid" && parent=$PID
    wait_until 5 first_child "$parent" || host_failed "$h" "did not start"
    record_process "$d/init.pid" "$CHILD" || host_failed "$h" "ended at once"
    # v2: the group of a host may hold no process itself, or libvirt cannot hand controllers to the groups below it
    if cgroup_v2; then echo "$parent" >"$(cgroup_main)/$(cgroup_name)/infra/cgroup.procs"; fi
    {
      port_commands "$h.lan" lan "$CHILD" eth0 "52:54:00:77:00:$nn"
      port_commands "$h.guest" guest "$CHILD" eth1 "52:54:00:78:ff:$nn"
      port_commands "$h.store" store "$CHILD" eth2 "52:54:00:76:00:$nn"
    } | in_switch ip -batch - || host_failed "$h" "no network"
  fi
  flock -u "$lock"
  exec {lock}>&-
}

libvirtd_answers() { in_switch timeout 5 virsh -q -c "$(host_uri "$1")" hostname >/dev/null 2>&1; }

# What the host itself said goes with the message: a failed start leaves no files to look at.
host_failed() { # HOST WHY
  tail -n 5 "$STATE/hosts/$1/init.log" "$STATE/hosts/$1/log/libvirt/libvirtd.log" >&2 || true
  fail_with 3 "$1: $2"
}

host_boot() { # HOST: until its libvirtd answers
  local h=$1 d=$STATE/hosts/$1
  host_power_on "$h"
  wait_until 20 test -S "$d/run/libvirt/libvirt-sock" || host_failed "$h" "libvirtd does not start"
  wait_until 20 libvirtd_answers "$h" || host_failed "$h" "libvirtd does not answer"
}

# Power failure. The link goes first: a dying process closes its connections, which a machine without power does not.
host_power_off() { # HOST
  local h=$1 d=$STATE/hosts/$1 lock port
  # a boot that the BMC has begun ends with the power
  end_process "$d/booting.pid"
  exec {lock}>"$d/lock"
  flock "$lock"
  set_link down "$h.lan" "$h.guest" "$h.store"
  if living "$d/init.pid"; then kill -KILL "$PID" 2>/dev/null || true; fi
  cgroup_kill "$h" || fail "$h: processes that cannot be killed"
  end_process "$d/unshare.pid"
  rm -f "$d/init.pid"
  # the ports went with the host's network namespace, but not at once; booting needs their names
  for port in lan guest store; do echo "link delete $h.$port"; done | in_switch ip -force -batch - 2>/dev/null || true
  cgroup_remove "$h" || true
  flock -u "$lock"
  exec {lock}>&-
}

need_on() { living "$STATE/hosts/$1/init.pid" || fail "$1 is off"; }

# The program that tells the cluster's watchers that a host lives; nothing where the lab has no agents.
agent_program() {
  [ -e "$STATE/heartbeat.key" ] || return 0
  (cluster_environment && command -v heartbeat) || fail "there is no heartbeat to run on the hosts: ./run build"
}

# As an admin hands it out: a key for this host alone, so that what the host's agent does cannot depend on another one.
host_key() { # HOST
  local program
  program=$(agent_program) || return
  [ -z "$program" ] || (cluster_environment && "$program" key --host "$1" "$STATE/hosts/$1/heartbeat.key")
}

# Runs COMMAND in the host, as one of its processes.
in_host() { # HOST COMMAND...
  local h=$1 pid
  shift
  need_on "$h"
  pid=$PID
  (
    cgroup_enter "$h"
    exec nsenter -t "$pid" -m -u -i -n -p -C -r -w -- "$@"
  )
}

storage_server() { # HOST: sets PID
  local pid
  for pid in $(cgroup_processes "$1"); do
    # not the whole path: the program may have been built anew since
    [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == */lab-storage* ]] && PID=$pid && return 0
  done
  return 1
}

cut_storage() {
  need_on "$1"
  set_link down "$1.store"
  storage_server "$1" && kill -STOP "$PID"
  touch "$STATE/hosts/$1/storage-cut"
}

heal_storage() {
  need_on "$1"
  set_link up "$1.store"
  storage_server "$1" && kill -CONT "$PID"
  rm -f "$STATE/hosts/$1/storage-cut"
}

signal_libvirtd() { # SIGNAL HOST
  # Looked for in the host, whose processes are all that it sees; one that is just being started again is waited for.
  # shellcheck disable=SC2016
  in_host "$2" bash -c 'for _ in {1..50}; do
      pid=$(pgrep -o -x libvirtd) && exec kill "-$1" "$pid"
      sleep 0.1
    done
    exit 1' _ "$1" || fail "$2: no libvirtd runs"
}

host_command() { # kill|boot|cut|heal|freeze|thaw [--what] HOST
  local verb=$1 what='' h=''
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      --storage | --bmc) [[ $verb =~ ^(cut|heal)$ ]] || usage_error "$verb: no such option: $1"; what=$1 ;;
      --libvirtd) [[ $verb =~ ^(freeze|thaw)$ ]] || usage_error "$verb: no such option: $1"; what=$1 ;;
      -*) usage_error "$verb: no such option: $1" ;;
      *) [ -z "$h" ] || usage_error "$verb: one host, not two: $1"; h=$1 ;;
    esac
    shift
  done
  [ -n "$h" ] || usage_error "$verb: which host?"
  need_lab
  host_number "$h"
  build_helpers
  case $verb$what in
    kill) host_power_off "$h" ;;
    boot) host_boot "$h" ;;
    cut) need_on "$h"; set_link down "$h.lan" "$h.guest" ;;
    heal) need_on "$h"; set_link up "$h.lan" "$h.guest" ;;
    cut--storage) cut_storage "$h" ;;
    heal--storage) heal_storage "$h" ;;
    cut--bmc) set_link down "$h.bmc" ;;
    heal--bmc) set_link up "$h.bmc" ;;
    freeze) need_on "$h"; cgroup_freeze "$h" ;;
    thaw) need_on "$h"; cgroup_thaw "$h" ;;
    freeze--libvirtd) signal_libvirtd STOP "$h"; touch "$STATE/hosts/$h/libvirtd-frozen" ;;
    thaw--libvirtd) signal_libvirtd CONT "$h"; rm -f "$STATE/hosts/$h/libvirtd-frozen" ;;
  esac
}
