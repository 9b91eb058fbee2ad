#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Kinds of virtual servers, by their devices, disks, networks, memory, CPU models and states: each moves and is the same
# on the other side, or is refused before anything happens, with a reason that a person can act on.

load ../helper
load ../migrate
load ../failover

shared=/var/lib/libvirt/images

# kind NAME OUTCOME WHAT [EXPRESSION]: OUTCOME is "moves", or what the refusal has to say; WHAT is how it is when migrate
# comes: running, off, paused, transient, autostart or snapshot; EXPRESSION changes its definition for sed.
kinds() {
  # devices
  kind plain moves running
  kind tablet moves running "$(device "<input type='tablet' bus='usb'/>")"
  kind rng moves running "$(device "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")"
  kind watchdog moves running "$(device "<watchdog model='i6300esb' action='reset'/>")"
  kind console moves running "$(device "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>")"
  kind screen moves running "$(device "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>")"
  kind panic moves running "$(device "<panic model='isa'/>")"
  kind noballoon moves running "s|<memballoon.*|<memballoon model='none'/>|"
  kind scsi moves running "$(device "<controller type='scsi' model='virtio-scsi'/>")"
  kind folder 'folder' running "$(device "<filesystem type='mount' accessmode='squash'><source dir='/var/lib/local'/><target dir='folder'/></filesystem>")"
  # disks
  kind local '/var/lib/local/local.img' running "$(disk file /var/lib/local/local.img vdb raw)"
  kind second moves running "$(disk file $shared/second-b.img vdb raw)"
  kind chain moves running "$(disk file $shared/chain-top.qcow2 vdb qcow2)"
  kind localchain '/var/lib/local/base.qcow2' running "$(disk file $shared/localchain-top.qcow2 vdb qcow2)"
  kind shareable moves running "$(disk file $shared/shareable-b.img vdb raw '<shareable/>')"
  kind readonly moves running "$(disk file $shared/readonly-b.img vdb raw '<readonly/>')"
  kind cached moves running "$(disk file $shared/cached-b.img vdb raw '' "cache='writeback'")"
  kind emptydrive moves running "$(device "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/></disk>")"
  kind localiso '/var/lib/local/boot.iso.*--eject' running "$(cdrom /var/lib/local/boot.iso)"
  kind sharediso moves running "$(cdrom $shared/boot.iso)"
  # networks
  kind twonets moves running "$(device "<interface type='bridge'><source bridge='guests'/><model type='virtio'/></interface>")"
  kind bridge 'br77' running "$(device "<interface type='bridge'><source bridge='br77'/><model type='virtio'/></interface>")"
  kind usernet moves running "$(device "<interface type='user'><model type='virtio'/></interface>")"
  kind network 'blue' running "$(device "<interface type='network'><source network='blue'/><model type='virtio'/></interface>")"
  # memory and CPUs
  kind balloon moves running "s|<vcpu>|<currentMemory unit='MiB'>64</currentMemory><vcpu>|"
  kind memfd moves running "s|<vcpu>|<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><vcpu>|"
  kind hotcpus moves running "s|<vcpu>1</vcpu>|<vcpu current='1'>4</vcpu>|"
  kind cpu moves running "s|<model fallback='forbid'>qemu64</model>|<model fallback='forbid'>qemu64</model><feature policy='disable' name='svm'/>|"
  kind hostmodel moves running "s|<cpu mode.*|<cpu mode='host-model' check='partial'/>|"
  # states
  kind paused moves paused
  kind off moves off
  kind offlocal '/var/lib/local/local.img' off "$(disk file /var/lib/local/local.img vdb raw)"
  kind transient moves transient
  kind autostart moves autostart
  kind snapshot 'snapshot' snapshot
  kind taken 'taken' running
}

device() { printf 's|</devices>|%s</devices>|' "$1"; }
disk() { # TYPE FILE TARGET FORMAT [ELEMENTS [ATTRIBUTES]]
  device "<disk type='$1' device='disk'><driver name='qemu' type='$4' ${6:-}/><source file='$2'/><target dev='$3' bus='virtio'/>${5:-}</disk>"
}
cdrom() { device "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='$1'/><target dev='sda' bus='sata'/><readonly/></disk>"; }
virsh() { on_cluster virsh -c "$(uri h1)" "$@"; }

