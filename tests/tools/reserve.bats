# SPDX-License-Identifier: Apache-2.0
# The reservation ledger through its program: what is granted and refused, who is told what, and what a ledger is like
# after everything that can befall it.
load ../helper
load ../reserve

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/ledger.db
  reserve pool add rack1 --capacity cpu=64,memory=512GiB >/dev/null
}

teardown() {
  if mountpoint -q small; then umount small; fi
  # Whatever a test has done, the ledger adds up, and an independent reader finds nothing over-granted.
  [ -n "${damaged:-}" ] || { reserve check >/dev/null && [ -z "$(over_granted ledger.db)" ]; }
}

field() { jq -r "select(.kind == \"$1\") | $2" <<<"$output"; }

@test "a claim is granted with exit 0, one that cannot be had is refused with exit 1 and all that is to be known" {
  run -0 --separate-stderr reserve claim rack1 --owner web --amount cpu=4,memory=16GiB
  assert_equal "$stderr" ""
  assert_equal "$(field reservation '[.pool, .owner, .state, .outcome, .cpu_cores, .memory_bytes] | map(tostring) | join(" ")')" \
    "rack1 web active granted 4 17179869184"
  rackline-records --check <<<"$output"
  run -0 reserve claim rack1 --owner db --amount cpu=50 --for 2h --id db
  run -1 --separate-stderr reserve claim rack1 --owner ci --amount cpu=16,memory=1GiB --for 1h
  rackline-records --check <<<"$output"
  assert_equal "$(field request_refused '[.constraint, .resource, .requested, .available, .missing, .held_by[0]] | map(tostring) | join(" ")')" \
    "capacity cpu 16 10 6 cpu=50 db db"
  # It fits when db's ends.
  assert_equal "$(field request_refused .fits_at)" "$(reserve list --id db | jq -r 'select(.kind == "reservation").until')"
  assert_equal "${#stderr_lines[@]}" 1
  assert_regex "$stderr" "^reserve: claim: rack1: .*lacks 6 of 16 cpu"
}

@test "all or nothing: what is free of one resource is not taken when another is missing" {
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=1,memory=600GiB
  assert_equal "$(field request_refused .resource)" memory
  run -0 reserve claim rack1 --owner x --amount cpu=64
}

@test "what ends is free again without a daemon" {
  reserve claim rack1 --owner x --amount cpu=64 --for 3s
  run -1 --separate-stderr reserve claim rack1 --owner y --amount cpu=1
  sleep 3.1
  run -0 reserve claim rack1 --owner y --amount cpu=64
  run -0 reserve list
  assert_equal "$(field reservation .owner)" y
  run -0 reserve list --all
  assert_equal "$(field reservation '"\(.owner) \(.state)"')" $'x ended\ny active'
}

@test "an id can be claimed once, extended and released; repeating each of them is safe" {
  run -0 reserve claim rack1 --owner x --amount cpu=40 --for 1h --id job
  run -0 reserve claim rack1 --owner x --amount cpu=40 --for 1h --id job
  assert_equal "$(field reservation .outcome)" already
  run -1 --separate-stderr reserve claim rack1 --owner y --amount cpu=40 --id job
  assert_equal "$(field request_refused .constraint)" duplicate
  until=$(reserve list | jq -r 'select(.kind == "reservation").until | fromdate')
  run -0 reserve extend job --for 30m
  assert_equal "$(field reservation '.until | fromdate')" $((until + 1800))
  run -0 reserve extend job --until "$(date -u -d "@$((until + 1800))" +%FT%TZ)"
  assert_equal "$(field reservation .outcome)" already
  run -0 reserve release job
  assert_equal "$(field reservation '"\(.outcome) \(.state)"')" "released released"
  run -0 reserve release job
  assert_equal "$(field reservation .outcome)" already
  run -1 --separate-stderr reserve release nothing
  assert_equal "$(field request_refused .constraint)" unknown_id
}

@test "a reservation of next week holds next week and not today" {
  from=$(date -u -d '+7 days' +%FT00:00:00Z) until=$(date -u -d '+8 days' +%FT00:00:00Z)
  run -0 reserve claim rack1 --owner x --amount cpu=64 --from "$from" --until "$until"
  assert_equal "$(field reservation .state)" pending
  run -0 reserve claim rack1 --owner y --amount cpu=64 --until "$from"
  run -1 --separate-stderr reserve claim rack1 --owner z --amount cpu=1
  run -0 reserve list --at "$from"
  assert_equal "$(field reservation .owner)" x
}

