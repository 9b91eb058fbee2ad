# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Guests: libvirt domains that boot lab/src/guest-init.c, which tells over the network whether it is well.

guest_command() {
  [ $# -gt 0 ] || usage_error "vm: which command?"
  local verb=$1
  shift
  [[ $verb =~ ^(create|list|ask|load|wait|watch|verify|console|xml|destroy)$ ]] || usage_error "vm: no such command: $verb"
  need_lab
  build_helpers
  "guest_$verb" "$@"
}

number() { # OPTION VALUE
  [[ ${2:-} =~ ^[0-9]+$ ]] || usage_error "$1 needs a number, not \"${2:-}\""
}

known_guest() { # NAME: sets ADDRESS
  [ -n "${1:-}" ] || usage_error "which VM?"
  [ -s "$STATE/vms/$1/index" ] || fail "no VM $1 in lab \"$LAB\""
  ADDRESS=$GUEST_NET.$(<"$STATE/vms/$1/index")
}

guest_names() {
  local d
  for d in "$STATE"/vms/*/; do
    [ -s "$d/index" ] && basename "$d"
  done
  return 0
}

# The same name always gets the same id: libvirt refuses a migration between two definitions that differ in it.
guest_uuid() { printf '%s' "$1" | md5sum | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-4\3-8\4-\5/'; }

escape() { local t=${1//&/&amp;}; t=${t//</&lt;}; printf '%s' "${t//\'/&apos;}"; }

guest_domain() { # NAME INDEX MEMORY VCPUS DISK GROUP PRIORITY ARGUMENTS
  local metadata='' source type
  [ -z "$6" ] || metadata+=" anti_affinity='$(escape "$6")'"
  [ -z "$7" ] || metadata+=" priority='$7'"
  type=$(guest_accelerator)
  if [[ $5 == lun:* ]]; then
    known_lun "${5#lun:}"
    source="<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none' discard='unmap' error_policy='report'/><source protocol='iscsi' name='$LUN_PREFIX:$TARGET/$NUMBER'><host name='$(array_address "$A")' port='3260'/><initiator><iqn name='$LUN_PREFIX:vm-$1'/></initiator></source><target dev='vda' bus='virtio'/></disk>"
  elif [ "$5" = nbd ]; then
    source="<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/><source protocol='nbd' name='$1'><host name='$STORAGE_NET.1' port='$((NBD_FIRST_PORT + $2))'/><reconnect delay='30'/></source><target dev='vda' bus='virtio'/></disk>"
  else
    source="<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='$IMAGES/$1.img'/><target dev='vda' bus='virtio'/></disk>"
  fi
  cat <<END
<domain type='$type'>
  <name>$1</name>
  <uuid>$(guest_uuid "$1")</uuid>
  <metadata><rackline:vm xmlns:rackline='urn:rackline:vm:1'$metadata/></metadata>
  <memory unit='MiB'>$3</memory>
  <vcpu>$4</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <kernel>/var/lib/libvirt/boot/vmlinux</kernel>
    <initrd>/var/lib/libvirt/boot/initrd</initrd>
    <cmdline>console=ttyS0 quiet mitigations=off panic=1 name=$1 ip=$GUEST_NET.$2 $8</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
$([ "$type" = kvm ] || echo "  <features><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>")
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/var/lib/libvirt/boot/qemu-wrap</emulator>
    $source
    <interface type='bridge'>
      <mac address='52:54:00:78:00:$(printf %02x "$2")'/>
      <source bridge='guests'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'><source path='$IMAGES/$1.console' append='on'/><target port='0'/></serial>
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
</domain>
END
}

guest_create() {
  local name='' host='' memory=96 vcpus=1 cpu=0 dirty=4 rate=2 disk=file group='' priority='' start=1 index lock d
  while [ $# -gt 0 ]; do
    case $1 in
      --no-start) start=; shift; continue ;;
      --*) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
      *) [ -z "$name" ] || usage_error "vm create: one name, not two: $1"; name=$1; shift; continue ;;
    esac
    case $1 in
      --host) host=$2 ;;
      --memory-mb) number "$@"; memory=$2 ;;
      --vcpus) number "$@"; vcpus=$2 ;;
      --cpu) number "$@"; cpu=$2 ;;
      --dirty-mb) number "$@"; dirty=$2 ;;
      --dirty-rate-mbps) number "$@"; rate=$2 ;;
      --disk) disk=$2 ;;
      --group) group=$2 ;;
      --priority) number "$@"; priority=$2 ;;
      *) usage_error "vm create: no such option: $1" ;;
    esac
    shift 2
  done
  [[ $name =~ ^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,40}$ ]] || usage_error "vm create: not a name for a VM: \"$name\""
  [[ $disk =~ ^(file|nbd|lun:.+)$ ]] || usage_error "a disk is a file, nbd or lun:LUN, not $disk"
  if [[ $disk == lun:* ]]; then
    known_lun "${disk#lun:}"
    [ "$CHAP" = none ] || usage_error "a guest's LUN has no CHAP"
  fi
  [ -n "$host" ] || usage_error "vm create: on which host? (--host)"
  host_number "$host"
  need_on "$host"
  # the kernel and what it unpacks need about 80 MiB
  [ "$memory" -ge 96 ] || usage_error "a guest needs 96 MiB or more"
  d=$STATE/vms/$name
  mkdir "$d" 2>/dev/null || fail "there is a VM $name already"
  exec {lock}>"$STATE/vms.lock"
  flock "$lock"
  index=10
  while grep -qsx "$index" "$STATE"/vms/*/index; do index=$((index + 1)); done
  if [ "$index" -gt 250 ]; then rmdir "$d"; fail "there are 240 VMs already"; fi
  echo "$index" >"$d/index"
  flock -u "$lock"
  [[ $disk == lun:* ]] || truncate -s "${DISK_MIB}M" "$STATE/shared/$name.img"
  printf '%s %s %s\n' "$memory" "$vcpus" "$disk" >"$d/shape"
  guest_domain "$name" "$index" "$memory" "$vcpus" "$disk" "$group" "$priority" "cpu=$cpu dirty_mb=$dirty dirty_rate=$rate" >"$d/domain.xml"
  if [ "$disk" = nbd ]; then
    nbd_up "$name" "$index"
    wait_until 5 nbd_listens "$index" || fail "no NBD server for $name: $d/nbd.log"
  fi
  local uri
  uri=$(host_uri "$host")
  in_switch virsh -q -c "$uri" define "$d/domain.xml" >/dev/null || { guest_forget "$name"; fail "$name: $host does not take it"; }
  [ -z "$start" ] || in_switch virsh -q -c "$uri" start "$name" >/dev/null || fail "$name: does not start on $host"
}

guest_forget() { # NAME
  nbd_down "$1"
  rm -rf "${STATE:?}/vms/${1:?}" "$STATE/shared/$1.img" "$STATE/shared/$1.console"
}

# The names of the guests that really run on a host, from its processes: true even when its libvirtd is not to be reached.
running_guests() { # HOST
  local pid comm word
  local -a words
  for pid in $(cgroup_processes "$1"); do
    { read -r comm <"/proc/$pid/comm"; } 2>/dev/null || continue
    [[ $comm == qemu-system* ]] || continue
    mapfile -d "" -t words 2>/dev/null <"/proc/$pid/cmdline" || continue
    for word in "${words[@]}"; do
      [[ $word =~ ^guest=([^,]+) ]] && echo "${BASH_REMATCH[1]}"
    done
  done
  return 0
}

ask_host() { # HOST: its domains as NAME<TAB>STATE; nothing when it does not answer
  in_switch timeout 5 virsh -q -c "$(host_uri "$1")?keepalive_interval=1" list --all 2>/dev/null \
    | sed -E 's/^ *(-|[0-9]+) +([^ ]+) +(.*[^ ]) *$/\2\t\3/'
}

guest_list() {
  local h name state index memory vcpus disk address directory
  directory=$(mktemp -d "$STATE/list.XXXXXX")
  for h in $(host_names); do
    { ask_host "$h" || echo "?"; } >"$directory/$h" &
  done
  wait
  {
    printf 'VM\tHOST\tSTATE\tADDRESS\tMEMORY_MIB\tVCPUS\tDISK\n'
    for h in $(host_names); do
      while IFS=$'\t' read -r name state; do
        if [ "$name" = "?" ]; then
          if host_is_on "$h"; then say "$h does not answer"; fi
          continue
        fi
        address=- memory=- vcpus=- disk=-
        if [ -s "$STATE/vms/$name/index" ]; then
          index=$(<"$STATE/vms/$name/index") && address=$GUEST_NET.$index
          read -r memory vcpus disk <"$STATE/vms/$name/shape"
        fi
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$h" "$state" "$address" "$memory" "$vcpus" "$disk"
      done <"$directory/$h"
    done | sort
  } | column -t -s $'\t'
  rm -rf "$directory"
}

guest_ask() {
  [ $# = 1 ] || usage_error "vm ask NAME"
  known_guest "$1"
  in_switch "$(helper lab-ask)" "$ADDRESS" --timeout-ms 2000 || fail_with 3 "$1 does not answer"
}

guest_load() {
  local name='' request=load
  while [ $# -gt 0 ]; do
    case $1 in
      --cpu) number "$@"; request+=" cpu=$2"; shift ;;
      --dirty-mb) number "$@"; request+=" dirty_mb=$2"; shift ;;
      --dirty-rate-mbps) number "$@"; request+=" dirty_rate=$2"; shift ;;
      -*) usage_error "vm load: no such option: $1" ;;
      *) [ -z "$name" ] || usage_error "vm load: one name, not two: $1"; name=$1 ;;
    esac
    shift
  done
  known_guest "$name"
  in_switch "$(helper lab-ask)" "$ADDRESS" --timeout-ms 2000 "$request" || fail_with 3 "$name does not answer"
}