setup_file() {
  lab up --sizes 8:8192,8:8192 >&2
  lab inventory >"$RACKLINE_INVENTORY"
  lab exec --host h1 -- bash -c "mkdir -p /var/lib/local && cd /var/lib/local && truncate -s 1M boot.iso local.img $shared/boot.iso &&
    truncate -s 4M $shared/{second,shareable,readonly,cached}-b.img &&
    qemu-img create -q -f qcow2 base.qcow2 4M && qemu-img create -q -f qcow2 $shared/chain-base.qcow2 4M &&
    qemu-img create -q -f qcow2 -b $shared/chain-base.qcow2 -F qcow2 $shared/chain-top.qcow2 &&
    qemu-img create -q -f qcow2 -b /var/lib/local/base.qcow2 -F qcow2 $shared/localchain-top.qcow2 &&
    ip link add br77 type bridge && ip link set br77 up" >&2
  echo "<network><name>blue</name><bridge name='br77'/><forward mode='bridge'/></network>" >"$BATS_FILE_TMPDIR/blue"
  virsh net-define "$BATS_FILE_TMPDIR/blue" >&2 && virsh net-start blue >&2
  warm
}

teardown_file() { lab down >&2; }

# Makes it, and brings it into its state.
make() { # NAME STATE EXPRESSION
  lab vm create "$1" --host h1 --no-start
  lab vm xml "$1" | sed "$3" >"$1.xml"
  case $2 in
  transient) virsh undefine "$1" && virsh create "$PWD/$1.xml" ;;
  off) virsh define "$PWD/$1.xml" ;;
  *) virsh define "$PWD/$1.xml" && virsh start "$1" ;;
  esac
}

# What it is beside where: state, whether it is defined and starts with its host, and its devices.
self() { # NAME HOST
  on_cluster virsh -c "$(uri "$2")" dominfo "$1" | grep -E '^(UUID|State|CPU\(s\)|Max memory|Persistent|Autostart)'
  on_cluster virsh -c "$(uri "$2")" dumpxml --inactive "$1" | grep -vE '^<domain|<(nvram|seclabel)'
}

@test "each kind moves and is the same there, or is refused with its reason and stays as it was" {
  local -A outcomes=()
  local name moving=() running=() bad=''
  cd "$BATS_TEST_TMPDIR"
  kind() {
    outcomes[$1]=$2
    moving+=("$1")
    make "$1" "$3" "${4:-}" >&2 || bad+="$1: it cannot be made"$'\n'
    [ "$3" = off ] || running+=("$1")
  }
  kinds
  sed "s|<uuid>.*</uuid>|<uuid>$(uuidgen)</uuid>|" taken.xml >other.xml
  on_cluster virsh -c "$(uri h2)" define "$PWD/other.xml" >&2
  lab vm wait "${running[@]}" --timeout 400 >&2
  virsh suspend paused >&2
  virsh autostart autostart >&2
  virsh snapshot-create-as snapshot one --disk-only --diskspec vda,snapshot=no >&2 || virsh snapshot-create-as snapshot one >&2
  for name in "${moving[@]}"; do self "$name" h1 >"$name.before"; done
  plan h1 h2 "${moving[@]}" >orders
  run --separate-stderr on_cluster migrate <orders
  for name in "${moving[@]}"; do
    local outcome reason host=h2
    outcome=$(field "|select(.vm==\"$name\").outcome")
    reason=$(field "|select(.vm==\"$name\").reason")
    if [ "${outcomes[$name]}" != moves ]; then
      host=h1
      [ "$outcome" = refused ] && [[ $reason =~ ${outcomes[$name]} ]] || bad+="$name: $outcome: $reason"$'\n'
    elif [ "$outcome" != 'done' ]; then
      host=h1
      bad+="$name: $outcome: $reason"$'\n'
    fi
    self "$name" $host >"$name.after" || true
    cmp -s "$name.before" "$name.after" || bad+="$name is not what it was: $(diff "$name.before" "$name.after")"$'\n'
  done
  virsh resume paused >&2 || on_cluster virsh -c "$(uri h2)" resume paused >&2
  lab vm verify "${running[@]}" || bad+="not whole"
  [ -z "$bad" ] || fail "$bad"
}
