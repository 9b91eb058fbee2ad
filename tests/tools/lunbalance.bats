#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lunbalance: what it makes of streams, files and options. That plans are safe at every instant is shown by the unit
# tests.
# shellcheck disable=SC2154 # stderr comes from run --separate-stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

T='"time":"2026-11-22T12:00:00Z","tool":"test"'
G=1073741824

# array NAME USED_GIB [FIELDS], lun NAME ARRAY GIB [FIELDS]: an array of 100 GiB, a thick LUN that nobody uses.
array() { echo "{\"kind\":\"array_sample\",$T,\"array\":\"$1\",\"state\":\"up\",\"size_bytes\":$((100 * G)),\"used_bytes\":$(($2 * G))${3:+,$3}}"; }
lun() { echo "{\"kind\":\"lun_sample\",$T,\"lun\":\"$1\",\"array\":\"$2\",\"iqn\":\"iqn.2026-11.test:$1\",\"lun_number\":1,\"serial\":\"S-$1\",\"size_bytes\":$(($3 * G)),\"allocated_bytes\":$(($3 * G)),\"in_use\":\"no\"${4:+,$4}}"; }
with() { jq -c ". + {$1}"; } # other values than these
round_end() { echo "{\"kind\":\"round_end\",$T,\"round\":${1:-1}}"; }
end() { echo "{\"kind\":\"end\",$T,\"outcome\":\"${1:-ok}\"}"; }

# Three arrays, of which a1 is fuller than 80%.
cluster() {
  local i
  array a1 90 && array a2 40 && array a3 50
  for i in {1..9}; do lun "x$i" a1 10; done
  for i in {1..4}; do lun "y$i" a2 10; done
  for i in {1..5}; do lun "z$i" a3 10; done
}
one_round() { cluster && round_end && end; }

moves() { jq -rc 'select(.kind == "lun_move") | [.lun, .from, .to] | @tsv' <<<"$output"; }
of() { jq -rc "select(.kind == \"$1\") | $2" <<<"$output"; }

@test "a full array is relieved, every record is valid and the last one is end" {
  one_round >facts
  run -0 --separate-stderr lunbalance balance <facts
  assert_equal "$stderr" ''
  assert_equal "$(moves | cut -f2 | sort -u)" a1
  assert_equal "$(of lun_move .reason | cut -d ';' -f 1 | sort -u)" 'a1 space 90% > 80%'
  assert_equal "$(jq -rs '.[-1] | [.kind, .outcome] | @tsv' <<<"$output")" $'end\tok'
  assert_equal "$(jq -rs '.[-2] | .kind == "plan_summary" and .rounds == 1 and .moves > 0 and .score_after < .score_before and .bytes > 0 and .gain_per_tib > 0' <<<"$output")" true
  assert_equal "$(of lun_move '[.way, .expires, .serial == "S-" + .lun]' | sort -u)" '["copy","2026-11-22T13:00:00Z",true]'
  rackline-records --check <<<"$output" >/dev/null
  lunbalance <facts >one
  lunbalance balance <facts >other
  run -0 cmp one other
}