guest_wait() {
  local timeout=60 name names=() until
  while [ $# -gt 0 ]; do
    case $1 in
      --timeout) number "$@"; timeout=$2; shift ;;
      -*) usage_error "vm wait: no such option: $1" ;;
      *) known_guest "$1"; names+=("$1") ;;
    esac
    shift
  done
  [ ${#names[@]} -gt 0 ] || usage_error "vm wait: which VM?"
  until=$(($(date +%s) + timeout))
  for name in "${names[@]}"; do
    known_guest "$name"
    until in_switch "$(helper lab-ask)" "$ADDRESS" --timeout-ms 1000 >/dev/null; do
      [ "$(date +%s)" -lt "$until" ] || fail_with 124 "$name does not answer after $timeout s"
    done
  done
}

guest_watch() {
  local name='' seconds=10
  while [ $# -gt 0 ]; do
    case $1 in
      --seconds) number "$@"; seconds=$2; shift ;;
      -*) usage_error "vm watch: no such option: $1" ;;
      *) [ -z "$name" ] || usage_error "vm watch: one name, not two: $1"; name=$1 ;;
    esac
    shift
  done
  known_guest "$name"
  in_switch "$(helper lab-ask)" "$ADDRESS" --watch "$seconds" || fail_with 3 "$name did not answer once in $seconds s"
}

