#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# fence with Debian's own fence_ipmilan against BMCs that speak IPMI; whether a host is off is read from the lab.
# shellcheck disable=SC2154 # run sets stderr

load ../helper
load ../fence

setup_file() { lab up --hosts 5 >&2; }

teardown_file() { lab down >&2; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  as_new
}

# Milliseconds that a host may take: 3 s, and more on a machine that is busy with other things, as one status shows.
limit() { on_cluster fence status h5 | jq -r 'select(.kind=="host_power") | 2500 + 10 * .elapsed_ms'; }

@test "a host with a running guest is off, and so is the guest, before it is told" {
  lab vm create victim --host h2 --no-start >&2
  on_cluster virsh -q -c qemu+tcp://10.77.0.12/system start victim >&2
  local qemu
  qemu=$(pgrep -f 'guest=victim')
  lab cut h2
  local limit
  limit=$(limit)
  run -0 --separate-stderr on_cluster fence < <(down h2 && finish)
  assert_equal "$stderr" ""
  assert_equal "$(result h2 '[.method,.power_before,.power_after,.verified]|@tsv')" $'fence_ipmilan\ton\toff\ttrue'
  assert [ "$(result h2 .elapsed_ms)" -lt "$limit" ]
  rackline-records --check <<<"$output"
  echo "# fenced in $(result h2 .elapsed_ms) ms" >&3
  assert_equal "$(power h2)" off
  run ! kill -0 "$qemu"
  assert_equal "$(mark h2)" fenced
  lab heal h2 >&2 || true
  lab boot h2 >&2
  lab vm destroy victim >&2
}

@test "a host that hangs with its connections open is switched off" {
  lab freeze h3
  run -0 --separate-stderr on_cluster fence < <(down h3 && finish)
  assert_equal "$(power h3)" off
}

@test "a host that has lost its power is proven to be off" {
  lab kill h2
  run -0 --separate-stderr on_cluster fence < <(down h2 && finish)
  assert_equal "$(result h2 '[.power_before,.attempts]|@tsv')" $'off\t0'
}

@test "a BMC that says yes and does nothing: not fenced" {
  lab bmc h2 liar
  run -1 --separate-stderr on_cluster fence --deadline 6s < <(down h2 && finish)
  assert_equal "$(result h2 '[.outcome,.power_after]|@tsv')" $'failed\ton'
  assert_regex "$stderr" 'fence --confirm-manual h2'
  assert_equal "$(power h2) $(mark h2)" "on none"
}

@test "a BMC that drops everything: not fenced within the deadline, and no other host waits" {
  lab bmc h2 deaf
  local limit
  limit=$(limit)
  run -1 --separate-stderr on_cluster fence --deadline 20s < <(down h2 && down h3 && finish)
  assert_equal "$(results)" $'h2 failed\nh3 fenced'
  assert [ "$(result h3 .elapsed_ms)" -lt "$limit" ]
  assert [ "$(result h2 .elapsed_ms)" -lt 24000 ]
  assert_equal "$(power h2) $(power h3)" "on off"
}

# bats test_tags=long
@test "a BMC whose cable is out: the same" {
  lab cut --bmc h2
  local limit
  limit=$(limit)
  run -1 --separate-stderr on_cluster fence --deadline 20s < <(down h2 && down h3 && finish)
  assert_equal "$(results)" $'h2 failed\nh3 fenced'
  assert [ "$(result h3 .elapsed_ms)" -lt "$limit" ]
  assert [ "$(result h2 .elapsed_ms)" -lt 24000 ]
  assert_equal "$(power h2) $(power h3)" "on off"
}

@test "two of five are fenced at the same time, a third is refused" {
  run -4 --separate-stderr on_cluster fence < <(down h1 && down h2 && down h3 && finish)
  assert_equal "$(results | awk '{ print $2 }' | sort | xargs)" "fenced fenced refused"
  assert_equal "$(lab status | awk '$3 == "off"' | wc -l)" 2
}

@test "off, on again, and the mark says where it is" {
  run -0 --separate-stderr on_cluster fence < <(down h2 && finish)
  run -0 --separate-stderr on_cluster fence unfence h2
  assert_equal "$(jq -r 'select(.kind=="host_unfenced") | [.outcome,.power_after] | @tsv' <<<"$output")" $'done\ton'
  assert_regex "$(power h2)" '^(on|booting)$'
  assert_equal "$(mark h2)" returning
}

@test "status of all hosts; those whose BMC is deaf are told" {
  lab bmc h4 deaf
  run -3 --separate-stderr on_cluster fence status --timeout 3s
  assert_equal "$(jq -r 'select(.kind=="host_power") | [.host,.power] | @tsv' <<<"$output")" $'h1\ton\nh2\ton\nh3\ton\nh4\t\nh5\ton'
}

@test "a person's word counts where the BMC does not answer, and not against it" {
  run -4 --separate-stderr on_cluster fence --confirm-manual h2 <<<h2
  lab bmc h2 deaf
  # Nor against the host itself.
  run -4 --separate-stderr on_cluster fence --confirm-manual h2 --deadline 4s <<<h2
  assert_regex "$(result h2 .reason)" '^h2 answers'
  lab kill h2
  run -0 --separate-stderr on_cluster fence --confirm-manual h2 --deadline 4s <<<h2
  assert_equal "$(result h2 '[.method,.verified]|@tsv')" $'manual\ttrue'
  lab boot h2 >&2
}

@test "the password is in no process's arguments at any moment" {
  local password job
  # shellcheck disable=SC2016
  password=$(on_cluster bash -c 'cat "$RACKLINE_BMC_PASSWORD_FILE"')
  {
    for _ in 1 2 3; do on_cluster fence status; done
    on_cluster fence < <(down h2 && finish)
  } >out 2>err &
  job=$!
  while kill -0 $job 2>/dev/null; do
    cat /proc/[0-9]*/cmdline 2>/dev/null >>arguments || true
  done
  wait $job
  # What was looked for was to be seen.
  assert grep -qaF 'ipmitool' arguments
  assert grep -qaF 'bmc-password' arguments
  run ! grep -qaF -e "$password" arguments out err
}
