#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The whole pipeline on real hypervisors; what became of it is read from libvirt and from the guests.

load ../helper

setup_file() {
  export LAB_NAME=e2e-balance-$$
  lab up --sizes 2:2048,2:2048,4:3072 >&2
  local vm
  for vm in web1 web2 web3; do lab vm create "$vm" --host h1 >&2; done
  lab vm create db1 --host h1 --group db >&2
  lab vm create db2 --host h2 --group db >&2
  lab vm wait web1 web2 web3 db1 db2 --timeout 240 >&2
  # Together less than the machine really has: a lab that waits for CPUs is busy wherever its guests are.
  for vm in web1 web2 web3; do lab vm load "$vm" --cpu 30 >&2; done
}

teardown_file() { lab down >&2; }

lab() { "$BATS_TEST_DIRNAME/../../lab/lab" --lab "$LAB_NAME" "$@"; }

# A pipeline as typed on the cluster's management machine.
on_cluster() { timeout 120 "$BATS_TEST_DIRNAME/../../lab/lab" --lab "$LAB_NAME" exec -- bash -o pipefail -c "$1"; }

# Names of the running servers of a host, as its libvirtd tells.
running_on() { on_cluster "virsh -c qemu+tcp://10.77.0.1${1#h}/system list --name" | grep . | sort | tr '\n' ' '; }

@test "a loaded host is relieved, and every guest has gone on running" {
  run --separate-stderr on_cluster 'capwatch --window 4s | capplan balance --threshold 35% --max-change 80% | migrate'
  assert_success
  [ -z "$stderr" ]
  run jq -rs '[.[] | select(.kind=="vm_moved")] | length > 0 and all(.outcome == "done")' <<<"$output"
  assert_output true
  [ "$(running_on h1 | wc -w)" -lt 4 ]
  run lab vm verify
  assert_success
}

@test "evacuating a host empties it and keeps anti-affinity" {
  run --separate-stderr on_cluster 'capwatch --window 2s | capplan evacuate h1 | migrate'
  assert_success
  [ "$(running_on h1)" = "" ]
  for host in h2 h3; do
    [ "$(running_on $host | tr ' ' '\n' | grep -c '^db')" -le 1 ]
  done
  run lab vm verify
  assert_success
}

@test "the plan of yesterday is refused when the world has moved on" {
  on_cluster 'capwatch --window 1s | capplan evacuate h2' >"$BATS_TEST_TMPDIR/plan"
  local vm
  vm=$(jq -r 'select(.kind=="vm_move").vm' <"$BATS_TEST_TMPDIR/plan" | head -1)
  [ -n "$vm" ]
  on_cluster "virsh -c qemu+tcp://10.77.0.12/system destroy $vm && virsh -c qemu+tcp://10.77.0.12/system start $vm" >&2
  run --separate-stderr on_cluster "migrate <'$BATS_TEST_TMPDIR/plan'"
  assert_failure
  run jq -r --arg vm "$vm" 'select(.kind=="vm_moved" and .vm==$vm).outcome' <<<"$output"
  assert_output refused
  [[ " $(running_on h2) " == *" $vm "* ]]
}

@test "a drain that is killed and repeated leaves the host empty and in maintenance, and nothing goes there" {
  local before state vm
  before=$(running_on h3 | wc -w)
  [ "$before" -gt 0 ]
  on_cluster 'rackline drain h3 --force --reason fans >/dev/null 2>&1 & drain=$!; sleep 2; kill -KILL $drain; wait $drain' || true
  run --separate-stderr on_cluster 'rackline drain h3 --force --reason fans'
  assert_success
  [ "$(running_on h3)" = "" ]
  state=$(on_cluster 'rackline hosts -o json || true' | jq -r 'select(.host=="h3") | .state + ": " + .reason')
  [ "$state" = "maintenance: fans" ]
  run lab vm verify
  assert_success
  # An old plan, and a new one.
  vm=$(running_on h1 | awk '{print $1}')
  [ -n "$vm" ]
  run on_cluster "{ echo '{\"kind\":\"vm_move\",\"time\":\"2026-11-22T12:00:00Z\",\"tool\":\"hand\",\"id\":\"by-hand\",\"vm\":\"$vm\",\"from\":\"h1\",\"to\":\"h3\",\"stage\":1,\"reason\":\"test\"}'
    echo '{\"kind\":\"end\",\"time\":\"2026-11-22T12:00:00Z\",\"tool\":\"hand\",\"outcome\":\"ok\"}'; } | migrate"
  assert_failure
  run on_cluster 'capwatch --window 1s | capplan --max-change 100% evacuate h1'
  run jq -r 'select(.kind=="vm_move").to' <<<"$output"
  refute_line h3
  [ "$(running_on h3)" = "" ]
  on_cluster 'rackline undrain h3'
}