where_it_runs() { # NAME
  local h
  for h in $(host_names); do
    # shellcheck disable=SC2046
    printf '%s\n' $(running_guests "$h" | grep -Fx -- "$1" | sed "s/.*/$h/")
  done | sed '/^$/d'
}

runs_once() { [ "$(where_it_runs "$1" | wc -l)" = 1 ]; }

# Prints what is wrong with a guest; nothing if it is well.
guest_trouble() { # NAME
  local first second key n
  # a migration has two processes for a while
  wait_until 5 runs_once "$1" || { echo "runs on ${n:=$(where_it_runs "$1" | paste -sd' ' | sed 's/ / and /g; s/^$/no host/')}"; return; }
  first=$(in_switch "$(helper lab-ask)" "$ADDRESS" --timeout-ms 3000) || { echo "does not answer (runs on $(where_it_runs "$1"))"; return; }
  local until=$(($(date +%s) + 5))
  while sleep 0.25; do
    second=$(in_switch "$(helper lab-ask)" "$ADDRESS" --timeout-ms 3000) || { echo "stopped answering"; return; }
    [ "$(jq .count <<<"$second")" -gt "$(jq .count <<<"$first")" ] && break
    [ "$(date +%s)" -lt "$until" ] || { echo "its counter stands still at $(jq .count <<<"$second")"; return; }
  done
  [ "$(jq .boots <<<"$first")" = "$(jq .boots <<<"$second")" ] || { echo "restarted just now"; return; }
  for key in memory_errors disk_errors split_brain; do
    n=$(jq ".$key" <<<"$second")
    [ "$n" = 0 ] || echo "$key=$n: $(grep -a FAULT "$STATE/shared/$1.console" | tail -1 | tr -d '\r')"
  done
}

guest_verify() {
  local name names=() trouble bad=0
  for name in "$@"; do
    known_guest "$name"
    names+=("$name")
  done
  [ $# -gt 0 ] || mapfile -t names < <(guest_names)
  for name in "${names[@]}"; do
    known_guest "$name"
    trouble=$(guest_trouble "$name")
    if [ -z "$trouble" ]; then
      echo "$name: ok on $(where_it_runs "$name")"
    else
      echo "$name: ${trouble//$'\n'/; }"
      bad=1
    fi
  done
  return $bad
}

guest_console() {
  [ $# = 1 ] || usage_error "vm console NAME"
  known_guest "$1"
  cat "$STATE/shared/$1.console" 2>/dev/null || fail "$1 has not said anything yet"
}

guest_xml() {
  [ $# = 1 ] || usage_error "vm xml NAME"
  known_guest "$1"
  cat "$STATE/vms/$1/domain.xml"
}

guest_destroy() {
  [ $# -gt 0 ] || usage_error "vm destroy: which VM?"
  local name h uri
  for name in "$@"; do
    known_guest "$name"
    for h in $(host_names); do
      living "$STATE/hosts/$h/init.pid" || continue
      uri=$(host_uri "$h")
      in_switch timeout 10 virsh -q -c "$uri" destroy "$name" >/dev/null 2>&1 || true
      in_switch timeout 10 virsh -q -c "$uri" undefine "$name" >/dev/null 2>&1 || true
    done
    [ -z "$(where_it_runs "$name")" ] || fail "$name still runs on $(where_it_runs "$name" | paste -sd' ')"
    guest_forget "$name"
  done
}
