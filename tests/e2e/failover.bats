#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# failover on real hypervisors: a host dies, and what became of its guests is read from libvirt and from the guests.

load ../helper
load ../migrate
load ../failover

setup_file() {
  up vm1 vm2
  warm
  # Block storage over the network, where no lock of QEMU stands in the way of a second copy.
  lab vm create net1 --host h1 --disk nbd --dirty-mb 8 --dirty-rate-mbps 4 >&2
  lab vm wait net1 --timeout 180 >&2
}

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

address() { lab vm list | awk -v vm="$1" '$1 == vm {print $4; exit}'; }
boots() { lab vm ask "$1" | jq .boots; }

@test "protecting switches libvirt's autostart off, and unprotecting gives it back" {
  on_cluster virsh -c "$(uri h1)" autostart vm2 >&2
  run -0 --separate-stderr on_cluster failover protect vm1 --priority 5 --check "tcp:$(address vm1):7000"
  assert_equal "$stderr" ""
  run -0 on_cluster failover protect vm2 --after vm1 --check "tcp:$(address vm2):7000"
  run -0 on_cluster failover protect net1 --check "tcp:$(address net1):7000"
  run -0 on_cluster virsh -c "$(uri h1)" dominfo vm2
  assert_output --regexp 'Autostart: +disable'
  on_cluster failover unprotect vm2 >&2
  run -0 on_cluster virsh -c "$(uri h1)" dominfo vm2
  assert_output --regexp 'Autostart: +enable'
  on_cluster failover protect vm2 --after vm1 --check "tcp:$(address vm2):7000" >&2
  assert_equal "$(stat -c %a "$(state)")" 600
}

@test "one that needs a bridge which no other host has is pinned, and the others are not" {
  lab vm create odd --host h1 --no-start >&2
  lab exec --host h1 -- ip link add br77 type bridge >&2
  on_cluster virsh -c "$(uri h1)" dumpxml --inactive odd | sed "s/bridge='guests'/bridge='br77'/" >odd.xml
  on_cluster virsh -c "$(uri h1)" define "$PWD/odd.xml" >&2
  run -0 --separate-stderr on_cluster failover protect odd vm1
  assert_equal "$(jq -r 'select(.vm=="odd").pinned' <<<"$output")" "h2 has no bridge br77; h3 has no bridge br77"
  assert_equal "$(jq -r 'select(.vm=="vm1").pinned' <<<"$output")" null
  assert_regex "$stderr" "odd is protected, but pinned to h1"
  on_cluster failover unprotect odd >&2
  on_cluster virsh -c "$(uri h1)" undefine odd >&2
}

@test "a drill tells where they would go and touches nothing" {
  run -0 --separate-stderr on_cluster failover drill h1
  assert_equal "$(jq -r 'select(.kind=="vm_restarted")|[.vm,.outcome,.planned]|@tsv' <<<"$output" | sort)" \
    $'net1\tplanned\ttrue\nvm1\tplanned\ttrue\nvm2\tplanned\ttrue'
  assert_equal "$(whereabouts vm1) $(whereabouts net1)" "h1 h1"
  run -0 --separate-stderr on_cluster failover drill --all
  assert_equal "$(jq -r 'select(.kind=="host_drill")|[.host,.outcome,.vms,.restarted]|@tsv' <<<"$output")" \
    $'h1\tok\t3\t3\nh2\tok\t0\t0\nh3\tok\t0\t0'
}

@test "a record without a mark starts nothing: the guests still run, and run once" {
  run -4 --separate-stderr on_cluster failover < <(
    echo '{"kind":"host_fenced","time":"2026-11-22T12:00:00Z","tool":"hand","id":"x","host":"h1","method":"manual","verified":true}'
    finish
  )
  assert_equal "$(result net1 .outcome)" refused
  assert_equal "$(whereabouts vm1) $(whereabouts net1)" "h1 h1"
}

