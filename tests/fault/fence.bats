#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# fence when it is killed in the middle: the repeated command finishes, the host is off and marked once, and the mark is of a
# fencing that was told. RACKLINE_ROUNDS (3) says how often it is killed.
# shellcheck disable=SC2154 # run sets stderr

export ROUNDS=${RACKLINE_ROUNDS:-${ROUNDS:-3}} # before the helper takes it away
load ../helper
load ../fence
rounds=$ROUNDS

setup_file() { lab up --hosts 3 >&2; }

teardown_file() { lab down >&2; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  as_new
}

# begin: fence on a host that is down, in the background; its process id in $pid, that of the runner in $runner.
begin() {
  rm -f pid
  # shellcheck disable=SC2016
  on_cluster bash -c 'echo $$ >pid; exec fence' < <(down h2 && finish) >out 2>err &
  runner=$!
  local deadline=$((SECONDS + 30))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "fence did not start"; done
  pid=$(<pid)
}

@test "killed at random moments, and repeated" {
  local round id
  for ((round = 1; round <= rounds; round++)); do
    begin
    # A random moment is what is tested here; nothing is waited for.
    sleep "$(printf '%d.%03d' $((RANDOM % 2)) $((RANDOM % 1000)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$runner" || true
    for _ in 1 2 3; do
      on_cluster fence < <(down h2 && finish) >out 2>err && break
    done
    output=$(<out)
    assert_equal "$(power h2)" off
    assert_equal "$(mark h2)" fenced
    id=$(on_cluster fence status h2 | jq -r 'select(.kind=="host_power").fence')
    assert_equal "$(result h2 .id | tail -1)" "$id"
    run -0 --separate-stderr on_cluster fence --resume
    assert_equal "$(results)" ""
    as_new
  done
}

@test "killed at random moments, and settled without the request" {
  local round
  for ((round = 1; round <= rounds; round++)); do
    begin
    sleep "0.$(printf '%03d' $((RANDOM % 1000)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$runner" || true
    # What the killed one had started may still be at it.
    sleep 2
    run --separate-stderr on_cluster fence --resume
    # Whatever the moment was: marked means off, and what is told is what is so.
    case "$(results)" in
    'h2 fenced') assert_equal "$(power h2) $(mark h2)" "off fenced" ;;
    'h2 failed') assert_equal "$(power h2) $(mark h2)" "on none" ;;
    '') [ "$(mark h2)" = none ] || assert_equal "$(power h2)" off ;;
    *) fail "$(results)" ;;
    esac
    as_new
  done
}