@test "every weekday from 8 to 18 leaves the nights and weekends" {
  run -0 reserve claim rack1 --owner office --amount cpu=64 --every "weekdays 8-18" --for 28d
  # In the middle of such a day, that one counts as well.
  assert_regex "$(field reservation .occurrences)" "^2[01]\$"
  run -0 reserve claim rack1 --owner night --amount cpu=64 --every "daily 18-8" --for 28d
  run -0 reserve claim rack1 --owner weekend --amount cpu=64 --every "sat,sun 8-18" --for 28d
  run -1 --separate-stderr reserve claim rack1 --owner z --amount cpu=1 --every "mon 9-10" --for 28d
  run -2 --separate-stderr reserve claim rack1 --owner z --amount cpu=1 --every "someday 9-10"
  assert_regex "$stderr" 'no day'
}

@test "requests as JSON lines: one result each, in their order; those of a batch together or not at all" {
  request() { jq -nc --arg pool "$1" --arg amount "$2" '{kind: "reservation_request", pool: $pool, owner: "b", amount: $amount}'; }
  run -1 --separate-stderr reserve claim - < <(request rack1 cpu=30 && request rack1 cpu=40 && request rack1 cpu=30 && request rack1 cpu=-1 && request no cpu=1)
  assert_equal "$(jq -r 'select(.kind != "end") | .outcome // .constraint' <<<"$output" | xargs)" "granted capacity granted invalid unknown_pool"
  rackline-records --check <<<"$output"
  reserve list | jq -r 'select(.kind == "reservation").id' | xargs reserve release
  run -1 --separate-stderr reserve claim - --atomic < <(request rack1 cpu=30 && request rack1 cpu=40)
  assert_equal "$(jq -r 'select(.kind == "request_refused").constraint' <<<"$output" | xargs)" "batch capacity"
  run -0 reserve list
  assert_equal "$(field reservation .id)" ""
  run -0 reserve claim - --atomic < <(request rack1 cpu=30 && request rack1 cpu=34)
  assert_equal "$(field reservation .outcome)" $'granted\ngranted'
}

@test "a batch whose producer died is not begun, a line that cannot be read stops the rest" {
  claim='{"kind":"reservation_request","time":"2026-11-22T12:00:00Z","tool":"x","pool":"rack1","owner":"b","cpu_cores":1}'
  run -2 --separate-stderr reserve claim - --atomic <<<"$claim"
  run -2 --separate-stderr reserve claim - < <(echo "$claim" && echo '{"kind":"reservation_request","pool":3}' && echo "$claim")
  assert_equal "$(field reservation .cpu_cores)" 1
  run -0 reserve list
  assert_equal "$(field reservation .cpu_cores)" 1
}

@test "a part is guaranteed its own, and a pool is not shrunk below its grants" {
  reserve pool add web --parent rack1 --capacity cpu=16,memory=64GiB
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=49
  run -1 --separate-stderr reserve pool add db --parent rack1 --capacity cpu=49
  assert_equal "$(field request_refused '"\(.constraint) \(.missing)"')" "capacity 1"
  reserve claim web --owner x --amount cpu=10
  run -1 --separate-stderr reserve pool set web --capacity cpu=9
  assert_equal "$(field request_refused '"\(.constraint) \(.missing)"')" "below_grants 1"
  run -1 --separate-stderr reserve pool set rack1 --capacity cpu=15
  run -1 --separate-stderr reserve pool remove rack1
  assert_equal "$(field request_refused .constraint)" not_empty
  run -0 reserve pool list web
  assert_equal "$(field pool_share 'select(.resource == "cpu") | [.capacity, .granted, .free] | map(tostring) | join(" ")')" "16 10 6"
}

@test "a circle in the tree is refused" {
  reserve pool add a --parent rack1 --capacity cpu=8
  reserve pool add b --parent a --capacity cpu=4
  run -1 --separate-stderr reserve pool set a --parent b
  assert_equal "$(field request_refused .constraint)" cycle
  run -1 --separate-stderr reserve pool add c --parent c --capacity cpu=1
  assert_equal "$(field request_refused .constraint)" cycle
}

@test "who borrowed what from whom is in the list, whatif says whom a reclaim hits, and it does just that" {
  reserve pool add web --parent rack1 --capacity cpu=32
  reserve pool add db --parent rack1 --capacity cpu=32 --borrow-limit cpu=20
  run -1 --separate-stderr reserve borrow db --lender web --amount cpu=21
  assert_equal "$(field request_refused .constraint)" borrow_limit
  run -0 reserve borrow db --lender web --amount cpu=16 --owner dba
  assert_equal "$(field loan '"\(.borrower) \(.lender) \(.cpu_cores) \(.state)"')" "db web 16 active"
  reserve claim db --owner low --amount cpu=20 --priority 1
  reserve claim db --owner high --amount cpu=20 --priority 9
  run -1 --separate-stderr reserve claim web --owner x --amount cpu=20
  assert_equal "$(field request_refused .constraint)" lent
  run -0 reserve whatif reclaim web --grace 2s
  assert_equal "$(field reclaim_hit 'select(.hit == "reservation") | "\(.owner) \(.planned)"')" "low true"
  run -0 reserve list
  assert_equal "$(field loan '"\(.borrower) \(.lender) \(.cpu_cores)"')" "db web 16"
  run -0 reserve reclaim web --grace 2s
  assert_equal "$(field reclaim_hit 'select(.hit == "reservation").owner')" low
  run -1 --separate-stderr reserve claim web --owner x --amount cpu=32
  sleep 2.2
  run -0 reserve claim web --owner x --amount cpu=32
  run -0 reserve list --pool db
  assert_equal "$(field reservation .owner)" high
}

