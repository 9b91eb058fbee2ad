#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# failover when it is killed in the middle: afterwards every guest of the dead host runs exactly once with its disk
# intact, whether the record is repeated or the work is resumed. RACKLINE_ROUNDS (3) says how often it is killed.

export ROUNDS=${RACKLINE_ROUNDS:-${ROUNDS:-3}} # before the helper takes it away
load ../helper
load ../migrate
load ../failover
rounds=$ROUNDS

setup_file() {
  up vm1 vm2
  warm
  # Where no lock of QEMU stands in the way of a second copy.
  lab vm create net1 --host h1 --disk nbd --dirty-mb 8 --dirty-rate-mbps 4 >&2
  lab vm wait net1 --timeout 180 >&2
  on_cluster failover protect vm1 vm2 net1 >&2
  on_cluster failover protect vm2 --after vm1 >&2
}

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

teardown() {
  local host
  for host in h1 h2 h3; do lab thaw --libvirtd "$host" >&2 || true; done
}

# begin: failover on the file `stream` in the background; its process id in $pid, that of the runner in $runner.
begin() {
  rm -f pid
  on_cluster bash -c 'echo $$ >pid; exec failover "$@"' failover "$@" <stream >out 2>err &
  runner=$!
  local deadline=$((SECONDS + 30))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "failover did not start"; done
  pid=$(<pid)
}

# All of them on one host, so that its death is a death of all.
gather() {
  local vm at
  for vm in vm1 vm2 net1; do
    at=$(whereabouts "$vm")
    [ "$at" = "$1" ] || plan "$at" "$1" "$vm" | on_cluster migrate >&2
  done
  on_cluster failover refresh >&2
}

# The next one finishes what was begun; nothing runs twice, nothing is forgotten, nothing is left open.
finish_it() {
  local deadline=$((SECONDS + 180)) vm
  until if (($1 % 2)); then on_cluster failover <stream >out 2>err; else on_cluster failover --resume >out 2>err; fi; do
    ((SECONDS < deadline)) || fail "the work is not finished: $(cat out err)"
  done
  for vm in vm1 vm2 net1; do assert_regex "$(whereabouts "$vm")" '^h[123]$'; done
  assert_equal "$(sqlite3 "$(state)" \
    "SELECT count(*) FROM entry WHERE key LIKE 'journal/failover/%' AND json_extract(value, '\$.result') IS NULL")" 0
  lab vm wait vm1 vm2 net1 --timeout 120
  lab vm verify vm1 vm2 net1
}

@test "killed at random moments" {
  local round from
  for ((round = 1; round <= rounds; round++)); do
    from=$(whereabouts vm1)
    gather "$from"
    lab kill "$from"
    { proof "$from" "f-$round" && finish; } >stream
    begin
    # A random moment is what is tested here; nothing is waited for.
    sleep "$((RANDOM % 3)).$(printf '%03d' $((RANDOM % 1000)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$runner" || true
    finish_it "$round"
    boot "$from"
    on_cluster failover clear "$from" >&2
  done
}

@test "killed while a target's libvirtd hangs: nothing is started elsewhere before it is known" {
  local from target
  from=$(whereabouts vm1)
  gather "$from"
  lab kill "$from"
  { proof "$from" f-hang && finish; } >stream
  begin
  local deadline=$((SECONDS + 30))
  until target=$(sqlite3 "$(state)" "SELECT json_extract(value, '\$.intent.to') FROM entry
      WHERE key LIKE 'journal/failover/f-hang.%' AND json_extract(value, '\$.result') IS NULL LIMIT 1") && [ -n "$target" ]; do
    ((SECONDS < deadline)) || fail "no intent: $(cat out err)"
  done
  lab freeze --libvirtd "$target"
  kill -KILL "$pid"
  wait "$runner" || true
  run --separate-stderr on_cluster failover --timeout 2s <stream
  assert_failure
  assert_output --partial '"outcome":"unknown"'
  lab thaw --libvirtd "$target"
  finish_it 1
  boot "$from"
  on_cluster failover clear "$from" >&2
}

@test "SIGTERM: what is begun is finished, the rest is left and told, and finished by the next one" {
  local from
  from=$(whereabouts vm1)
  gather "$from"
  lab kill "$from"
  { proof "$from" f-term && finish; } >stream
  begin --max-total 1
  local deadline=$((SECONDS + 30))
  until [ "$(sqlite3 "$(state)" "SELECT count(*) FROM entry WHERE key LIKE 'journal/failover/f-term.%'")" -gt 0 ]; do
    ((SECONDS < deadline)) || fail "no intent: $(cat out err)"
  done
  kill -TERM "$pid"
  local status=0
  wait "$runner" || status=$?
  assert_equal "$status" 143
  assert_equal "$(jq -r 'select(.kind=="end").outcome' out)" interrupted
  assert_equal "$(sqlite3 "$(state)" \
    "SELECT count(*) FROM entry WHERE key LIKE 'journal/failover/%' AND json_extract(value, '\$.result') IS NULL")" 0
  finish_it 1
}
