#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A host with eleven servers, of which five cannot leave, each for a reason of its own: every program that plans names
# these five, and the drain does what the plans say.

load ../helper
load ../migrate
load ../failover

free=(a1 a2 a3 a4 a5 a6)
bound=(b-disk b-folder b-iso b-name b-net)

# define NAME SED: a server on h2 like the others, but for what SED changes in its definition.
define() {
  lab vm create "$1" --host h2 --no-start >&2
  lab vm xml "$1" | sed "$2" >"$BATS_FILE_TMPDIR/$1.xml"
  on_cluster virsh -c "$(uri h2)" define "$BATS_FILE_TMPDIR/$1.xml" >&2
}
device() { printf 's|</devices>|%s</devices>|' "$1"; }

setup_file() {
  lab up --sizes 4:4096,4:4096,4:4096 >&2
  lab inventory >"$RACKLINE_INVENTORY"
  local vm host
  for vm in "${free[@]}"; do lab vm create "$vm" --host h2 >&2; done
  lab exec --host h2 -- bash -c 'mkdir -p /var/lib/local/folder && truncate -s 1M /var/lib/local/boot.iso /var/lib/local/data.img &&
    ip link add br77 type bridge && ip link set br77 up' >&2
  define b-disk "$(device "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/var/lib/local/data.img'/><target dev='vdb' bus='virtio'/></disk>")"
  define b-folder "$(device "<filesystem type='mount' accessmode='squash'><source dir='/var/lib/local/folder'/><target dir='folder'/></filesystem>")"
  define b-iso "$(device "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/var/lib/local/boot.iso'/><target dev='sda' bus='sata'/><readonly/></disk>")"
  define b-net "$(device "<interface type='bridge'><source bridge='br77'/><model type='virtio'/></interface>")"
  define b-name ''
  # A stopped server of the same name on each of the others.
  for host in h1 h3; do
    sed "s|<uuid>.*</uuid>|<uuid>$(uuidgen)</uuid>|" "$BATS_FILE_TMPDIR/b-name.xml" >"$BATS_FILE_TMPDIR/b-name.$host.xml"
    on_cluster virsh -c "$(uri $host)" define "$BATS_FILE_TMPDIR/b-name.$host.xml" >&2
  done
  for vm in "${bound[@]}"; do on_cluster virsh -c "$(uri h2)" start "$vm" >&2; done
  lab vm wait "${free[@]}" "${bound[@]}" --timeout 400 >&2
  warm
}

teardown_file() { lab down >&2; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  on_cluster capwatch --window 1s --timeout 60s >facts
}

# Names in $output, sorted, on a line.
names() { jq -r "select($1).vm" <<<"$output" | sort -u | paste -sd' '; }

each_reason() { # JQ_CONDITION: each of the five is told with a word of its own
  local -A reasons
  local vm
  for vm in "${bound[@]}"; do reasons[$vm]=$(jq -r --arg vm "$vm" "select(($1) and .vm == \$vm).reason" <<<"$output" | head -1); done
  assert_regex "${reasons[b-disk]}" '/var/lib/local/data.img'
  assert_regex "${reasons[b-folder]}" '/var/lib/local/folder'
  assert_regex "${reasons[b-iso]}" '/var/lib/local/boot.iso'
  assert_regex "${reasons[b-net]}" 'br77'
  assert_regex "${reasons[b-name]}" 'virtual server of that name'
}

@test "evacuate plans the six, and names the five" {
  run -1 --separate-stderr capplan evacuate h2 --force <facts
  assert_equal "$(names '.kind == "vm_move"')" "${free[*]}"
  assert_equal "$(names '.kind == "vm_unplaced"')" "${bound[*]}"
  each_reason '.kind == "vm_unplaced"'
}

@test "rolling does not take the host down, and names one that cannot leave" {
  run -1 --separate-stderr capplan rolling h2 --force <facts
  assert_equal "$(jq -r 'select(.kind == "host_unserviceable") | [.host, .vm, .constraint] | @tsv' <<<"$output")" $'h2\tb-disk\tbound'
}

@test "a dry run of migrate refuses the five, when somebody orders them by hand" {
  run -4 --separate-stderr on_cluster migrate -n < <(plan h2 h1 "${free[@]}" "${bound[@]}")
  assert_equal "$(names '.kind == "vm_moved" and .outcome == "planned"')" "${free[*]}"
  assert_equal "$(names '.kind == "vm_moved" and .outcome == "refused"')" "${bound[*]}"
  each_reason '.kind == "vm_moved"'
}

@test "a drill of the host's death names those that start nowhere else" {
  on_cluster failover protect --all -q >/dev/null
  run -1 --separate-stderr on_cluster failover drill h2
  assert_equal "$(names '.kind == "vm_restarted" and .outcome == "planned"')" "${free[*]}"
  assert_equal "$(names '.kind == "vm_not_restarted"')" "${bound[*]}"
  on_cluster failover unprotect --all -q >/dev/null || true
}

@test "the drain does what the plans say: six are elsewhere and whole, five run where they were" {
  run -1 --separate-stderr on_cluster rackline drain h2 --force
  assert_equal "$(jq -r 'select(.kind == "host_drained").left | sort | join(" ")' <<<"$output")" "${bound[*]}"
  local vm
  for vm in "${free[@]}"; do assert_regex "$(whereabouts "$vm")" '^h[13]$'; done
  for vm in b-disk b-folder b-iso b-net; do assert_equal "$vm $(whereabouts "$vm")" "$vm h2"; done
  assert_equal "$(whereabouts b-name)" "h1(off) h2 h3(off)"
  lab vm verify "${free[@]}" "${bound[@]}"
}
