#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rackline drain when it is killed, again and again, at random moments: the repeated command ends with an empty host,
# each guest runs once and whole, and none was moved a second time. RACKLINE_ROUNDS (5) says how often it is killed.

export ROUNDS=${RACKLINE_ROUNDS:-${ROUNDS:-5}} # before the helper takes it away
load ../helper
load ../migrate
load ../failover
rounds=$ROUNDS
vms=(a1 a2 a3 a4 a5 a6 a7 a8 a9 c1 c2)

setup_file() {
  lab up --sizes 4:4096,4:4096,4:4096 >&2
  lab inventory >"$RACKLINE_INVENTORY"
  local vm
  for vm in "${vms[@]}"; do lab vm create "$vm" --host h2 --dirty-mb 8 --dirty-rate-mbps 4 >&2; done
  lab vm create b1 --host h1 --group b >&2
  lab vm create b3 --host h3 --group b >&2
  lab vm wait "${vms[@]}" b1 b3 --timeout 400 >&2
  warm
}

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# "NAME HOST ID" of all that run: a server's id changes with each move.
places() {
  local host
  for host in h1 h2 h3; do
    on_cluster virsh -c "$(uri $host)" list | awk -v host=$host '$3 == "running" {print $2, host, $1}'
  done | sort
}

# begin: a drain of h2 in the background, in a process group of its own; its process id in $pid, its runner in $runner.
begin() {
  rm -f pid
  # shellcheck disable=SC2016
  on_cluster setsid bash -c 'echo $$ >pid; exec rackline drain h2 --force --reason fans' >out 2>err &
  runner=$!
  local deadline=$((SECONDS + 30))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "drain did not start"; done
  pid=$(<pid)
}

# The drain is finished, and each guest that was seen elsewhere has stayed there: none was sent a second time.
finish_drain() {
  run -0 on_cluster rackline drain h2 --force --reason fans
  places >after
  assert_equal "$(awk '$1 !~ /^b/ {print $1}' after | tr '\n' ' ')" "${vms[*]} "
  assert_equal "$(on_cluster virsh -c "$(uri h2)" list --all --name | grep -c .)" 0
  assert_equal "$(sort -u seen after | awk '{print $1}' | uniq -d)" ""
  assert_equal "$(on_cluster rackline hosts -o json | jq -r 'select(.host=="h2").state')" maintenance
  # What a killed one had begun has its result: another plan may move the same VM.
  assert_equal "$(on_cluster migrate --resume | jq -r 'select(.kind=="vm_moved").vm')" ""
}

@test "killed at random moments and repeated: empty in the end, nothing lost, nothing moved twice" {
  local killed=0 drains=1 from
  : >seen
  while ((killed < rounds)); do
    begin
    # A random moment is what is tested here; nothing is waited for.
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
    # The drain alone, or with the programs that it runs.
    ((RANDOM % 2)) || pid=-$pid
    if kill -KILL -- "$pid" 2>/dev/null; then
      wait "$runner" || true
      killed=$((killed + 1))
      places | grep -v ' h2 ' >>seen || true
      continue
    fi
    wait "$runner" || true
    finish_drain
    : >seen
    drains=$((drains + 1))
    on_cluster rackline undrain h2
    for from in h1 h3; do
      # shellcheck disable=SC2046 # names
      plan $from h2 $(awk -v from=$from '$2 == from && $1 !~ /^b/ {print $1}' after) | on_cluster migrate >&2
    done
  done
  finish_drain
  echo "# killed $killed times in $drains drains" >&3
  lab vm verify "${vms[@]}"
}

@test "ended by TERM in the middle of a move: migrate ends in order, the mark stands, and nothing is lost" {
  on_cluster rackline undrain h2
  local from status=0 migrating deadline
  places >after
  for from in h1 h3; do
    # shellcheck disable=SC2046 # names
    plan $from h2 $(awk -v from=$from '$2 == from && $1 !~ /^b/ {print $1}' after) | on_cluster migrate >&2
  done
  begin
  deadline=$((SECONDS + 60))
  until migrating=$(pgrep -P "$pid" -x migrate); do
    ((SECONDS < deadline)) || fail "nothing moves: $(cat out err)"
    sleep 0.05
  done
  sleep 1
  kill -TERM "$pid"
  wait "$runner" || status=$?
  assert_equal "$status" 143
  refute kill -0 "$migrating"
  assert_equal "$(jq -r 'select(.kind=="host_drained").outcome' out)" interrupted
  assert_equal "$(on_cluster rackline hosts -o json | jq -r 'select(.host=="h2").state')" draining
  # What its migrate had begun is over: nothing is open, and no guest is paused or twice.
  assert_equal "$(places | awk '$1 !~ /^b/ {print $1}' | tr '\n' ' ')" "${vms[*]} "
  places | grep -v ' h2 ' >seen || true
  finish_drain
  lab vm verify "${vms[@]}"
}

@test "what cannot leave is named, and the host goes on draining" {
  on_cluster rackline undrain h2
  lab vm create b2 --host h2 --group b >&2
  lab vm wait b2 --timeout 120 >&2
  run -1 --separate-stderr on_cluster rackline drain h2 --force
  assert_equal "$(jq -c 'select(.kind=="host_drained")|[.outcome,.left]' <<<"$output")" '["failed",["b2"]]'
  # shellcheck disable=SC2154 # set by bats
  assert_regex "$stderr" 'b2'
  assert_equal "$(whereabouts b2)" h2
  assert_equal "$(on_cluster rackline hosts -o json | jq -r 'select(.host=="h2").state')" draining
  on_cluster rackline undrain h2
}

@test "the last host that serves is not drained, and of two drains at once one has to wait" {
  local first
  on_cluster rackline drain h2 --force >first 2>&1 & first=$!
  run on_cluster rackline drain h3 --force
  wait "$first" || true
  # One of the two was told that the other is at work, or came when it was over; neither left half a drain behind.
  assert_equal "$(places | awk '$1 ~ /^b/' | wc -l)" 3
  on_cluster rackline undrain h2
  on_cluster rackline undrain h3
  on_cluster heartbeat maintenance h1 on >&2
  on_cluster heartbeat maintenance h3 on >&2
  run -4 --separate-stderr on_cluster rackline drain h2 --force
  assert_regex "$stderr" 'no other host serves'
  assert_equal "$(on_cluster rackline hosts -o json | jq -r 'select(.host=="h2").state')" serving
}