@test "a claim may borrow what its pool lacks; a part that is never lent stays" {
  reserve pool add web --parent rack1 --capacity cpu=40 --never-lent cpu=30
  reserve pool add db --parent rack1 --capacity cpu=24
  run -1 --separate-stderr reserve claim db --owner x --amount cpu=35 --borrow
  assert_equal "$(field request_refused '"\(.constraint) \(.missing)"')" "never_lent 1"
  run -0 reserve claim db --owner x --amount cpu=34 --borrow --id big
  assert_equal "$(field reservation '.borrowed[0]')" "cpu=10 from web"
  run -0 reserve release big
  run -0 reserve claim web --owner x --amount cpu=40
}

@test "overcommit is per resource; headroom for the largest host is demanded at admission" {
  reserve pool set rack1 --overcommit cpu=2 --host h1 --host h2 --host h3 --host h4
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=97 --headroom N+1
  assert_equal "$(field request_refused '"\(.constraint) \(.missing)"')" "headroom 1"
  run -0 reserve claim rack1 --owner x --amount cpu=96 --headroom N+1
  reserve pool set rack1 --headroom N+1
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=1
  run -1 --separate-stderr reserve claim rack1 --owner x --amount memory=513GiB --headroom cpu=1
}

@test "bad amounts, times and names: one clear line, exit 2, and the ledger as it was" {
  before=$(sqlite3 ledger.db 'SELECT * FROM entry')
  refused() {
    run -2 --separate-stderr reserve claim rack1 --owner x "${@:2}"
    assert_regex "${stderr_lines[0]}" "$1"
  }
  refused 'never negative' --amount cpu=-1
  refused 'never negative' --amount memory=-1GiB
  refused 'more than can be kept' --amount cpu=99999999999999999999
  refused 'more than can be kept' --amount memory=9000TiB
  refused 'finer than a thousandth' --amount cpu=0.0001
  refused 'finer than one byte' --amount memory=0.5B
  refused 'counted in cores, not in bytes' --amount cpu=4GiB
  refused 'not in bits per second' --amount memory=4Gbit
  refused 'which unit' --amount memory=16
  refused 'nothing is asked for' --amount cpu=0
  refused 'twice' --amount cpu=1,cpu=2
  refused 'expected' --amount cpu
  refused 'ends before it begins' --amount cpu=1 --from +2h --until now
  refused 'no part of one' --amount gpu=0.5
  refused 'a whole day is 0-24' --amount cpu=1 --every "daily 8-8"
  refused 'in the past' --amount cpu=1 --from 2020-01-01
  refused 'expected 2026' --amount cpu=1 --until someday
  run -2 --separate-stderr reserve pool add '../x' --capacity cpu=1
  run -1 --separate-stderr reserve claim nowhere --owner x --amount cpu=1
  assert_equal "$(field request_refused .constraint)" unknown_pool
  run -1 --separate-stderr reserve claim rack1 --owner x --amount gpu=1
  assert_equal "$(field request_refused .constraint)" unknown_resource
  assert_equal "$(sqlite3 ledger.db 'SELECT * FROM entry')" "$before"
}

@test "fractions of a core and of a TiB are exact" {
  for _ in 1 2 3 4 5 6 7 8 9 10; do reserve claim rack1 --owner x --amount cpu=0.1 >/dev/null; done
  run -0 reserve claim rack1 --owner x --amount cpu=63,memory=0.5TiB
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=0.001
}

@test "a clock that ran backwards is refused, and told; a second is waited out" {
  reserve claim rack1 --owner x --amount cpu=60 --for 1h
  sqlite3 ledger.db "UPDATE entry SET value = json_set(value, '\$.at', $EPOCHSECONDS + 7200) WHERE key = 'reserve/t/rack1/36.0'"
  run -4 --separate-stderr reserve claim rack1 --owner y --amount cpu=1
  assert_regex "$stderr" "it ran backwards by (2h|1h59m)"
  run -0 reserve list
  assert_equal "$(field reservation .owner)" x
  run -0 reserve claim rack1 --owner y --amount cpu=1 --accept-clock
  sqlite3 ledger.db "UPDATE entry SET value = json_set(value, '\$.at', $EPOCHSECONDS + 20) WHERE key = 'reserve/t/rack1/36.0'"
  run -0 reserve claim rack1 --owner z --amount cpu=1
}

