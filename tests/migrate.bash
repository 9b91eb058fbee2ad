# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of migrate on a real cluster: plans, and the world as the hypervisors tell it.

# Set whenever the file is loaded, since helper.bash takes everything of that name away.
export RACKLINE_LAB=${BATS_TEST_FILENAME##*/}
RACKLINE_LAB=$(basename "$(dirname "$BATS_TEST_FILENAME")")-${RACKLINE_LAB%.bats}-${BATS_RUN_TMPDIR##*-}
RACKLINE_LAB=${RACKLINE_LAB,,}
export RACKLINE_INVENTORY=$BATS_FILE_TMPDIR/inventory RACKLINE_STORE=sqlite:$BATS_FILE_TMPDIR/state.db

lab() { "$REPO/lab/lab" "$@"; }

# A command on the cluster's management machine.
on_cluster() { timeout 300 "$REPO/lab/lab" exec -- "$@"; }

uri() { echo "qemu+tcp://10.77.0.1${1#h}/system"; }

# up VM...: a lab with an inventory, a store of its own, and these VMs on h1.
up() {
  lab up >&2
  lab inventory >"$RACKLINE_INVENTORY"
  local vm
  for vm in "$@"; do lab vm create "$vm" --host h1 --dirty-mb 8 --dirty-rate-mbps 4 >&2; done
  [ $# = 0 ] || lab vm wait "$@" --timeout 180 >&2
}

# plan FROM TO VM...: decisions with ids that no other plan has.
plan() {
  local vm
  for vm in "${@:3}"; do
    echo '{"kind":"vm_move","time":"2026-11-22T12:00:00Z","tool":"hand","id":"'"$vm-$EPOCHREALTIME"'","vm":"'"$vm"'","from":"'"$1"'","to":"'"$2"'","stage":1,"reason":"test"}'
  done
  echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"hand","outcome":"ok"}'
}

# The hosts that know the VM, running ("h1") or only defined ("h1(off)"), as their libvirtds tell.
whereabouts() {
  local host state places=()
  for host in h1 h2 h3; do
    state=$(on_cluster timeout 8 virsh -c "$(uri $host)" domstate "$1" 2>/dev/null | head -1) || continue
    case $state in
    running) places+=("$host") ;;
    'shut off') places+=("$host(off)") ;;
    '') ;;
    *) places+=("$host($state)") ;;
    esac
  done
  echo "${places[*]}"
}

# Until the VM's migration away from the host is under way and has sent something.
wait_for_job() {
  local deadline=$((SECONDS + 60))
  until on_cluster virsh -c "$(uri "$2")" domjobinfo "$1" 2>/dev/null | grep -q '^Memory processed: *[1-9]'; do
    ((SECONDS < deadline)) || fail "no migration of $1 on $2 within 60 s"
  done
}

# A field of the results in $output, which bats sets.
# shellcheck disable=SC2154
field() { jq -r "select(.kind==\"vm_moved\")$1" <<<"$output"; }
