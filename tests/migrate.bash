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

# local_server NAME: one that runs on h1, with its disk and one of $DATA_MIB (48) MiB, which it never writes to, in a
# directory that each host has for itself. h2 has a storage pool there.
local_server() {
  local name=$1 host
  for host in h1 h2; do lab exec --host $host -- mkdir -p /var/lib/local; done
  on_cluster virsh -c "$(uri h2)" pool-info local >/dev/null 2>&1 || on_cluster virsh -c "$(uri h2)" pool-create-as local dir --target /var/lib/local >&2
  lab vm create "$name" --host h1 --no-start >&2
  lab exec --host h1 -- bash -c "mv /var/lib/libvirt/images/$name.img /var/lib/local &&
    head -c ${DATA_MIB:-48}M /dev/urandom >/var/lib/local/data && qemu-img convert -O qcow2 /var/lib/local/data /var/lib/local/$name.qcow2 && rm /var/lib/local/data"
  lab vm xml "$name" | sed "s|/var/lib/libvirt/images/$name.img|/var/lib/local/$name.img|; s|</devices>|<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/local/$name.qcow2'/><target dev='vdb' bus='virtio'/></disk></devices>|" >"$name.xml"
  on_cluster virsh -c "$(uri h1)" define "$PWD/$name.xml" >&2
  on_cluster virsh -c "$(uri h1)" start "$name" >&2
  lab vm wait "$name" --timeout 180 >&2
}

# The files of a host in that directory.
local_files() { lab exec --host "$1" -- ls /var/lib/local | paste -sd' '; }

# Whether the hosts have the same content in NAME.qcow2, as the guests see it.
same_data() {
  local base=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}/$RACKLINE_LAB/hosts
  qemu-img compare -U "$base/h1/lib/local/$1.qcow2" "$base/h2/lib/local/$1.qcow2" >&2
}

# A field of the results in $output, which bats sets.
# shellcheck disable=SC2154
field() { jq -r "select(.kind==\"vm_moved\")$1" <<<"$output"; }