@test "a dry run and whatif grant nothing and say so" {
  run -0 reserve claim rack1 --owner x --amount cpu=64 -n
  assert_equal "$(field reservation .planned)" true
  run -0 reserve whatif claim rack1 --owner x --amount cpu=64
  run -1 --separate-stderr reserve whatif claim rack1 --owner x --amount cpu=65
  run -0 reserve list
  assert_equal "$(field reservation .id)" ""
}

@test "a full disk under the ledger: exit 3, and what was granted before is there" {
  mkdir small
  mount -t tmpfs -o size=120k,mode=700 none small || skip "no mounts here"
  export RACKLINE_STORE=sqlite:$PWD/small/ledger.db
  reserve pool add p --capacity cpu=1000
  local granted=0 status=0
  while [ $granted -lt 500 ]; do
    reserve claim p --owner x --amount cpu=1 --id "c$granted" >out 2>err || { status=$? && break; }
    granted=$((granted + 1))
  done
  assert_equal $status 3
  assert_regex "$(cat err)" "full|I/O"
  cp small/ledger.db* .
  umount small
  export RACKLINE_STORE=sqlite:$PWD/ledger.db
  run -0 reserve check
  run -0 reserve list
  assert_equal "$(field reservation .id | wc -l)" $granted
}

@test "a ledger that was tampered with is found out, and the fault named" {
  reserve claim rack1 --owner x --amount cpu=60 --id c
  damaged=yes
  sqlite3 ledger.db "UPDATE entry SET value = json_set(value, '\$.amounts.cpu', 70000) WHERE key LIKE 'reserve/c/%'"
  run -1 --separate-stderr reserve check
  assert_equal "$(field ledger_fault .fault | sort -u | xargs)" "over_granted profile"
  assert_equal "$(field ledger_check .sound)" false
  assert_equal "$(over_granted ledger.db | cut -d' ' -f1,2,4,5 | head -n 1)" "rack1 cpu 70000 64000"
}

@test "the calendar draws who holds what when, and tables show amounts as people write them" {
  reserve claim rack1 --owner web --amount cpu=32,memory=16GiB --from "$(date -d '+1 day' +%F)" --for 2d --id w
  run -0 reserve list --calendar -o table --from "$(date +%F)" --until "$(date -d '+4 days' +%F)"
  assert_line --regexp '^POOL +OWNER +ID +AMOUNT +CHART'
  assert_line --regexp '^rack1 +web +w +cpu=32,memory=16GiB +\.{10}#{20}\.{10}$'
  assert_line --regexp '^rack1 +- +- +cpu=64 +\.{10}5{20}\.{10}$'
  # The day in which it begins is named, and what the characters mean is said.
  assert_line --regexp "\\|$(date '+%a %d')"
  assert_line --partial 'A character is 2h24m. # held'
  COLUMNS=120 run -0 reserve list --calendar -o table --from "$(date +%F)" --until "$(date -d '+4 days' +%F)"
  assert_line --regexp '^rack1 +web +w +cpu=32,memory=16GiB +\.{20}#{40}\.{20}$'
  run -0 reserve list --calendar --from "$(date +%F)" --until "$(date -d '+4 days' +%F)" --state active
  refute_output --partial '"id":"w"'
  assert_equal "$(field calendar_row '"\(.from) \(.step_ms)"' | sort -u)" "$(date +%F)T00:00:00Z 6172000"
  run -0 reserve pool list -o table
  assert_line --regexp '^rack1 .* memory +bytes +512GiB'
}

@test "a table shows what a person needs of a reservation: amounts, when it recurs, and that it is only planned" {
  reserve pool add lab --capacity gpu=4,disk=8TiB,network=10Gbit
  run -0 reserve claim lab --owner x --amount gpu=2,disk=2TiB,network=1Gbit -o table
  assert_output --partial 'disk=2TiB,gpu=2,network=1Gbit'
  refute_output --partial PLANNED
  run -0 reserve list lab -o table
  refute_output --partial EVERY
  run -0 reserve whatif claim lab --owner y --amount gpu=1 --every "daily 8-18" --for 4w -o table
  assert_line --regexp ' EVERY .* PLANNED'
  assert_line --regexp ' daily 8-18 .* yes'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  run -0 --separate-stderr reserve whatif reclaim lab
  assert_regex "$stderr" 'has lent nothing'
  run -0 reserve whatif pool add part --parent lab --capacity gpu=1
  assert_equal "$(field pool_share '"\(.outcome) \(.planned)"')" "added true"
  run -1 reserve pool list part
}

@test "extend must be told how long, and forever is a word of its own" {
  reserve claim rack1 --owner x --amount cpu=1 --for 1h --id e
  run -2 --separate-stderr reserve extend e
  assert_regex "$stderr" 'say --for, --until or --forever'
  run -2 --separate-stderr reserve extend e --for 1h --forever
  run -0 reserve extend e --forever
  assert_equal "$(field reservation .until)" null
  # What goes on from its end has no other time at which it would fit.
  reserve claim rack1 --owner y --amount cpu=10 --for 1h --id f
  reserve claim rack1 --owner z --amount cpu=54 --from "$(date -u -d '+2 hours' +%FT%TZ)" --for 1h
  run -1 --separate-stderr reserve extend f --for 2h
  assert_equal "$(field request_refused .fits_at)" null
}

