# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The switch: a network namespace with one bridge per network, and a port on them for each host and each BMC.
#   lan    10.77.0.0/24  management; .1 is where the admin stands (lab shell, lab exec)
#   guest  10.78.0.0/24  the guests; each host has a bridge "guests" that reaches it
#   bmc    10.79.0.0/24  the BMCs
#   store  10.76.0.0/24  block storage over NBD, served at .1
# The hosts' MACs are fixed: a rebooted host must not wait for the ARP entry of its former self to run out. So are the
# bridges', which otherwise take over that of a port: when that port's host dies, all others would lose .1 for half a minute.

readonly NETWORKS="lan:$MANAGEMENT_NET guest:$GUEST_NET bmc:$BMC_NET store:$STORAGE_NET"

in_switch() {
  living "$STATE/switch.pid" || fail_with 3 "the switch of lab \"$LAB\" is not running"
  nsenter -t "$PID" -n -- "$@"
}

# Starts COMMAND in the lab's control group, cut off from our terminal, session and open files, and records it.
spawn() { # GROUP RECORD LOG COMMAND...
  local group=$1 record=$2 log=$3 fd
  shift 3
  (
    cgroup_enter "$group"
    exec </dev/null >>"$log" 2>&1
    # a test runner, for one, waits until nobody holds its pipes any more
    for fd in /proc/"$BASHPID"/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid "$@"
  ) &
  record_process "$record" $!
  disown $! # or bash would tell of its death
}

own_network() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

switch_up() {
  local network number
  cgroup_create infra
  spawn infra "$STATE/switch.pid" "$STATE/switch.log" unshare --net -- sleep infinity
  living "$STATE/switch.pid" || fail "the switch did not start: $STATE/switch.log"
  wait_until 5 own_network "$PID" || fail "no network namespace for the switch"
  {
    echo "link set lo up"
    for network in $NETWORKS; do
      number=${network#*.}
      echo "link add ${network%%:*} address 52:54:00:${number%%.*}:fe:01 type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
      echo "address add ${network#*:}.1/24 dev ${network%%:*}"
      echo "link set ${network%%:*} addrgenmode none up"
    done
  } | in_switch ip -batch -
}

# A port of the switch to the network namespace of process PID.
port_commands() { # PORT NETWORK PID INTERFACE MAC
  # one command and not two: a port that exists and is not yet on its bridge is a state nobody needs
  echo "link add $1 type veth peer name $4 address $5 netns $3"
  echo "link set $1 master $2 addrgenmode none up"
}

set_link() { # up|down PORT...
  local direction=$1 port
  shift
  for port in "$@"; do echo "link set $port $direction"; done | in_switch ip -force -batch - 2>/dev/null || true
}

# What "link_state" is to answer from: one question for all ports, not one each.
read_links() { LINKS=$(in_switch ip -o link show); }

link_state() { # PORT
  if [[ ! $LINKS =~ " $1@"[^\<]*\<([^\>]*)\> ]]; then
    echo none
  elif [[ ,${BASH_REMATCH[1]}, == *,UP,* ]]; then
    echo up
  else
    echo cut
  fi
}
