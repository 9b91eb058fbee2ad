#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The arrays of the practice cluster, looked at by initiators that know nothing of it. One lab serves all tests here, in
# the order of the file.
bats_require_minimum_version 1.5.0

setup_file() {
  export LAB_PROGRAM=$BATS_TEST_DIRNAME/../../lab/lab
  export RACKLINE_LAB=arrays$$ RACKLINE_LAB_DIR=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab-arrays$$}
  "$LAB_PROGRAM" up --hosts 2
  "$LAB_PROGRAM" array up a1 --size 200
  "$LAB_PROGRAM" array up a2
}

teardown_file() { "$LAB_PROGRAM" down; }

setup() {
  bats_load_library bats-support
  bats_load_library bats-assert
}

lab() { "$LAB_PROGRAM" "$@"; }
of_consumer() { lab consumer watch "$1" | jq -r "$2"; }

# Until the consumer has written something more.
wait_for_writes() { # CONSUMER
  local before deadline=$((SECONDS + 30))
  before=$(of_consumer "$1" .writes)
  until [ "$(of_consumer "$1" .writes)" -gt "$before" ]; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

@test "luns: what they are is what initiators see" {
  lab lun create thin --array a1 --size 64
  lab lun create big --array a2 --size 100 --thick --block 4096
  lab lun create second --array a2 --target big --size 10 --read-only
  run -0 --separate-stderr lab exec iscsi-readcapacity16 "$(lab lun url big)"
  assert_line --regexp 'LENGTH IN BYTES:4096$'
  assert_line --regexp '^Total size:104857600$'
  run -0 --separate-stderr lab exec iscsi-inq -e 1 -c 128 "$(lab lun url second)"
  assert_output --partial "$(lab lun list | awk '$1 == "second" {print $9}')"
  run -0 --separate-stderr lab exec iscsi-ls -s iscsi://10.76.0.32
  assert_line --regexp '^Lun:2 +Type:DIRECT_ACCESS'
  assert_equal "$(lab lun list | awk '$1 != "LUN" {print $1, $4}' | sort | tr '\n' ' ')" 'big 100 second 0 thin 0 '
}

@test "chap: only who knows the secret sees the LUN" {
  lab lun create secret --array a2 --size 10 --mutual-chap
  run -10 lab exec iscsi-readcapacity16 "$(lab lun url secret)"
  assert_failure
  lab consumer start keeper --lun secret --mib 1
  wait_for_writes keeper
  lab consumer stop keeper
}

@test "consumer: an array that is cut off, that hangs, or that loses its power makes it wait, and loses nothing" {
  lab consumer start writer --lun thin --mib 8 --rate 300
  wait_for_writes writer
  local fault
  for fault in 'cut heal' 'freeze thaw' 'kill boot'; do
    lab array "${fault% *}" a1
    sleep 1
    lab array "${fault#* }" a1
    wait_for_writes writer
  done
  lab lun grow thin 80
  wait_for_writes writer
  run --separate-stderr lab consumer stop writer
  assert_success
  assert_equal "$(jq -c '[.errors, .wrong_blocks, .longest_stall_ms >= 1000]' <<<"$output")" '[0,0,true]'
  run -0 --separate-stderr lab exec iscsi-readcapacity16 "$(lab lun url thin)"
  assert_line --regexp '^Total size:83886080$'
}

@test "fill: where no room is left new blocks are refused, and the old ones stay" {
  lab lun create full --array a1 --size 64
  lab array fill a1
  assert_equal "$(lab array list | awk '$1 == "a1" {print $5, $6}')" '200 200'
  lab consumer start unlucky --lun full --mib 8
  wait_until_failed() { until [ "$(of_consumer unlucky .errors)" -gt 0 ]; do sleep 0.2; done; }
  wait_until_failed
  run --separate-stderr lab consumer stop unlucky
  assert_failure 1
  assert_equal "$(jq .wrong_blocks <<<"$output")" 0
  lab array fill a1 100
  lab consumer start lucky --lun full --mib 1
  wait_for_writes lucky
  lab consumer stop lucky
}

@test "a guest lives on a LUN" {
  lab lun create disk --array a2 --size 16
  lab vm create web1 --host h1 --disk lun:disk
  lab vm wait web1
  run --separate-stderr lab vm verify web1
  assert_success
  assert_equal "$(lab exec virsh -q -c qemu+tcp://10.77.0.11/system domblklist web1 | awk '{print $2}')" iqn.2026-11.lab:disk/1
  assert [ "$(lab lun list | awk '$1 == "disk" {print $4}')" -ge 1 ]
  lab vm destroy web1
}

@test "deleted is gone, and down leaves no process" {
  lab lun delete second
  lab lun delete disk
  run lab lun url disk
  assert_failure
  local pid
  read -r pid _ <"$RACKLINE_LAB_DIR/$RACKLINE_LAB/arrays/a2/pid"
  lab array down a2
  run kill -0 "$pid"
  assert_failure
  assert_equal "$(lab array list | awk 'NR > 1 {print $1}')" a1
}