@test "an end is told from the beginning: the next such time of day, or so much later" {
  local day
  day=$(date -d '+3 days' +%F)
  run -0 reserve claim rack1 --owner x --amount cpu=1 --from "$day 08:00" --until 18:00
  assert_equal "$(field reservation .until)" "${day}T18:00:00Z"
  run -0 reserve claim rack1 --owner x --amount cpu=1 --from "$day 22:00" --until 06:00
  assert_equal "$(field reservation .until)" "$(date -d '+4 days' +%F)T06:00:00Z"
  run -0 reserve claim rack1 --owner x --amount cpu=1 --from "$day 08:00" --until +2h
  assert_equal "$(field reservation .until)" "${day}T10:00:00Z"
  run -0 reserve claim rack1 --owner x --amount cpu=1 --from "tomorrow 08:00" --until "$day"
  assert_equal "$(field reservation .from)" "$(date -d '+1 day' +%F)T08:00:00Z"
  run -0 reserve claim - <<<'{"kind":"reservation_request","pool":"rack1","owner":"x","amount":"cpu=1","from":"tomorrow 08:00","until":"18:00"}'
  assert_equal "$(field reservation .until)" "$(date -d '+1 day' +%F)T18:00:00Z"
}

@test "a misspelt field of a request is not ignored, and what cannot be read is told by its line" {
  local request='{"kind":"reservation_request","pool":"rack1","owner":"x","amount":"cpu=1","until":"+1h"}'
  run -2 --separate-stderr reserve claim - <<<"${request/until/untill}"
  assert_regex "$stderr" 'line 1: no field of a reservation_request is called "untill": is "until" meant\?'
  run -2 --separate-stderr reserve claim - < <(echo "$request" && echo "[$request]")
  assert_regex "$stderr" 'line 2: expected a record, .*found a list'
  assert_regex "$stderr" 'before it were carried out'
  assert_equal "$(field reservation .outcome)" granted
  run -2 --separate-stderr reserve claim - --atomic < <(echo "$request" && echo '{')
  assert_regex "$stderr" 'nothing of the batch was granted'
  run -0 reserve list
  assert_equal "$(field reservation .cpu_cores)" 1
  run -1 --separate-stderr reserve claim - <<<'{"kind":"reservation_request","pool":"rack1","owner":"x"}'
  assert_regex "$stderr" 'no amount.*"amount":"cpu=4,memory=16GiB"'
}

@test "a refusal names all that is short, of one time, and whose end is waited for" {
  local day
  day=$(date -u -d '+2 days' +%F)
  reserve claim rack1 --owner now --amount cpu=40 --until "${day}T00:00:00Z" --id n
  reserve claim rack1 --owner then --amount cpu=60,memory=500GiB --from "${day}T00:00:00Z" --for 1d --id t
  run -1 --separate-stderr reserve claim rack1 --owner x --amount cpu=30,memory=20GiB --for 1w
  rackline-records --check <<<"$output"
  assert_equal "$(field request_refused '[.available, .missing, .conflict_at, .held_by[0], .waits_for[0], .fits_at] | map(tostring) | join(" ")')" \
    "4 26 ${day}T00:00:00Z cpu=60 then t cpu=60 then t $(date -u -d '+3 days' +%F)T00:00:00Z"
  assert_equal "$(field request_refused '.shortages | join(" ")')" "cpu=26 memory=8589934592"
  assert_regex "$stderr" "lacks 26 of 30 cpu at ${day}T00:00:00Z: 4 are free of 64; .* 8GiB of 20GiB memory .*would fit at .*, when then t ends"
  run -1 --separate-stderr reserve claim nowhere --owner x --amount cpu=1
  assert_regex "$stderr" 'reserve pool add nowhere'
  run -1 --separate-stderr reserve pool add big --parent rack1 --capacity cpu=65
  assert_regex "$stderr" 'big asks for 65 cpu, and rack1 has 4 to give away'
}

@test "all of an owner or of a tag is released at once" {
  reserve claim rack1 --owner x --amount cpu=1 --tag blue
  reserve claim rack1 --owner x --amount cpu=1
  reserve claim rack1 --owner y --amount cpu=1 --tag blue
  run -0 reserve release --tag blue
  assert_equal "$(field reservation .owner | sort)" $'x\ny'
  run -0 reserve release --owner x
  assert_equal "$(field reservation .outcome)" released
  run -2 --separate-stderr reserve release
  run -0 reserve list
  assert_output --regexp '^[^\n]*"kind":"end"'
}

