#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lunwatch on the practice cluster's arrays. One lab serves all tests here, in the order of the file.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup_file() {
  export LAB_PROGRAM=$BATS_TEST_DIRNAME/../../lab/lab
  export LAB_NAME=lunwatch$$ RACKLINE_LAB_DIR=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab-lunwatch$$}
  export RACKLINE_LAB=$LAB_NAME
  "$LAB_PROGRAM" up --hosts 2
  "$LAB_PROGRAM" array up a1 --size 200
  "$LAB_PROGRAM" array up a2 --size 300
  "$LAB_PROGRAM" array up a3
  "$LAB_PROGRAM" lun create thin --array a1 --size 64
  "$LAB_PROGRAM" lun create big --array a2 --size 100 --thick --block 4096
  "$LAB_PROGRAM" lun create second --array a2 --target big --size 10 --read-only
  "$LAB_PROGRAM" lun create secret --array a2 --size 10 --chap
}

teardown_file() { RACKLINE_LAB=$LAB_NAME "$LAB_PROGRAM" down; }

setup() { export RACKLINE_LAB=$LAB_NAME; } # the helper has forgotten it

lab() { "$LAB_PROGRAM" "$@"; }
until_written() { # PATTERN FILE
  local deadline=$((SECONDS + 60))
  until grep -qs "$1" "$2"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
watch() { lab exec -- lunwatch "$@"; }
lun() { jq -c "select(.kind == \"lun_sample\" and .lun == \"$1\") | $2" <<<"$output"; }
array() { jq -c "select(.kind == \"array_sample\" and .array == \"$1\") | $2" <<<"$output"; }

@test "one round: arrays, their LUNs, round_end, end; every line as the description says" {
  run -0 --separate-stderr watch
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  assert_equal "$(jq -rs 'map(.kind) | group_by(.) | map("\(length) \(.[0])") | join(", ")' <<<"$output")" \
    "3 array_sample, 1 end, 4 lun_sample, 1 round_end, 1 storage_summary"
  assert_equal "$(jq -c 'select(.kind == "round_end") | [.arrays, .arrays_up, .luns]' <<<"$output")" '[3,3,4]'
  assert_equal "$(lun thin '[.array, .size_bytes, .block_bytes, .thin, .read_only, .discard, .in_use, .consumers]')" \
    '["a1",67108864,512,true,false,"claimed","no",[]]'
  assert_equal "$(lun big/1 '[.size_bytes, .block_bytes, .allocated_bytes, .thin]')" '[104857600,4096,104857600,false]'
  assert_equal "$(lun big/2 '[.lun_number, .read_only]')" '[2,true]'
  assert_equal "$(lun big/2 .serial)" "\"$(lab lun list | awk '$1 == "second" {print $9}')\""
}

@test "room: what a file system has left, also where others fill it" {
  run -0 watch a1 a2
  assert_equal "$(array a2 '[.size_bytes, .used_bytes >= 104857600, .luns, .promised_bytes]')" '[314572800,true,3,null]'
  assert_equal "$(array a1 '[.free_bytes + .used_bytes == .size_bytes, .promised_bytes, .probe_p50_ms > 0]')" '[true,67108864,true]'
  lab array fill a1 20
  run -0 watch a1
  assert_equal "$(array a1 '.free_bytes')" 20971520
  lab array fill a1 190
}

@test "a target that does not let us in is known by what its array says" {
  run -0 watch a2
  assert_equal "$(lun secret '[.size_bytes, .in_use, (.error | test("(?i)auth")), .sources]')" '[null,"no",true,["tgt"]]'
}

@test "a consumer is named, and what it does is counted; our own reads are not" {
  lab consumer start writer --lun thin --mib 8 --rate 200
  sleep 1
  run -0 watch a1 --window 2s
  assert_equal "$(lun thin '[.in_use, (.consumers | length), (.consumers[0] | startswith("iqn.2026-11.lab:consumer-writer@"))]')" '["yes",1,true]'
  assert_equal "$(lun thin '.write_iops + .read_iops | . > 20 and . < 400')" true
  assert_equal "$(array a1 '.window_ms >= 2000')" true
  lab consumer stop writer >/dev/null
  run -0 watch a1 --window 1s
  assert_equal "$(lun thin '[.in_use, .write_iops, .read_iops]')" '["no",0,0]'
}

@test "an array that hangs, is cut off or has no power is a record, and delays no other" {
  lab array freeze a2
  lab array kill a3
  run -0 --separate-stderr watch
  assert_equal "$(array a1 .state)$(array a2 .state)$(array a3 .state)" '"up""timeout""unreachable"'
  assert_equal "$(jq -rs 'map(select(.kind == "array_sample") | .array)[-1]' <<<"$output")" a2
  assert_equal "$(array a1 '.elapsed_ms < 9000')" true
  [[ $stderr == *"2 of 3 arrays gave no answer"* ]]
  lab array thaw a2
  lab array boot a3
  run -0 --separate-stderr watch
  assert_equal "$(jq -c 'select(.kind == "round_end") | [.arrays, .arrays_up, .luns]' <<<"$output")" '[3,3,4]'
}

@test "without a driver: the same LUNs, by what every target answers" {
  lab inventory | jq -c 'select(.array == "a1") | .driver = "scsi" | del(.admin)' >"$BATS_TEST_TMPDIR/inventory"
  run -0 --separate-stderr watch --inventory "$BATS_TEST_TMPDIR/inventory"
  assert_equal "$(lun thin '[.size_bytes, .in_use, .sources, .consumers, .write_iops]')" '[67108864,"unknown",["scsi"],null,null]'
  # What the consumer wrote is mapped.
  assert_equal "$(lun thin '.allocated_bytes >= 4096 and .allocated_bytes <= 8388608')" true
  assert_equal "$(array a1 '.size_bytes')" null
}

@test "two LUNs of one identity are named" {
  lab lun create twin --array a3 --size 8 --serial same
  lab lun create other --array a1 --size 8 --serial same
  run -0 watch a1 a3
  assert_equal "$(jq -c 'select(.kind == "identity_conflict") | [.identity, .value, .luns]' <<<"$output")" '["serial","same",["a1/other","a3/twin"]]'
  lab lun delete twin
  lab lun delete other
}

@test "rounds go on, and see what comes and goes; --record keeps them" {
  "$LAB_PROGRAM" exec -- lunwatch a3 --interval 1s --record "$BATS_TEST_TMPDIR/rounds" >"$BATS_TEST_TMPDIR/out" &
  local watcher=$!
  until_written '"round":1' "$BATS_TEST_TMPDIR/out"
  lab lun create late --array a3 --size 8
  until_written '"lun":"late"' "$BATS_TEST_TMPDIR/out"
  lab lun delete late
  kill "$watcher"
  wait "$watcher" || true
  rackline-records --check <"$BATS_TEST_TMPDIR/rounds"
  assert_equal "$(tail -1 "$BATS_TEST_TMPDIR/rounds" | jq -r .kind)" end
}

@test "inventories that cannot be are refused" {
  local line
  while read -r line; do
    echo "$line" >"$BATS_TEST_TMPDIR/bad"
    run -2 --separate-stderr lunwatch --inventory "$BATS_TEST_TMPDIR/bad"
  done <<'END'
{"kind":"host","host":"h1","uri":"test:///default"}
{"kind":"array","array":"../a","portal":"iscsi://10.0.0.1"}
{"kind":"array","array":"a","portal":"10.0.0.1"}
{"kind":"array","array":"a","portal":"iscsi://user:secret@10.0.0.1"}
{"kind":"array","array":"a","portal":"iscsi://10.0.0.1","driver":"lio"}
{"kind":"array","array":"a","portal":"iscsi://10.0.0.1","admin":["ssh","a"]}
{"kind":"array","array":"a","portal":"iscsi://10.0.0.1","chap_user":"u"}
END
  printf '%s\n' '{"kind":"array","array":"a","portal":"iscsi://10.0.0.1"}' '{"kind":"array","array":"b","portal":"iscsi://10.0.0.1:3260"}' >"$BATS_TEST_TMPDIR/bad"
  run -2 --separate-stderr lunwatch --inventory "$BATS_TEST_TMPDIR/bad"
  assert_equal "$stderr" "lunwatch: read the inventory: $BATS_TEST_TMPDIR/bad: line 2: arrays a and b have one portal"
}

@test "tgtadm that prints nonsense, or half of it, makes the array unreachable and no LUN unused" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  local text
  for text in 'Target x: y' 'hello' $'Target 1: iqn\n    LUN information:\n        LUN: one'; do
    printf '#!/bin/sh\ncat <<"END"\n%s\nEND\n' "$text" >"$BATS_TEST_TMPDIR/bin/tgtadm"
    chmod 755 "$BATS_TEST_TMPDIR/bin/tgtadm"
    echo '{"kind":"array","array":"a","portal":"iscsi://127.0.0.1:1","driver":"tgt"}' >"$BATS_TEST_TMPDIR/inventory"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -3 --separate-stderr lunwatch --inventory "$BATS_TEST_TMPDIR/inventory"
    assert_equal "$(jq -c 'select(.kind == "array_sample") | [.state, .luns]' <<<"$output")" '["unreachable",null]'
  done
}

