# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# LUNs of arrays, and the programs that use them as a foreign server would. What a LUN is stands in a file of its array,
# from which it is configured whenever the array starts.

# Sets A (its array), D (the array's directory) and the shape: MIB KIND BLOCK ACCESS CHAP TARGET NUMBER SERIAL.
known_lun() { # LUN
  [ -n "${1:-}" ] || usage_error "which LUN?"
  local file
  for file in "$STATE"/arrays/a[1-8]/luns/"$1"; do
    [ -s "$file" ] || continue
    D=${file%/luns/*}
    A=${D##*/}
    read -r MIB KIND BLOCK ACCESS CHAP TARGET NUMBER SERIAL <"$file"
    return
  done
  fail "no LUN $1 in lab \"$LAB\""
}

luns_of() { # ARRAY
  local file
  for file in "$STATE/arrays/$1"/luns/*; do
    [ -s "$file" ] && printf '%s\n' "${file##*/}"
  done
  return 0
}

lun_url() { # LUN
  known_lun "$1"
  printf 'iscsi://%s:3260/%s:%s/%s\n' "$(array_address "$A")" "$LUN_PREFIX" "$TARGET" "$NUMBER"
}

# tgtd's name for a target: the sum of its name, which is the same whenever and wherever it is configured. The NAA that
# initiators see is made of it.
target_id() { printf '%d' $((0x$(printf '%s' "$1" | md5sum | head -c 7) % 65535 + 1)); }

target_exists() { tgt "$1" target show 2>/dev/null | grep -q "^Target $2: "; }

lun_configure() { # LUN: on its array, which runs
  known_lun "$1"
  local tid value params
  tid=$(target_id "$TARGET")
  if ! target_exists "$A" "$tid"; then
    tgt "$A" target new --tid "$tid" --targetname "$LUN_PREFIX:$TARGET"
    # By default it takes 8 KiB at once and asks for each piece.
    for value in MaxRecvDataSegmentLength=262144 MaxXmitDataSegmentLength=262144 FirstBurstLength=262144 InitialR2T=No MaxOutstandingR2T=8; do
      tgt "$A" target update --tid "$tid" --name "${value%%=*}" --value "${value#*=}"
    done
    if [ "$CHAP" != none ]; then
      tgt "$A" account new --user "$TARGET" --password "$(<"$STATE/chap-password")" 2>/dev/null || true
      tgt "$A" account bind --tid "$tid" --user "$TARGET"
    fi
    if [ "$CHAP" = mutual ]; then
      tgt "$A" account new --user "$TARGET-target" --password "$(rev <"$STATE/chap-password")" 2>/dev/null || true
      tgt "$A" account bind --tid "$tid" --user "$TARGET-target" --outgoing
    fi
    tgt "$A" target bind --tid "$tid" --initiator-address ALL
  fi
  tgt "$A" logicalunit new --tid "$tid" --lun "$NUMBER" --backing-store "$D/disk/$1" --bstype rdwr --blocksize "$BLOCK"
  params="scsi_sn=$SERIAL,scsi_id=$SERIAL,vendor_id=RACKLINE,product_id=lab"
  [ "$KIND" = thick ] || params+=",thin_provisioning=1"
  [ "$ACCESS" = rw ] || params+=",readonly=1"
  tgt "$A" logicalunit update --tid "$tid" --lun "$NUMBER" --params "$params"
}

lun_create() {
  local name='' array='' mib=256 kind=thin block=512 access=rw chap=none target='' serial='' lun number=1
  while [ $# -gt 0 ]; do
    case $1 in
      --thick) kind=thick; shift; continue ;;
      --read-only) access=ro; shift; continue ;;
      --chap) chap=one-way; shift; continue ;;
      --mutual-chap) chap=mutual; shift; continue ;;
      --*) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
      *) [ -z "$name" ] || usage_error "lun create: one name, not two: $1"; name=$1; shift; continue ;;
    esac
    case $1 in
      --array) array=$2 ;;
      --size) number "$@"; mib=$2 ;;
      --block) block=$2 ;;
      --target) target=$2 ;;
      --serial) serial=$2 ;;
      *) usage_error "lun create: no such option: $1" ;;
    esac
    shift 2
  done
  [[ $name =~ ^[a-z0-9][a-z0-9.-]{0,30}$ ]] || usage_error "lun create: not a name for a LUN: \"$name\""
  [[ $block =~ ^(512|4096)$ ]] || usage_error "a block has 512 or 4096 bytes, not $block"
  [ -n "$array" ] || usage_error "lun create: on which array? (--array)"
  known_array "$array"
  array_need_on "$array"
  target=${target:-$name}
  for lun in $(all_luns); do
    [ "$lun" != "$name" ] || fail "there is a LUN $name already"
    known_lun "$lun"
    if [ "$A" = "$array" ] && [ "$TARGET" = "$target" ] && [ "$NUMBER" -ge "$number" ]; then number=$((NUMBER + 1)); fi
  done
  local files
  files=$(array_files "$array")
  truncate -s "${mib}M" "$files/$name"
  if [ $kind = thick ] && ! fallocate -l "${mib}M" "$files/$name"; then
    rm -f "$files/$name"
    fail "$array has no room for $name"
  fi
  echo "$mib $kind $block $access $chap $target $number ${serial:-lab-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')}" >"$STATE/arrays/$array/luns/$name"
  lun_configure "$name"
}

all_luns() { local a; for a in $(array_names); do luns_of "$a"; done; }