@test "what help shows runs as it is printed, in its order, on an empty store" {
  RACKLINE_STORE=sqlite:$PWD/empty.db
  local example examples
  examples=$(reserve --help | awk '/^Exit status/ { shown = 0 } shown && /^  reserve/; /^Examples/ { shown = 1 }')
  [ "$(wc -l <<<"$examples")" -ge 8 ]
  while read -r example; do
    run -0 bash -c "$example"
  done <<<"$examples"
}

@test "apply tells what a hypervisor does not offer, and who runs nowhere" {
  cat >h1.xml <<'XML'
<node><domain type='test'><name>db</name><memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain></node>
XML
  echo '{"kind":"host","host":"h1","uri":"test://'"$PWD/h1.xml"'"}' >inventory
  reserve claim rack1 --owner x --amount cpu=2,memory=1GiB --limit cpu=4 --vm db --id c
  run -0 --separate-stderr reserve apply --inventory inventory
  rackline-records --check <<<"$output"
  assert_equal "$(field reservation_applied '"\(.host) \(.setting) \(.outcome)"' | sort | xargs)" \
    "h1 cpu_shares unsupported h1 memory_guarantee unsupported h1 vcpu_quota unsupported"
  reserve claim rack1 --owner x --amount cpu=1 --vm nobody --id n
  run -1 --separate-stderr reserve apply --inventory inventory --vm nobody
  assert_equal "$(field reservation_applied '"\(.vm) \(.outcome) \(.reason)"')" "nobody failed it runs on no host"
  echo '{"kind":"host","host":"h2","uri":"qemu+tcp://127.0.0.1:1/system"}' >>inventory
  run -3 --separate-stderr reserve apply --inventory inventory --vm db
}

@test "64 at once: no more than there is, and each answer is true" {
  local i pids=()
  for i in $(seq 64); do
    reserve claim rack1 --owner "o$i" --amount cpu=2 --id "c$i" >"out.$i" 2>/dev/null &
    pids+=($!)
  done
  local granted=0
  for i in "${pids[@]}"; do
    if wait "$i"; then granted=$((granted + 1)); fi
  done
  assert_equal $granted 32
  assert_equal "$(cat out.* | jq -r 'select(.kind == "reservation").id' | not_in_ledger ledger.db)" ""
  run -0 reserve list
  assert_equal "$(field reservation .id | wc -l)" 32
}

@test "what was released before it began is over: it is not taken back again, and cannot be extended" {
  reserve pool add p --capacity cpu=10
  reserve pool add l --parent p --capacity cpu=4
  reserve borrow l --amount cpu=2 --id dead --lender p --from +2h --for 1h
  reserve release dead
  run -0 reserve release dead
  assert_equal "$(jq -r 'select(.kind == "loan").outcome' <<<"$output")" already
  reserve borrow l --amount cpu=2 --id live --lender p --priority 5
  run -0 reserve reclaim p --amount cpu=2
  assert_equal "$(jq -r 'select(.kind == "reclaim_hit").id' <<<"$output")" live
  run -0 reserve claim p --owner o --amount cpu=6
  reserve claim l --owner o --id a --amount cpu=1 --from +2h --for 1h
  reserve release a
  run -1 --separate-stderr reserve extend a --for 1h
  assert_equal "$(jq -r 'select(.kind == "request_refused").constraint' <<<"$output")" ended
}

@test "no time is no for ever, and a figure without a name is for all that the pool has" {
  reserve pool add p --capacity cpu=4,memory=1GiB
  run -2 reserve claim p --owner o --amount cpu=1 --for 0s
  run -2 reserve claim p --owner o --amount cpu=1 --every '' --for 1h
  run -2 reserve pool set p --overcommit banana
  run -2 reserve pool set p --shares -5
  run -0 reserve pool set p --overcommit 2
  run -0 reserve claim p --owner o --amount cpu=8,memory=2GiB
}

@test "a local time that the clocks skip or show twice means one thing, and is told, wherever it stands in a stream" {
  export TZ=CET-1CEST,M3.5.0,M10.5.0/3
  for from in "2047-03-31 02:30|2047-03-31T01:00:00Z|set forward" "2047-10-27 02:30|2047-10-27T00:30:00Z|comes twice"; do
    IFS='|' read -r given meant told <<<"$from"
    run -0 --separate-stderr reserve claim rack1 --owner o --amount cpu=1 --from "$given" --for 1h -n
    assert_equal "$(field reservation .from)" "$meant"
    assert_regex "$stderr" "$told"
    assert_regex "$(field reservation .reason)" "$told"
    for before in "2047-01-01 12:00" "2047-07-01 12:00"; do
      run -0 --separate-stderr reserve whatif claim - < <(for each in "$before" "$given"; do
        jq -nc --arg from "$each" '{kind: "reservation_request", pool: "rack1", owner: "o", amount: "cpu=1", from: $from, duration_ms: 1}'
      done)
      assert_equal "$(field reservation .from | tail -n 1)" "$meant"
    done
  done
  run -0 --separate-stderr reserve claim rack1 --owner o --amount cpu=1 --from "2047-03-31 03:00" --for 1h -n
  assert_equal "$stderr" ""
}