# rounds HOURS: as lunwatch writes them, one an hour; USED of round I is in bytes.
rounds() { # HOURS USED
  jq -nc --argjson hours "$1" "
    range(\$hours) as \$i | (1800000000 + 3600 * \$i | todate) as \$t |
    {kind: \"array_sample\", time: \$t, tool: \"lunwatch\", array: \"a1\", state: \"up\", size_bytes: 1000000, used_bytes: ($2 | floor)},
    {kind: \"round_end\", time: \$t, tool: \"lunwatch\", round: (\$i + 1), at_ms: (3600000 * \$i)}"
  echo '{"kind":"end","time":"2027-01-30T00:00:00Z","tool":"lunwatch","outcome":"ok"}'
}

@test "replay: an array that fills is told once, and when it is full" {
  rounds 200 '700000 + 1000 * $i' >"$BATS_TEST_TMPDIR/rec"
  run -0 --separate-stderr lunwatch --replay "$BATS_TEST_TMPDIR/rec" --span 4h
  rackline-records --check <<<"$output"
  assert_equal "$(jq -c 'select(.kind == "fluctuation") | [.object, .array, .resource, .direction, .threshold]' <<<"$output")" '["array","a1","space","above",85]'
  # 101,000 bytes are left after the last round, at 1,000 an hour.
  assert_equal "$(jq -s 'map(select(.kind == "array_usage"))[-1] | (.days_to_full * 24 | round), .used_trend_bytes_per_hour' <<<"$output" | paste -sd' ')" '101 1000'
}

@test "replay: a nightly job that cleans up after itself fills nothing" {
  rounds 200 '500000 + (if $i % 24 < 6 then 300000 else 0 end)' >"$BATS_TEST_TMPDIR/rec"
  run -0 --separate-stderr lunwatch --replay "$BATS_TEST_TMPDIR/rec"
  assert_equal "$(jq -sc 'map(select(.kind == "array_usage"))[-1] | [.used_trend_bytes_per_hour, .days_to_full]' <<<"$output")" '[0,null]'
}

@test "--listen: what Prometheus finds is the last round" {
  "$LAB_PROGRAM" exec -- lunwatch a1 --interval 1s --listen 127.0.0.1:9751 >"$BATS_TEST_TMPDIR/out" &
  local watcher=$!
  until_written '"round":1' "$BATS_TEST_TMPDIR/out"
  run -0 lab exec -- curl -s http://127.0.0.1:9751/metrics
  kill "$watcher"
  wait "$watcher" || true
  assert_line 'rackline_array_up{array="a1"} 1'
  assert_line --regexp '^rackline_lun_size_bytes\{array="a1",lun="thin"\} 67108864$'
}

@test "names for completion" {
  run -0 --separate-stderr watch --list arrays
  assert_output $'a1\na2\na3'
  run -0 --separate-stderr watch --list luns
  assert_output $'big/1\nbig/2\nsecret\nthin'
}
