#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# storage-bench: lunbalance against other rules on recorded disks.
# shellcheck disable=SC2154 # stderr comes from run --separate-stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

hours() { awk -v policy="$1" '$1 == policy { print $2 }' <<<"$output"; }

@test "on recorded disks lunbalance spares overload, and no LUN goes back to where it was" {
  disks=$REPO/../shared/data/disk-load
  [ -e "$disks" ] || skip "$disks is absent"
  for arrays in 8 16; do
    run -0 storage-bench --disks "$disks" --arrays "$arrays" --seed 3
    assert [ "$(awk -v a="$(hours ours)" -v b="$(hours none)" -v c="$(hours space)" 'BEGIN { print (a < b / 2 && a < c / 2) }')" = 1 ]
    assert_equal "$(awk '$1 == "ours" { print $6 }' <<<"$output")" 0
  done
}

@test "disks that cannot be read are refused" {
  run -2 storage-bench --disks nowhere
  mkdir empty broken
  run -2 storage-bench --disks empty
  echo 'interval,reads' >broken/a.csv
  run -2 storage-bench --disks broken
  printf '%s\n' 'interval,reads,writes,read_bytes,write_bytes,working_set_bytes' '0,1,2,x,4,5' >broken/a.csv
  run -2 storage-bench --disks broken
  assert_output --partial 'no number'
}