@test "a zone that the machine does not know is refused with its name, and not taken for UTC" {
  export TZ=Europe/Berln
  for arguments in '--from "2047-01-01 10:00" --for 1h' '--from 2047-01-01T10:00:00Z --until 12:00' \
    '--every "daily 8-18" --from 2047-01-01T00:00:00Z --for 2d'; do
    eval "run -2 --separate-stderr reserve claim rack1 --owner o --amount cpu=1 $arguments"
    assert_regex "$stderr" 'Europe/Berln: there is no such time zone'
  done
  run -2 --separate-stderr reserve list --calendar
  assert_regex "$stderr" 'Europe/Berln'
  run -2 --separate-stderr audit query --file "$PWD/trail" --since 08:00
  assert_regex "$stderr" 'Europe/Berln'
  # Where no local time is told, it does not matter.
  run -0 reserve claim rack1 --owner o --amount cpu=1 --from 2047-01-01T10:00:00Z --for 1h
}

@test "a recurrence keeps its zone, its hours and its days over a change of the clocks, and says what is left out" {
  export TZ=CET-1CEST,M3.5.0,M10.5.0/3
  run -0 --separate-stderr reserve claim rack1 --owner b --id b --amount cpu=2 --every "daily 2:30-3:30" --from "2047-03-30 00:00" --until "2047-04-02 00:00"
  assert_equal "$(field reservation '"\(.occurrences) \(.zone)"')" "3 $TZ"
  for at in 00:59 01:00 01:29 01:30; do
    reserve pool list rack1 --at "2047-03-31T$at:00Z" | jq -r 'select(.resource == "cpu").granted'
  done >granted
  assert_equal "$(xargs <granted)" "0 2 2 0"
  run -0 --separate-stderr reserve claim rack1 --owner c --amount cpu=2 --every "daily 2:10-2:50" --from "2047-03-30 00:00" --until "2047-04-02 00:00"
  assert_regex "$stderr" "does not recur on 2047-03-31"
  TZ=UTC run -0 reserve extend b --until 2047-04-03T00:00:00Z
  TZ=UTC run -0 reserve pool list rack1 --at 2047-04-02T00:45:00Z
  assert_equal "$(field pool_share 'select(.resource == "cpu").granted')" 2
}

@test "only 24:00 is the end of a day, and parts of a second are a whole one" {
  for time in "2047-01-01 24:30" 24:59 "tomorrow 24:01"; do
    run -2 --separate-stderr reserve claim rack1 -n --owner o --amount cpu=1 --from "$time" --for 1h
    assert_regex "$stderr" "read time"
  done
  for times in '"from":""' '"until":""' '"duration_ms":0' '"duration_ms":-1'; do
    run -1 --separate-stderr reserve whatif claim - <<<'{"kind":"reservation_request","pool":"rack1","owner":"o","amount":"cpu=1",'"$times"'}'
    assert_equal "$(field request_refused .constraint)" invalid
  done
  for ms in 1 600 1999; do
    run -0 --separate-stderr reserve whatif claim - <<<'{"kind":"reservation_request","pool":"rack1","owner":"o","amount":"cpu=1","from":"2047-01-01T00:00:00Z","duration_ms":'$ms'}'
    assert_equal "$(field reservation .until)" "2047-01-01T00:00:0$(((ms + 999) / 1000))Z"
    run -0 reserve whatif claim rack1 --owner o --amount cpu=1 --from 2047-01-01T00:00:00Z --for ${ms}ms
    assert_equal "$(field reservation .until)" "2047-01-01T00:00:0$(((ms + 999) / 1000))Z"
  done
}

@test "an id is of one request: another one is refused, and so is that of one that has ended" {
  claim() { run "$1" --separate-stderr reserve claim rack1 --owner o --amount cpu=1 --id job "${@:2}"; }
  claim -0 --from 2047-01-01T00:00:00Z --for 1h
  claim -0 --from 2047-01-01T00:00:00Z --for 1h
  assert_equal "$(field reservation .outcome)" already
  claim -1 --from 2047-01-02T00:00:00Z --for 1h
  assert_equal "$(field request_refused .constraint)" duplicate
  claim -1 --from 2047-01-01T00:00:00Z --for 1h --priority 1
  assert_equal "$(field request_refused .constraint)" duplicate
  reserve release job
  claim -1 --from 2047-01-01T00:00:00Z --for 1h
  assert_equal "$(field request_refused .constraint)" ended
}

