# SPDX-License-Identifier: Apache-2.0
# audit through its own command line: what passes is kept, what was done to the trail is named, and bad input is told.
# shellcheck disable=SC2154,SC2016 # stderr is set by run; $ of sed and of an inner shell
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_AUDIT=$PWD/trail
}

record() { # N [MORE]
  echo '{"kind":"vm_moved","time":"2026-11-22T12:00:0'"$1"'Z","tool":"migrate","id":"m'"$1"'","vm":"db'"$1"'","from":"h1","to":"h2","outcome":"done"'"${2:-}"'}'
}
records() { # COUNT
  local n
  for ((n = 1; n <= $1; n++)); do record "$n"; done
  echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"migrate","outcome":"ok"}'
}
says() { jq -es "[.[] | $1] | any" <<<"$output" >/dev/null || fail "$output: not $1"; }
problems() { jq -r 'select(.kind=="audit_finding") | "\(.problem) \(.first)"' <<<"$output"; }

@test "append is a tee: the same bytes come out, and each record is in the trail" {
  records 3 >in
  printf 'not a record\n\n' >>in
  audit append --actor ann --request OPS-7 <in >out 2>err || assert_equal $? 2
  assert_equal "$(cat err)" "audit: keep records: stdin: line 5 was no record; it is kept as text"
  cmp in out
  assert_equal "$(jq -r 'select(.kind=="audit_record") | .record.vm // .line' trail | head -3)" $'db1\ndb2\ndb3'
  assert_equal "$(jq -r 'select(.kind=="audit_record") | .line // empty' trail)" 'not a record'
  assert_equal "$(jq -r 'select(.kind=="audit_record") | "\(.actor) \(.host) \(.request)"' trail | sort -u)" "ann $(hostname) OPS-7"
  assert_equal "$(stat -c %a trail)" 600
  run -0 audit verify
  run -2 --separate-stderr audit append < <(record 1 && printf '\none\ntwo\n')
  assert_equal "$stderr" 'audit: keep records: stdin: 2 lines were no records (3, 4); they are kept as text'
  run -2 --separate-stderr audit append < <(seq 20)
  assert_regex "$stderr" '20 lines were no records \(the first are 1, 2, 3, 4, 5\)'
}

@test "both orders of the option that names the trail" {
  records 1 | audit append --file one >/dev/null
  records 1 | audit --file one append >/dev/null
  run -0 --separate-stderr audit verify --file one
  says 'select(.kind=="audit_verified") | .records == 4 and .outcome == "sound" and .findings == 0'
  run -0 rackline-records --schema audit_record
  jq -es 'all(.[]; .hash and .root)' one
}

@test "what is changed, removed, moved, doubled, added or cut off is named" {
  records 9 | audit append >/dev/null
  cp trail whole
  damage() { # PROBLEM EXPRESSION: sed on the whole trail
    sed "$2" whole >trail
    run -1 --separate-stderr audit verify
    assert_equal "$(problems | head -1)" "$1"
  }
  damage 'changed 5' '6s/db5/db6/'
  damage 'removed 5' 6d
  damage 'reordered 5' '6{h;d};7G'
  damage 'duplicated 5' 6p
  damage 'truncated 10' '11,$d'
  damage 'inserted null' '6i{"kind":"host_down"}'
  head -c -5 whole >trail
  run -1 --separate-stderr audit verify
  assert_equal "$(problems | head -1)" 'torn 11'
  # Somewhere else, without what is kept beside it.
  head -n 8 whole >copy
  run -1 --separate-stderr audit verify --file copy
  assert_equal "$(problems)" 'truncated 8'
  run -0 audit verify --file whole
}

@test "bytes anywhere in a thousand records, through the program" {
  local n
  for ((n = 0; n < 1000; n++)); do record $((n % 10)); done | audit append >/dev/null
  local size at byte
  size=$(stat -c %s trail)
  for ((at = 7; at < size; at += size / 25)); do
    byte=$(od -An -tu1 -j "$at" -N 1 trail)
    # shellcheck disable=SC2059 # it is the format that makes the byte
    printf "\\x$(printf %x $((byte ^ 1)))" | dd of=trail bs=1 seek="$at" conv=notrunc status=none
    run -1 --separate-stderr audit verify
    assert [ -n "$(problems)" ]
    # shellcheck disable=SC2059
    printf "\\x$(printf %x "$byte")" | dd of=trail bs=1 seek="$at" conv=notrunc status=none
  done
  run -0 audit verify
}

