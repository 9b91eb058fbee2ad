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

@test "a host with a running guest is off, and so is the guest, before it is told" {
  lab vm create victim --host h2 --no-start >&2
  on_cluster virsh -q -c qemu+tcp://10.77.0.12/system start victim >&2
  local qemu
  qemu=$(pgrep -f 'guest=victim')
  lab cut h2
  run -0 --separate-stderr on_cluster fence < <(down h2 && finish)
  assert_equal "$stderr" ""
  assert_equal "$(result h2 '[.method,.power_before,.power_after,.verified]|@tsv')" $'fence_ipmilan\ton\toff\ttrue'
  assert [ "$(result h2 .elapsed_ms)" -lt 3000 ]
  echo "# fenced in $(result h2 .elapsed_ms) ms" >&3
  assert_equal "$(power h2)" off
  run ! kill -0 "$qemu"
  assert_equal "$(mark h2)" fenced
  rackline-records --check <<<"$output"
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

@test "a BMC that does not answer, or cannot be reached: not fenced within the deadline, and no other host waits" {
  lab bmc h2 deaf
  lab cut --bmc h4
  run -1 --separate-stderr on_cluster fence --deadline 8s < <(down h2 && down h4 && down h3 && finish)
  assert_equal "$(results)" $'h2 failed\nh3 fenced\nh4 failed'
  assert [ "$(result h3 .elapsed_ms)" -lt 3000 ]
  assert [ "$(result h2 .elapsed_ms)" -lt 10000 ]
  assert [ "$(result h4 .elapsed_ms)" -lt 10000 ]
  assert_equal "$(power h2) $(power h3) $(power h4)" "on off on"
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
  run -0 --separate-stderr on_cluster fence --confirm-manual h2 --deadline 4s <<<h2
  assert_equal "$(result h2 '[.method,.verified]|@tsv')" $'manual\ttrue'
}

@test "the password is in no process's arguments at any moment" {
  local password seen='' line
  # shellcheck disable=SC2016
  password=$(on_cluster bash -c 'cat "$RACKLINE_BMC_PASSWORD_FILE"')
  on_cluster fence < <(down h2 && finish) >out 2>err &
  while kill -0 $! 2>/dev/null; do
    for line in /proc/[0-9]*/cmdline; do
      { tr '\0' ' ' <"$line" && echo; } 2>/dev/null || true
    done >>arguments
  done
  wait $!
  seen=$(grep -c 'ipmitool.* chassis power' arguments)
  assert [ "$seen" -gt 0 ]
  run ! grep -qF -- "$password" arguments out err
}