@test "a reservation is changed at once or not at all, and what it held before stays in the ledger" {
  reserve claim rack1 --owner x --amount cpu=60,memory=1GiB --id big --for 2h
  reserve claim rack1 --owner y --amount cpu=4 --id later --from +1h --for 1h
  run -1 --separate-stderr reserve change big --amount cpu=61
  assert_equal "$(field request_refused '"\(.request) \(.constraint) \(.missing) \(.held_by[0])"')" "change capacity 1 cpu=4 y later"
  run -0 reserve whatif change big --amount cpu=2
  sleep 1.1
  run -0 reserve change big --amount cpu=50
  assert_equal "$(field reservation '"\(.outcome) \(.state) \(.amounts | join(","))"')" "changed active cpu=50,memory=1073741824"
  run -0 reserve list --all --owner x
  assert_equal "$(field reservation '"\(.id) \(.state)"' | xargs)" "big~1 changed big active"
  run -0 reserve change big --for 10m
  run -0 reserve change later --from +30m --amount cpu=14 --priority 3
  assert_equal "$(field reservation '"\(.state) \(.priority)"')" "pending 3"
  run -1 --separate-stderr reserve change nothing --for 1h
  for words in "" "--from +1h" "--until now" "--for 1h --forever"; do
    # shellcheck disable=SC2086 # several words
    run -2 --separate-stderr reserve change big $words
  done
}

@test "room is made by reservations of a lower priority, and each that it hits is told" {
  reserve claim rack1 --owner low --id low --amount cpu=4
  reserve claim rack1 --owner middle --id middle --amount cpu=40 --priority 1
  run -1 --separate-stderr reserve claim rack1 --owner high --amount cpu=60 --priority 5
  run -1 --separate-stderr reserve claim rack1 --owner high --amount cpu=60 --priority 1 --preempt
  run -0 reserve whatif claim rack1 --owner high --amount cpu=60 --priority 5 --preempt
  run -0 reserve claim rack1 --owner high --amount cpu=60 --priority 5 --preempt
  assert_equal "$(field reclaim_hit '"\(.id) \(.pool) \(.lender)"')" "middle rack1 rack1"
  run -0 reserve list --state preempted
  assert_equal "$(field reservation .id)" middle
  run -0 reserve list
  assert_equal "$(field reservation .owner | sort | xargs)" "high low"
}

@test "a priority is taken as it was given, or refused" {
  for priority in 99999999999999999999 -99999999999999999999 9223372036854775808 9007199254740992; do
    run -2 --separate-stderr reserve claim rack1 --owner o --amount cpu=1 --priority=$priority
    assert_regex "$stderr" "too large"
    run -2 --separate-stderr reserve borrow rack1 --amount cpu=1 --priority=$priority
  done
  run -0 reserve claim rack1 --owner o --amount cpu=1 --priority=-9007199254740991 --id low
  assert_equal "$(field reservation .priority)" -9007199254740991
  run -2 --separate-stderr reserve change low --priority=9007199254740992
}

@test "a part of a loan is taken back, and its borrower keeps the rest" {
  reserve pool add web --parent rack1 --capacity cpu=10
  reserve pool add db --parent rack1 --capacity cpu=10
  reserve borrow db --lender web --amount cpu=8 --id loan
  sleep 1.1
  run -2 --separate-stderr reserve reclaim web --part
  run -0 reserve reclaim web --amount cpu=3 --part
  assert_equal "$(field reclaim_hit '"\(.id) \(.amounts | join(","))"')" "loan cpu=3"
  run -0 reserve pool list web
  assert_equal "$(field pool_share .lent)" 5
  run -0 reserve list
  assert_equal "$(field loan '"\(.lender) \(.amounts | join(","))"')" "web cpu=5"
}

@test "every second Tuesday but one, and the last day of a month" {
  run -0 reserve claim rack1 --owner o --amount cpu=1 --every "2nd tue 20-22 except 2047-02-12" --from 2047-01-01T00:00:00Z --until 2047-06-01T00:00:00Z
  assert_equal "$(field reservation .occurrences)" 4
  run -0 reserve claim rack1 --owner o --amount cpu=1 --every "last day 20-24" --from 2047-01-01T00:00:00Z --until 2048-01-01T00:00:00Z
  assert_equal "$(field reservation '"\(.occurrences) \(.until)"')" "12 2048-01-01T00:00:00Z"
}

@test "a claim cannot switch off what its pool keeps free, and a pool that is made anew is sound" {
  reserve pool add p --capacity cpu=4 --headroom cpu=4
  for headroom in none cpu=1; do
    run -1 --separate-stderr reserve claim p --owner o --amount cpu=3 --headroom $headroom
    assert_equal "$(field request_refused .constraint)" headroom
  done
  reserve pool set p --headroom none
  reserve claim p --owner o --id x --amount cpu=1
  sleep 1.1
  reserve release x
  reserve pool remove p
  reserve pool add p --capacity gpu=7
  run -0 reserve check
  assert_equal "$(field ledger_check .sound)" true
}