@test "a torn last line is repaired, said, kept and counted" {
  records 2 | audit append >/dev/null
  printf '{"kind":"audit_record","time":"2026' >>trail
  run -0 --separate-stderr audit append <<<"$(record 1)"
  assert_regex "$stderr" 'its last line was torn, 35 bytes; they are kept in line 5'
  assert_equal "$(jq -r 'select(.kind=="audit_repaired") | .torn' trail)" '{"kind":"audit_record","time":"2026'
  run -0 --separate-stderr audit verify
  says 'select(.kind=="audit_verified") | .repaired == 1 and .outcome == "sound"'
}

@test "lines that were cut off at the end are refused; who goes on without them leaves that in the trail" {
  audit key k
  for _ in 1 2 3; do record 1 | audit append --key k >/dev/null; done
  cp trail whole
  refused() {
    cp trail before
    run -4 --separate-stderr audit append --key k <<<"$(record 2)"
    assert_output ''
    assert_regex "$stderr" "trail: $1"
    assert_regex "$stderr" 'audit verify .* --accept-loss'
    cmp trail before
  }
  head -c -20 whole >trail
  refused 'line 9 is missing at its end \(there is a part of line 9\): .*/trail.head knows'
  sed -i '8,$d' trail
  refused '3 lines are missing at its end, 7 to 9: .*/trail.head knows'
  run -4 audit rotate
  run -0 --separate-stderr audit append --accept-loss --key k <<<"$(record 2)"
  assert_regex "$stderr" '3 lines are missing before line 10, which says so'
  record 3 | audit append --key k >/dev/null
  run -1 --separate-stderr audit verify --key k.pub
  assert_equal "$(problems)" 'truncated 7'
  says '.problem == "truncated" and .last == 9'
  assert_equal "$(jq -r 'select(.kind=="audit_truncated") | "\(.seq) \(.lost) \(.lost_hash)"' trail)" "10 3 $(tail -1 whole | jq -r .hash)"
}

@test "a trail of another chain, a file that is none, a broken last line: status 4, and nothing is written" {
  records 1 | audit append >/dev/null
  records 1 | audit append --file other >/dev/null
  cp other trail
  run -4 --separate-stderr audit append <<<"$(record 1)"
  assert_output ''
  assert_regex "$stderr" 'it is of chain [0-9a-f]+, and what was written here was chain'
  cmp other trail
  run -1 --separate-stderr audit verify
  assert_equal "$(problems)" 'foreign null'
  echo hello >text
  run -4 --separate-stderr audit append --file text <<<"$(record 1)"
  assert_regex "$stderr" 'text: it is not an audit trail'
  assert_equal "$(cat text)" hello
  sed -i '$s/audit_close/audit_clown/' other
  cp other before
  run -4 --separate-stderr audit append --file other <<<"$(record 1)"
  assert_regex "$stderr" 'its last line is not as it was written'
  cmp other before
  rm trail.head && records 1 | audit append --file third >/dev/null
  sed -i '$s/"records":2/"records":3/' third
  run -4 --separate-stderr audit append --file third <<<"$(record 1)"
  assert_regex "$stderr" 'third: its last line is not as it was written: it does not fit its hash'
  run -2 audit verify --file none
  run -3 audit append --file /no/such/place <<<"$(record 1)"
  run -3 audit verify --file /
  run -2 audit append --file trail.new --durable maybe <<<"$(record 1)"
}

@test "a full disk: nothing passes that is not kept, and nothing half-written stays" {
  mkdir disk
  mount -t tmpfs -o size=64k,mode=700 tmpfs disk || skip "may not mount"
  status=0
  (while record 1; do :; done 2>/dev/null) | head -n 1000 | audit append --file disk/trail >out 2>err || status=$?
  cat err
  assert_equal "$status" 3
  assert_regex "$(cat err)" 'write the trail: disk/trail: No space left on device'
  passed=$(wc -l <out)
  run audit verify --file disk/trail
  kept=$(jq 'select(.kind=="audit_verified") | .records' <<<"$output")
  umount disk
  assert [ "$kept" -ge "$passed" ]
  assert_equal "$status" 0
}