# What initiators see of the new size, tgtd learns by opening the file again.
lun_grow() { # LUN MIB
  number "lun grow" "${2:-}"
  known_lun "$1"
  array_need_on "$A"
  [ "$2" -gt "$MIB" ] || fail "$1 has $MIB MiB already"
  local files tid
  files=$(array_files "$A")
  tid=$(target_id "$TARGET")
  if [ "$KIND" = thick ]; then fallocate -l "${2}M" "$files/$1" || fail "$A has no room for it"; else truncate -s "${2}M" "$files/$1"; fi
  tgt "$A" logicalunit update --tid "$tid" --lun "$NUMBER" --params online=0
  tgt "$A" logicalunit update --tid "$tid" --lun "$NUMBER" --params "path=$D/disk/$1"
  tgt "$A" logicalunit update --tid "$tid" --lun "$NUMBER" --params online=1
  echo "$2 $KIND $BLOCK $ACCESS $CHAP $TARGET $NUMBER $SERIAL" >"$D/luns/$1"
}

lun_delete() { # LUN
  known_lun "$1"
  array_need_on "$A"
  local tid files
  tid=$(target_id "$TARGET")
  tgt "$A" logicalunit delete --tid "$tid" --lun "$NUMBER"
  # 0 is the controller, which every target has
  tgt "$A" target show | sed -n "/^Target $tid: /,/^Target /p" | grep -qE '^ +LUN: [1-9]' || tgt "$A" target delete --tid "$tid" --force
  files=$(array_files "$A")
  rm -f "$D/luns/$1" "$files/$1"
}

lun_list() {
  local lun files
  {
    echo "LUN ARRAY SIZE_MIB USED_MIB KIND BLOCK ACCESS CHAP SERIAL URL"
    for lun in $(all_luns); do
      known_lun "$lun"
      files=$(array_files "$A")
      echo "$lun $A $MIB $(du -m "$files/$lun" | cut -f1) $KIND $BLOCK $ACCESS $CHAP $SERIAL $(lun_url "$lun")"
    done
  } | column -t
}

lun_command() { # create|grow|delete|list|url
  [ $# -gt 0 ] || usage_error "lun: which command?"
  local verb=$1
  shift
  [[ $verb =~ ^(create|grow|delete|list|url)$ ]] || usage_error "lun: no such command: $verb"
  need_lab
  "lun_$verb" "$@"
}

known_consumer() { # NAME: sets C
  [ -n "${1:-}" ] || usage_error "which consumer?"
  C=$STATE/consumers/$1
  [ -d "$C" ] || fail "no consumer $1 in lab \"$LAB\""
}

consumer_start() {
  local name='' lun='' mib=16 rate=0
  while [ $# -gt 0 ]; do
    case $1 in
      --lun | --mib | --rate) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
      -*) usage_error "consumer start: no such option: $1" ;;
      *) [ -z "$name" ] || usage_error "consumer start: one name, not two: $1"; name=$1; shift; continue ;;
    esac
    case $1 in
      --lun) lun=$2 ;;
      --mib) number "$@"; mib=$2 ;;
      --rate) number "$@"; rate=$2 ;;
    esac
    shift 2
  done
  [[ $name =~ ^[a-z0-9][a-z0-9.-]{0,30}$ ]] || usage_error "consumer start: not a name for a consumer: \"$name\""
  local url
  url=$(lun_url "$lun")
  known_lun "$lun"
  mkdir -p "$STATE/consumers"
  mkdir "$STATE/consumers/$name" 2>/dev/null || fail "there is a consumer $name already"
  C=$STATE/consumers/$name
  echo "$lun" >"$C/lun"
  local -a secret=()
  if [ "$CHAP" != none ]; then secret=(LIBISCSI_CHAP_USERNAME="$TARGET" LIBISCSI_CHAP_PASSWORD="$(<"$STATE/chap-password")"); fi
  if [ "$CHAP" = mutual ]; then secret+=(LIBISCSI_CHAP_TARGET_USERNAME="$TARGET-target" LIBISCSI_CHAP_TARGET_PASSWORD="$(rev <"$STATE/chap-password")"); fi
  living "$STATE/switch.pid" || fail "the switch is gone"
  spawn infra "$C/pid" "$C/log" env "${secret[@]}" nsenter -t "$PID" -n -- "$(helper lab-consumer)" "$url" "$LUN_PREFIX:consumer-$name" "$C/state.json" "$mib" "$rate"
  wait_until 10 test -s "$C/state.json" || { cat "$C/log" >&2; rm -rf "$C"; fail "$name did not begin"; }
}

# What it says of itself, after it has written something more.
consumer_watch() { # NAME
  known_consumer "$1"
  cat "$C/state.json"
}

# Reads back all that was written; it ends by that.
consumer_stop() { # NAME
  known_consumer "$1"
  if living "$C/pid"; then
    local pid=$PID
    kill -TERM "$pid"
    wait_until 120 gone "$C/pid" || fail_with 124 "$1 does not end: $C/log"
  fi
  cat "$C/state.json"
  local sound
  sound=$(jq '.verified and .errors == 0 and .wrong_blocks == 0' "$C/state.json")
  rm -rf "$C"
  [ "$sound" = true ]
}

gone() { ! living "$1"; }

consumer_list() {
  local c
  for c in "$STATE"/consumers/*/; do [ -e "$c/state.json" ] && jq -c --arg name "$(basename "$c")" --arg lun "$(<"$c/lun")" '{consumer: $name, lun: $lun} + .' "$c/state.json"; done
  return 0
}

consumer_command() { # start|stop|watch|list
  [ $# -gt 0 ] || usage_error "consumer: which command?"
  local verb=$1
  shift
  [[ $verb =~ ^(start|stop|watch|list)$ ]] || usage_error "consumer: no such command: $verb"
  need_lab
  build_helpers
  "consumer_$verb" "$@"
}