@test "a host that is cut off and not fenced keeps its guests: no second copy, even where no lock forbids it" {
  # As if it had moved to h1 after it was last looked at.
  sqlite3 "$(state)" "UPDATE entry SET value = json_set(value, '\$.host', 'h2') WHERE key = 'protected/net1'"
  lab kill h2
  lab cut h1
  run -4 --separate-stderr on_cluster failover < <(proof h2 f-h2 && finish)
  assert_equal "$(result net1 .outcome)" refused
  assert_output --partial "fence --confirm-manual h1"
  refute_output --partial vm_restarted
  lab heal h1
  assert_equal "$(whereabouts net1)" h1
  boot h2
  run -0 --separate-stderr on_cluster failover clear h2
  run -0 on_cluster failover refresh
  # What the cut did to the guests is the lab's matter; that none of them runs twice is ours.
  assert_equal "$(whereabouts vm1) $(whereabouts vm2) $(whereabouts net1)" "h1 h1 h1"
  lab vm verify vm1 vm2
}

@test "a host dies: its guests run elsewhere, once each, in order, and say so themselves" {
  local before vm
  before=$(boots vm1)
  lab kill h1
  proof h1 f1 >record
  run -0 --separate-stderr on_cluster failover < <(cat record && finish)
  for vm in vm1 vm2 net1; do
    assert_equal "$(result $vm '[.outcome,.verified,.fence,.from]|@tsv')" $'done\tcheck\tf1\th1'
    assert_regex "$(whereabouts $vm)" '^h[23]$'
    assert_equal "$(whereabouts $vm)" "$(result $vm .to)"
  done
  jq -c 'select(.kind=="vm_restarted")|[.vm,.to,.start_ms,.elapsed_ms]' <<<"$output" >&3
  # vm2 came after vm1 had answered.
  assert_equal "$(jq -r 'select(.kind=="vm_restarted" and .vm!="net1").vm' <<<"$output" | xargs)" "vm1 vm2"
  rackline-records --check <<<"$output"
  lab vm verify vm1 vm2 net1
  assert [ "$(boots vm1)" -gt "$before" ]
}

@test "the repeated record finds the work done" {
  local before
  before=$(boots net1)
  run -0 --separate-stderr on_cluster failover < <(proof h1 f1 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_restarted").outcome' <<<"$output" | sort -u)" already
  assert_equal "$(boots net1)" "$before"
}

@test "the host returns: its stale definitions go before it may serve again" {
  run -3 --separate-stderr on_cluster failover clear h1
  assert_equal "$(marked h1)" 1
  boot h1
  local vm
  for vm in vm1 vm2 net1; do assert_regex "$(whereabouts $vm)" '^h1\(off\) h[23]$'; done
  run -0 --separate-stderr on_cluster failover clear h1
  assert_equal "$(jq -r 'select(.kind=="host_cleared")|.outcome + " " + (.removed|sort|join(" "))' <<<"$output")" \
    "done net1 vm1 vm2"
  for vm in vm1 vm2 net1; do assert_regex "$(whereabouts $vm)" '^h[23]$'; done
  assert_equal "$(marked h1)" 0
  lab vm verify vm1 vm2 net1
}

@test "a stale copy that runs on the returned host is not ended without consent" {
  local home
  home=$(whereabouts net1)
  on_cluster virsh -c "$(uri "$home")" suspend net1 >&2 # two copies may not both write
  on_cluster virsh -c "$(uri "$home")" dumpxml --inactive --security-info net1 >net1.xml
  on_cluster virsh -c "$(uri h1)" create --paused net1.xml >&2
  proof h1 f2 >/dev/null
  run -4 --separate-stderr on_cluster failover clear h1
  assert_equal "$(marked h1)" 1
  assert_regex "$stderr" "destroy-stale"
  run -0 --separate-stderr on_cluster failover clear h1 --destroy-stale
  assert_equal "$(whereabouts net1)" "$home(paused)"
  on_cluster virsh -c "$(uri "$home")" resume net1 >&2
  lab vm verify net1
}

@test "two hosts die at once: refused until both are fenced, then all of it in the open stream" {
  local vm first second=h2
  first=$(whereabouts vm1)
  [ "$first" = h3 ] || second=h3
  lab kill h2
  lab kill h3
  run -0 --separate-stderr on_cluster failover < <(proof "$first" f3 && sleep 8 && proof "$second" f4 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_not_restarted" and .vm=="vm1").outcome' <<<"$output" | sort -u)" refused
  for vm in vm1 vm2 net1; do
    assert_equal "$(result $vm .outcome)" "done"
    assert_equal "$(whereabouts $vm)" h1
  done
  # Nobody is left who could take them.
  assert_regex "$stderr" "if h1 died now"
  lab vm verify vm1 vm2 net1
}