@test "a killed writer has lost nothing that passed" {
  mkfifo pipe
  audit append <pipe >out &
  pid=$!
  exec 8>pipe
  records 5 >&8
  while [ "$(wc -l <out)" -lt 6 ]; do :; done
  kill -KILL $pid
  exec 8>&-
  wait $pid || true
  run -0 --separate-stderr audit verify
  says 'select(.kind=="audit_verified") | .records == 6'
}

@test "what is acted upon is in the file before it passes, and on the disk before it passes or before the end" {
  command -v strace >/dev/null || skip "no strace"
  # A sanitizer cannot look for leaks in a process that is traced.
  export ASAN_OPTIONS=detect_leaks=0
  trace() { strace -f -e trace=write,pwrite64,fdatasync,fsync -s 200 -o trace "$@"; }
  order() { grep -nE "$1" trace | head -1 | cut -d: -f1; }
  record 1 | trace audit append --durable before >/dev/null
  assert [ "$(order 'write\([0-9]+, "\{\\"kind\\":\\"audit_record')" -lt "$(order 'fdatasync')" ]
  assert [ "$(order 'fdatasync')" -lt "$(order 'write\(1,')" ]
  # Where it left off is said after that: a writer that is killed between the two has lost nothing.
  assert [ "$(order 'write\([0-9]+, "\{\\"kind\\":\\"audit_record')" -lt "$(order 'pwrite64\(.*\\"seq\\":1,')" ]
  record 1 | trace audit append >/dev/null
  assert [ "$(order 'write\([0-9]+, "\{\\"kind\\":\\"audit_record')" -lt "$(order 'write\(1,')" ]
  assert [ "$(order 'write\([0-9]+, "\{\\"kind\\":\\"audit_record')" -lt "$(order 'fdatasync\([0-9]+\) += 0|fdatasync resumed')" ]
}

@test "verify, query and append at the same time: nobody takes what the other is doing for damage" {
  records 2 | audit append >/dev/null
  (for _ in $(seq 30); do records 9 | audit append >/dev/null; done) &
  while kill -0 $! 2>/dev/null; do
    run -0 audit verify
    run -0 audit query --kind vm_moved
  done
  wait $!
  run -0 audit verify
}

@test "a stop and a closed reader end it in order" {
  mkfifo pipe
  audit append <pipe >out &
  pid=$!
  exec 8>pipe
  records 1 >&8
  while [ "$(wc -l <out)" -lt 2 ]; do :; done
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  exec 8>&-
  assert_equal $status 143
  assert_equal "$(tail -1 trail | jq -r .kind)" audit_close
  run -0 bash -c '(while echo "{\"kind\":\"x\"}"; do :; done 2>/dev/null) | timeout 60 audit append | head -1 >/dev/null; exit "${PIPESTATUS[2]}"'
  run -0 audit verify
}

@test "checkpoints: a trail that was written anew or cut off is found" {
  audit key key
  assert_equal "$(stat -c %a key)" 600
  records 5 | audit append --key key >/dev/null
  audit checkpoint --key key >kept
  run -0 --separate-stderr audit verify --key key.pub --checkpoints kept
  says 'select(.kind=="audit_verified") | .checkpoints == 2 and .signed_to == 8 and .unsigned_lines == 0'
  cp trail whole
  head -n 8 whole >trail && rm trail.head
  run -1 --separate-stderr audit verify --key key.pub --checkpoints kept
  assert_equal "$(problems)" 'truncated 8'
  rm trail && records 5 | audit append >/dev/null
  run -1 --separate-stderr audit verify --key key.pub --checkpoints kept
  assert_regex "$(problems)" '^foreign'
  cp whole trail && rm trail.head
  audit key other
  run -1 --separate-stderr audit verify --key other.pub
  assert_regex "$(problems)" '^signature'
  run -2 --separate-stderr audit checkpoint
  assert_regex "$stderr" '--key is required'
  run -2 --separate-stderr audit checkpoint --key key.pub
  assert_regex "$stderr" 'key.pub: it is a public key'
  run -3 --separate-stderr audit verify --checkpoints nosuch
  assert_regex "$stderr" 'read the kept checkpoints: nosuch: No such file'
  records 1 | audit append --file unsigned >/dev/null
  run -1 --separate-stderr audit verify --file unsigned --key key.pub
  says '.problem == "signature" and (.reason | startswith("nothing is signed"))'
  chmod 644 key
  run -4 --separate-stderr audit checkpoint --key key
  run -3 audit key other
  openssl pkeyutl -help >/dev/null 2>&1 && openssl pkey -in other -noout
}

@test "rotation and compression keep the chain, under writers" {
  records 4 | audit append >/dev/null
  run -0 --separate-stderr audit rotate
  says 'select(.kind=="audit_part") | .part == 1 and (.file | endswith("trail.000001.zst"))'
  run -0 --separate-stderr audit rotate --larger 1GiB
  says '.kind == "end"'
  records 9 | audit append >/dev/null # so that there is something to put aside, however late the others begin
  (for _ in 1 2 3 4; do records 9 | audit append >/dev/null; done) &
  audit rotate --plain >/dev/null
  audit rotate >/dev/null
  wait $!
  run -0 --separate-stderr audit verify
  says 'select(.kind=="audit_verified") | .records == 55'
  assert_equal "$(audit query --object db3 --records | grep -c vm_moved)" 6
  zstdcat trail.000001.zst | head -1 | jq -e '.part == 1' >/dev/null
  mv trail.000001.zst away
  run -1 --separate-stderr audit verify
  assert_equal "$(problems)" 'removed 0'
  run -0 audit verify --from-part 2
  mv away trail.000001.zst
  rm trail.000002*
  run -1 audit verify
}

@test "lines that a power cut took stop nobody after the restart, and are told for good" {
  records 9 | audit append >/dev/null
  sed -i '8,$d' trail
  run -4 audit append <<<"$(record 2)"
  sed -i 's/"boot":"[0-9a-f-]*"/"boot":"00000000-0000-0000-0000-000000000000"/' trail.head
  run -0 --separate-stderr audit append <<<"$(record 2)"
  assert_regex "$stderr" 'lines are missing before line'
  run -0 --separate-stderr audit append <<<"$(record 3)"
  assert_equal "$stderr" ''
  run -1 --separate-stderr audit verify
  assert_equal "$(problems)" 'truncated 7'
}

@test "a compressed part that was damaged is a finding, and the others are judged all the same" {
  records 3 | audit append >/dev/null && audit rotate >/dev/null
  records 4 | audit append >/dev/null && audit rotate >/dev/null
  records 5 | audit append >/dev/null
  chmod u+w trail.000002.zst
  printf XXXX | dd of=trail.000002.zst bs=1 seek=60 conv=notrunc status=none
  run -1 --separate-stderr audit verify
  assert_regex "$(problems)" '^unreadable'
  assert_regex "$(problems)" 'removed'
  says 'select(.kind=="audit_verified") | .outcome != "sound" and .records >= 8'
}

@test "a part is never written over, not even by another chain" {
  records 3 | audit append >/dev/null && audit rotate >/dev/null
  sha256sum trail.000001.zst >sum
  rm trail trail.head
  records 3 | audit append >/dev/null
  run -4 --separate-stderr audit rotate
  assert_regex "$stderr" 'trail.000001.zst: another file has this name already'
  sha256sum -c sum >&2
}

@test "who verifies while others write and rotate is told of no damage" {
  records 2 | audit append >/dev/null
  (for _ in $(seq 25); do records 9 | audit append >/dev/null && audit rotate --plain >/dev/null; done) &
  while kill -0 $! 2>/dev/null; do run -0 audit verify; done
  wait $!
  run -0 --separate-stderr audit verify
  says 'select(.kind=="audit_verified") | .parts == 26'
}

@test "redaction: gone, verifiable, and said by whom and why" {
  records 4 | audit append >/dev/null
  run -0 --separate-stderr audit redact --line 2 --field record.vm --reason 'asked to forget' --actor ann
  says '.done == 1'
  run -1 grep -c '"vm":"db2"' trail
  run -0 --separate-stderr audit verify --thorough
  says 'select(.kind=="audit_verified") | .redacted == 1'
  assert_equal "$(jq -r 'select(.kind=="audit_redacted") | "\(.line) \(.fields[]) \(.reason) \(.actor)"' trail)" '2 record.vm asked to forget ann'
  run -0 --separate-stderr audit redact --line 2 --field record.vm --reason again
  says '.already == 1'
  run -2 audit redact --line 99 --field record.vm --reason r
  run -2 audit redact --line 2 --field record.none --reason r
  run -2 audit redact --line 2 --field record.vm
}

@test "queries by time, kind, object, cause, outcome and author" {
  { record 1 && record 2 ',"cause":"inc1"' && record 3 | sed 's/done/failed/'; } | audit append --actor ann >/dev/null
  record 4 | audit append --actor bob --cause inc2 >/dev/null
  ids() { audit query --records "$@" | jq -r 'select(.kind=="vm_moved").id' | tr '\n' ' '; }
  assert_equal "$(ids)" 'm1 m2 m3 m4 '
  assert_equal "$(ids --object db2)" 'm2 '
  assert_equal "$(ids --cause inc1)" 'm2 '
  assert_equal "$(ids --cause inc2)" 'm4 '
  assert_equal "$(ids --outcome failed)" 'm3 '
  assert_equal "$(ids --actor bob)" 'm4 '
  assert_equal "$(ids --since 2026-11-22T12:00:03Z)" 'm3 m4 '
  assert_equal "$(ids --until 2026-11-22T12:00:01Z --kind vm_moved)" 'm1 '
  assert_equal "$(audit query --kind audit_close | jq -r 'select(.kind=="audit_close").records')" $'3\n1'
  run -0 audit query --object db1 -o table
  assert_output --partial 'done   migrate  ann'
  run -2 audit query --since noon
  assert_equal "$(ids --limit 2 --kind vm_moved)" 'm3 m4 '
  assert_equal "$(ids --field vm=db2 --field to=h2)" 'm2 '
  assert_equal "$(TZ=UTC ids --since '2026-11-22 12:00' --until 2026-11-22T12:00:02Z --kind vm_moved)" 'm1 m2 '
  run -2 audit query --field vm
  run -0 audit query --records --object db1 -o table
  jq -es 'length == 3 and .[1].kind == "read_summary" and .[1].records == 1 and .[2].kind == "end"' <<<"$output" >/dev/null
}

@test "an incident as a story" {
  {
    echo '{"kind":"host_down","time":"2026-11-22T12:00:00Z","tool":"heartbeat","id":"t1","cause":"inc1","host":"h3","verdict":"dead","reason":"silent"}'
    echo '{"kind":"host_fenced","time":"2026-11-22T12:00:04Z","tool":"fence","id":"f1","cause":"inc1","host":"h3","method":"fence_ipmilan","verified":true}'
    record 7
    echo '{"kind":"vm_restarted","time":"2026-11-22T12:00:09Z","tool":"failover","id":"r1","fence":"f1","vm":"db1","from":"h3","to":"h1","outcome":"done"}'
  } | audit append --actor ann >/dev/null
  run -0 --separate-stderr audit trail inc1
  assert_equal "$(jq -r 'select(.kind=="audit_step") | "\(.phase) \(.by) \(.actor)"' <<<"$output")" $'seen heartbeat ann\ndone fence ann\ndone failover ann'
  run -0 audit trail r1 -o table
  assert_output --partial 'host_down'
  assert_output --partial 'VM db1  FROM h3  TO h1'
  echo '{"kind":"host_down","host":"h4","id":"3f2a9c1b77","cause":"3f2a9cffff"}' | audit append >/dev/null
  run -0 audit trail 3f2a9c1 -o table
  assert_output --partial 'HOST h4'
  run -2 --separate-stderr audit trail 3f2a9c
  assert_regex "$stderr" 'several ids begin with it: 3f2a9c1b77, 3f2a9cffff'
  run -1 --separate-stderr audit trail none
  assert_equal "$stderr" 'audit: tell: none: nothing in the trail has this id or cause'
}

@test "follow shows what comes, over a rotation" {
  records 1 | audit append >/dev/null
  audit follow --all --records >seen &
  pid=$!
  appears() {
    for _ in $(seq 600); do
      grep -q "\"id\":\"$1\"" seen && return
      sleep 0.05
    done
    fail "$1 does not appear"
  }
  appears m1
  record 2 | audit append >/dev/null
  audit rotate >/dev/null
  record 3 | audit append >/dev/null
  appears m3
  kill -TERM $pid
  wait $pid || true
  assert_equal "$(jq -r 'select(.kind=="vm_moved").id' seen | tr '\n' ' ')" 'm1 m2 m3 '
  timeout -s TERM 2 audit follow --all -o table >seen || true
  assert_equal "$(grep -c '^ *SEQ' seen)" 1
}
