# SPDX-License-Identifier: Apache-2.0
# The ledger when its writers are killed, its disk is full, and its store goes away in the middle.
load ../helper
load ../reserve

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/ledger.db
  reserve pool add rack --capacity cpu=120,memory=1TiB >/dev/null
  reserve pool add web --parent rack --capacity cpu=40,memory=100GiB >/dev/null
  reserve pool add db --parent rack --capacity cpu=40,memory=100GiB --never-lent cpu=10 >/dev/null
}

@test "64 processes claim, extend, borrow and release, twenty a second are killed: nothing is over-granted or lost" {
  run -0 "$BUILD/bench/reserve-load" ledger sqlite:ledger.db acknowledged 64 8 20
  assert [ "$(wc -l <acknowledged)" -gt 50 ]
  # Who waited for longer than ten seconds has given up, and nothing else may have gone wrong.
  run ! grep '^error' <(grep -v 'others are writing it' acknowledged)
  assert_equal "$(over_granted ledger.db)" ""
  assert_equal "$(grep -v '^error' acknowledged | tr ' ' '\n' | grep . | not_in_ledger ledger.db)" ""
  run -0 reserve check
}

@test "a stream of claims that is killed leaves each of them whole or not there, and repeating it grants each once" {
  jq -nc 'range(3000) | {kind: "reservation_request", id: "c\(.)", pool: "rack", owner: "x", amount: "cpu=0.01", duration_ms: 3600000}' >requests
  local i pid
  for i in 1 2 3 4 5; do
    reserve claim - <requests >"out.$i" &
    pid=$!
    # A random moment is what is tested here; a fast disk may have granted all of them before.
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -KILL $pid 2>/dev/null || true
    wait $pid || true
    run -0 reserve check
    assert_equal "$(jq -Rr 'fromjson? | select(.kind == "reservation").id' "out.$i" | not_in_ledger ledger.db)" ""
  done
  run -0 reserve claim - <requests
  assert_equal "$(jq -r 'select(.kind == "reservation").id' <<<"$output" | sort -u | wc -l)" 3000
  run -0 reserve pool list rack
  assert_equal "$(jq -r 'select(.resource == "cpu").granted' <<<"$output")" 30
}

@test "a store that is replaced by something else in the middle is told, and nothing is written into it" {
  jq -nc 'range(200000) | {kind: "reservation_request", pool: "rack", owner: "x", amount: "cpu=0.001", duration_ms: 60000}' >requests
  reserve claim - <requests >out 2>err &
  local pid=$!
  until [ -s out ]; do sleep 0.05; done
  # The file stays open in the process; a new one must find that there is no ledger, and say so.
  rm ledger.db ledger.db-wal ledger.db-shm
  echo 'not a database, but longer than a page of one would have to be for SQLite to look at it' >ledger.db
  kill -TERM $pid
  wait $pid || true
  before=$(md5sum ledger.db)
  run -3 --separate-stderr reserve claim rack --owner x --amount cpu=1
  assert_regex "$stderr" "^reserve: open store: .*ledger.db"
  assert_equal "$(md5sum ledger.db)" "$before"
}