@test "planning again on the result gives an empty plan" {
  one_round >facts
  lunbalance <facts >plan
  jq -c --slurpfile plan plan '
    ([$plan[] | select(.kind == "lun_move")]) as $moves
    | if .kind == "lun_sample" then .lun as $l | ([$moves[] | select(.lun == $l)] | last) as $m
        | if $m then .array = $m.to else . end
      elif .kind == "array_sample" then .array as $a
        | .used_bytes += ([$moves[] | select(.to == $a).allocated_bytes] | add // 0)
                       - ([$moves[] | select(.from == $a).allocated_bytes] | add // 0)
      else . end' facts >after
  run -0 lunbalance <after
  assert_equal "$(moves)" ''
  assert_output --partial '"kind":"no_beneficial_move"'
}

# https://github.com/TheJJ/ceph-balancer/issues/47: counts are even, so nothing moves although sizes are not.
@test "bytes even out over two empty arrays beside six at 80%" {
  run -0 lunbalance --force --max-per-array 100 < <(
    for a in {1..6}; do
      array "a$a" 80
      for i in {1..8}; do lun "l$a$i" "a$a" 10; done
    done
    array b1 0 && array b2 0 && round_end && end
  )
  assert_equal "$(moves | cut -f3 | sort -u | tr '\n' ' ')" 'b1 b2 '
  assert_equal "$(moves | cut -f3 | sort | uniq -c | awk '$1 < 4')" ''
  assert_equal "$(jq -cs '.[-2] | .score_after < .score_before / 3' <<<"$output")" true
}

@test "as many LUNs here as there, of other sizes: bytes count" {
  run -0 lunbalance --force < <(
    array a1 75 && array a2 5
    for i in {1..5}; do lun "big$i" a1 15 && lun "small$i" a2 1; done
    round_end && end
  )
  refute [ -z "$(moves)" ]
}

# https://github.com/TheJJ/ceph-balancer/issues/63: draining overfills the others.
@test "an array is emptied as far as the others stay below their threshold, and who stays is told" {
  run -0 --separate-stderr lunbalance evacuate a3 < <(array a1 60 && array a2 60 && array a3 30 &&
    for i in {1..6}; do lun "x$i" a1 10 && lun "y$i" a2 10; done && for i in {1..3}; do lun "z$i" a3 10; done && round_end && end)
  assert_equal "$(moves | wc -l)" 3
  run -1 --separate-stderr lunbalance evacuate a3 < <(array a1 65 && array a2 70 && array a3 30 &&
    for i in {1..3}; do lun "z$i" a3 10; done && round_end && end)
  assert_equal "$(moves | wc -l)" 2
  assert_equal "$(of lun_unplaced .reason)" 'a1: 5GiB below the threshold missing; a2: 10GiB below the threshold missing'
  assert_equal "$(jq -rs '.[-1] | [.outcome, .unplaced] | @tsv' <<<"$output")" $'ok\t1'
}

@test "who may not move is told, and stays also where an array is emptied" {
  facts() { array a1 90 && array a2 10 && lun x a1 20 | with "$1" && round_end && end; }
  why() { run -1 lunbalance evacuate a1 < <(facts "$1"); of lun_unplaced .reason; }
  assert_equal "$(why '"reservation_keys":2')" 'keys of persistent reservations are registered with it'
  assert_equal "$(why '"consumers":["iqn.a@1","iqn.b@2"]')" 'it has several consumers'
  assert_equal "$(why '"size_bytes":null')" 'its size is unknown'
  run -1 lunbalance evacuate a1 < <(array a1 90 && array a2 10 && lun x a1 20 && lun y a1 20 | with '"serial":"S-x"' && round_end && end)
  assert_equal "$(of lun_unplaced .reason | sort -u)" 'another LUN has its identity'
  run -1 lunbalance evacuate a1 < <(array a1 90 && array a2 10 && lun x a1 20 && lun x a2 20 && round_end && end)
  assert_equal "$(of lun_unplaced .reason)" 'it is seen on two arrays'
}

@test "unknown use counts as use: the consumer goes on meanwhile" {
  run -0 lunbalance evacuate a1 < <(array a1 20 && array a2 10 && lun x a1 10 | with '"in_use":"unknown"' && lun y a1 10 && round_end && end)
  assert_equal "$(of lun_move '[.lun, .in_use, .way]' | sort)" $'["x","unknown","transit"]\n["y","no","copy"]'
}

@test "a place by size and tier, where it is then below the threshold" {
  facts() { array a1 10 '"tier":"fast"' && array a2 5 '"tier":"bulk"' && array a3 60 '"tier":"fast"' && round_end && end; }
  run -0 lunbalance place --size 20GiB --tier fast < <(facts)
  assert_equal "$(of lun_place '[.lun, .array, .size_bytes]')" "[\"new\",\"a1\",$((20 * G))]"
  run -1 lunbalance place --size 75GiB --tier fast < <(facts)
  assert_equal "$(of lun_unplaced .reason)" 'a1: 5GiB below the threshold missing; a2: another tier (bulk instead of fast); a3: 55GiB below the threshold missing'
  run -0 lunbalance place < <(echo "{\"kind\":\"lun_request\",\"lun\":\"a\",\"size_bytes\":$((50 * G))}" &&
    echo "{\"kind\":\"lun_request\",\"lun\":\"b\",\"size_bytes\":$((20 * G)),\"tier\":\"fast\"}" && facts)
  assert_equal "$(of lun_place '[.lun, .array]' | sort)" $'["a","a2"]\n["b","a1"]'
  for request in '"size_bytes":0' '"size_bytes":-5' '"lun":"n"' '"size_bytes":1,"iops":-1' '"size_bytes":9007199254740993'; do
    run -2 --separate-stderr lunbalance place < <(echo "{\"kind\":\"lun_request\",\"lun\":\"n\",$request}" && facts)
    refute_output --partial lun_place
  done
}

@test "blocks, encryption, drained arrays and rules are respected" {
  constraint() { of lun_explanation 'select(.target == "a2").constraint'; }
  facts() { array a1 90 && array a2 10 "$1" && lun x a1 30 '"block_bytes":512' && round_end && end; }
  run -0 lunbalance explain x < <(facts '"block_bytes":4096')
  assert_equal "$(constraint)" block
  run -0 lunbalance explain x < <(facts '"drained":true')
  assert_equal "$(constraint)" drained
  run -0 lunbalance explain x < <(facts '"tier":"bulk"')
  assert_equal "$(constraint)" tier
  run -0 lunbalance explain x < <(facts '"encrypted":false' | sed 's/"array":"a1","state"/"encrypted":true,"array":"a1","state"/')
  assert_equal "$(constraint)" encryption
  run -0 lunbalance explain x < <(echo '{"kind":"placement_rule","rule":"pin","luns":["x"],"arrays":["a1"]}' && facts '"tier":null')
  assert_equal "$(constraint)" pin
  run -0 lunbalance evacuate a1 < <(echo '{"kind":"placement_rule","rule":"anti_affinity","luns":["x","y"]}' &&
    array a1 20 && array a2 10 && array a3 30 && lun x a1 10 && lun y a2 5 && round_end && end)
  assert_equal "$(moves)" $'x\ta1\ta3'
  for rule in '"rule":"pin","luns":["x"]' '"rule":"depends","luns":["x"]' '"rule":"affinity","luns":[]' '"luns":["x"]'; do
    run -2 --separate-stderr lunbalance < <(echo "{\"kind\":\"placement_rule\",$rule}" && one_round)
    refute_output --partial lun_move
  done
  # One about virtual servers is somebody else's, and capplan leaves one about LUNs alone.
  run -0 lunbalance < <(echo '{"kind":"placement_rule","rule":"stay","vms":["x1"]}' && one_round)
  run -0 capplan place < <(echo '{"kind":"placement_rule","rule":"pin","luns":["x"],"arrays":["a1"]}' && round_end && end)
}

@test "an array of which too little is known takes no part, and is named" {
  left_out() { run -0 --separate-stderr lunbalance -v < <(cluster | jq -c "if .array == \"a2\" and .kind == \"array_sample\" then $1 else . end" && round_end && end); }
  for change in '.state = "timeout"' '.size_bytes = null' '.size_bytes = 0' '.used_bytes = -5' '.time = "2026-11-22T11:50:00Z"' '.luns = 9'; do
    left_out "$change"
    assert_regex "$stderr" 'a2 is left out: '
    refute [ -z "$(moves)" ]
    assert_equal "$(moves | cut -f3 | grep -c a2)" 0
  done
  run -0 --separate-stderr lunbalance -v < <(array a2 20 && one_round)
  assert_regex "$stderr" 'a2 is left out: there are two samples of it'
  run -3 lunbalance evacuate a2 < <(array a2 20 && one_round)
  run -2 lunbalance evacuate nowhere < <(one_round)
  run -3 lunbalance check < <(array a1 10 | with '"state":"timeout"' && round_end && end)
}

@test "lines that cannot be read are left out and counted, and make less be done" {
  bad() { cluster && printf '%s\n' "$1" && round_end && end; }
  torn='{"kind":"lun_sample","lun":"x1","arr'
  for line in "$torn" $'{"kind":"lun_sample","lun":"\xff\xfe","array":"a1"}' '[]' '{"kind":"array_sample","array":7}'; do
    run -0 --separate-stderr lunbalance < <(bad "$line")
    assert_equal "$(jq -rs '.[-1].skipped' <<<"$output")" 1
    assert_equal "$(moves)" ''
    assert_regex "$stderr" 'line 22'
  done
  run -0 --separate-stderr lunbalance < <(bad "{\"kind\":\"lun_sample\",\"lun\":\"$(head -c 1100000 /dev/zero | tr '\0' x)")
  assert_equal "$(moves)" ''
  # What a later version has is no mistake.
  run -0 --separate-stderr lunbalance < <(cluster | sed 's/"kind"/"colour":"red","kind"/' && echo '{"kind":"strange"}' && round_end && end)
  assert_equal "$stderr" ''
  assert_output --partial '{"kind":"strange"}'
  refute [ -z "$(moves)" ]
}

@test "a stream without its end is refused, and nothing is decided on half a round" {
  run -2 lunbalance < <(cluster)
  assert_equal "$(moves)" ''
  assert_output --partial 'no end record'
  run -2 lunbalance evacuate a1 < <(cluster && round_end)
  assert_equal "$(moves)" ''
  run -2 lunbalance evacuate a1 < <(cluster && round_end && end failed)
  run -0 lunbalance < <(end)
  assert_equal "$(moves)" ''
}

@test "what has moved stays, and goes back to no array that it left" {
  moved() { # LUN FROM TO TIME
    echo "{\"kind\":\"lun_moved\",\"time\":\"$4\",\"tool\":\"t\",\"id\":\"1\",\"lun\":\"$1\",\"iqn\":\"iqn.2026-11.test:$1\",\"lun_number\":1,\"serial\":\"S-$1\",\"from\":\"$2\",\"to\":\"$3\",\"outcome\":\"${5:-done}\"}"
  }
  facts() { array a1 90 && array a2 20 && lun x a1 20 && round_end && end; }
  run -0 lunbalance < <(facts)
  assert_equal "$(moves)" $'x\ta1\ta2'
  moved x a3 a1 2026-11-22T11:45:00Z >history
  run -0 lunbalance --history history < <(facts)
  assert_equal "$(moves)" ''
  moved x a2 a1 2026-11-19T11:00:00Z >history
  run -0 lunbalance --history history < <(facts)
  assert_equal "$(moves)" ''
  run -0 lunbalance explain x --history history < <(facts)
  assert_equal "$(of lun_explanation 'select(.target == "a2") | [.answer, .constraint]')" '["forbidden","returned"]'
  run -0 lunbalance --no-return 1d --history history < <(facts)
  assert_equal "$(moves)" $'x\ta1\ta2'
  for i in {1..6}; do moved x "b$i" a1 2026-11-22T01:00:00Z; done >history
  run -0 lunbalance --history history < <(facts)
  assert_equal "$(moves)" ''
  moved x a2 a1 2026-11-22T11:00:00Z refused >history
  run -0 lunbalance --history history < <(facts)
  assert_equal "$(moves)" $'x\ta1\ta2'
  for i in {1..8}; do moved "other$i" a3 a2 2026-11-22T01:00:00Z; done >history
  run -0 lunbalance --history history --max-per-array 8 < <(facts)
  assert_equal "$(moves)" ''
  run -0 lunbalance --history history --max-per-array 9 < <(facts)
  assert_equal "$(moves)" $'x\ta1\ta2'
}

@test "check and headroom answer by their exit status" {
  run -1 lunbalance check < <(one_round)
  assert_equal "$(of storage_check '[.balanced, .arrays, .luns, .arrays_over, .reason]')" '[false,3,18,1,"a1 space 90% > 80%; what is occupied is uneven"]'
  run -0 lunbalance check --imbalance 0.5 --space-threshold 95 < <(one_round)
  run -0 lunbalance headroom --size 10GiB --at-least 7 < <(one_round)
  assert_equal "$(of lun_headroom '[.fits, .size_bytes, .constraint]')" "[7,$((10 * G)),\"space\"]"
  assert_equal "$(of array_room '[.array, .fits]' | tr '\n' ' ')" '["a1",0] ["a2",4] ["a3",3] '
  run -1 lunbalance headroom --size 10GiB --at-least 8 < <(one_round)
  run -0 lunbalance headroom < <(one_round)
}

@test "explain tells of each array why, and of an array who leaves it" {
  run -0 lunbalance explain y1 < <(one_round)
  assert_equal "$(of lun_explanation 'select(.target == null) | [.lun, .answer]')" '["y1","stays"]'
  assert_equal "$(of lun_explanation 'select(.target == "a1") | [.answer, .constraint]')" '["forbidden","space"]'
  run -0 lunbalance explain a1 < <(one_round)
  assert_equal "$(of lun_explanation 'select(.lun == null) | [.array, .answer]')" '["a1","gives"]'
  run -2 lunbalance explain nobody < <(one_round)
}

@test "a table has a bar for each array" {
  run -0 lunbalance -o table < <(one_round)
  assert_output --partial 'SPACE'
  assert_output --regexp 'a1 .* 90% -> 80% .* 9 -> 8'
}
