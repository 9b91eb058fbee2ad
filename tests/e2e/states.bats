#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One truth about a host: while h4 does not serve, whatever the reason, no program puts anything there. The virtual
# servers on it are read from its libvirtd. h3 is dead, and f1, which was there, may run beside neither f2 nor f3:
# h4 is the only host that could take it, so that the place where it ends tells whether failover looked.
load ../helper
load ../migrate
load ../failover

setup_file() {
  lab up --hosts 4 >&2
  lab inventory >"$RACKLINE_INVENTORY"
  local vm
  for vm in w1 w2; do lab vm create "$vm" --host h1 --cpu 30 >&2; done
  lab vm create f1 --host h3 --group f >&2
  lab vm create f2 --host h1 --group f >&2
  lab vm create f3 --host h2 --group f >&2
  # db4 can leave h4 only to where another db runs: a drain of h4 stays a drain.
  lab vm create db1 --host h1 --group db >&2
  lab vm create db2 --host h2 --group db >&2
  lab vm create db4 --host h4 --group db >&2
  lab vm wait w1 w2 f1 f2 f3 db1 db2 db4 --timeout 240 >&2
  warm
  on_cluster failover protect f1 -q >/dev/null
  lab kill h3
  proof h3 death-of-h3 >"$BATS_FILE_TMPDIR/death"
  finish >>"$BATS_FILE_TMPDIR/death"
}

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

running_on() { on_cluster virsh -c "$(uri "$1")" list --all --name | grep . | sort | tr '\n' ' '; }
state_of() { on_cluster rackline hosts -o json | jq -r "select(.host==\"$1\").state"; }

# The host on which w1 is, and the other one that serves.
here() { [[ " $(running_on h1) " == *" w1 "* ]] && echo h1 || echo h2; }
other() { [ "$1" = h1 ] && echo h2 || echo h1; }

capplan_to_migrate() { # CAPPLAN_ARGUMENTS...
  {
    echo '{"kind":"vm_request","vm":"new","memory_bytes":134217728}'
    on_cluster capwatch --window 2s
  } | on_cluster capplan --threshold 10% --max-change 100% --spare ignore "$@" >plan || true
  jq -es '.[-1].kind == "end"' plan >/dev/null || fail "no plan by $*: $(cat plan)"
  on_cluster migrate <plan >moved || true
}

# Each program that places, while h4 is in the state.
nothing_lands_on_h4() { # STATE
  local from program
  assert_equal "$(state_of h4)" "$1"
  assert_equal "$(on_cluster capwatch --window 0 | jq -r 'select(.kind=="host_sample" and .host=="h4").cluster_state')" "$1"
  from=$(here)
  for program in balance "evacuate $from" "place" pack rolling; do
    # shellcheck disable=SC2086 # a verb and its operand
    capplan_to_migrate $program
    assert_equal "$program: $(jq -r 'select(.kind=="vm_move" and .to=="h4" or .kind=="vm_place" and .host=="h4").vm' plan)" "$program: "
    assert_equal "$program: $(running_on h4)" "$program: db4 "
  done
  from=$(here)
  run on_cluster migrate < <(plan "$from" h4 w1)
  assert_failure
  assert_regex "$(field .reason)" "h4"
  assert_equal "migrate: $(running_on h4)" "migrate: db4 "
  run on_cluster failover <"$BATS_FILE_TMPDIR/death"
  assert_failure
  assert_equal "failover: $(running_on h4)" "failover: db4 "
  # What can leave, leaves to where it may; the db and the f of this host have no other place than h4.
  from=$(here)
  run on_cluster rackline drain "$from" --force
  assert_failure 1
  assert_equal "drain: $(running_on h4)" "drain: db4 "
  assert_regex "$(running_on "$(other "$from")")" 'w1 w2'
  on_cluster rackline undrain "$from"
}

@test "draining: nothing lands on it" {
  run on_cluster rackline drain h4 --force
  assert_failure 1
  nothing_lands_on_h4 draining
  on_cluster rackline undrain h4
}

@test "maintenance: nothing lands on it" {
  on_cluster heartbeat maintenance h4 on >&2
  nothing_lands_on_h4 maintenance
  on_cluster heartbeat maintenance h4 off >&2
}

@test "fenced, though its hypervisor answers: nothing lands on it" {
  proof h4 alive >/dev/null
  nothing_lands_on_h4 fenced
}

@test "returning: nothing lands on it until it is cleared" {
  on_cluster fence unfence h4 >&2
  lab boot h4 >&2
  warm
  nothing_lands_on_h4 returning
  on_cluster failover clear h4 >&2
  assert_equal "$(marked h4)" 0
}

@test "unknown, as a mark of it cannot be read: nothing lands on it" {
  sqlite3 "$(state)" ".timeout 5000" "INSERT INTO entry VALUES ('maintenance/h4', '{\"tor', 1)"
  nothing_lands_on_h4 unknown
  sqlite3 "$(state)" ".timeout 5000" "DELETE FROM entry WHERE key = 'maintenance/h4'"
}

@test "unknown, as its watcher says that it is not well: nothing lands on it" {
  # Renewed in a time to come, so that it holds for as long as this test takes.
  sqlite3 "$(state)" ".timeout 5000" "INSERT INTO entry VALUES ('health/h4',
    '{\"verdict\":\"suspect\",\"reason\":\"its storage is silent\",\"since\":\"2026-11-22T12:00:00Z\",\"renewed\":\"2099-01-01T00:00:00Z\"}', 1)"
  nothing_lands_on_h4 unknown
  sqlite3 "$(state)" ".timeout 5000" "DELETE FROM entry WHERE key = 'health/h4'"
}

@test "serving: what had no place lands there, by each of them" {
  local from
  assert_equal "$(state_of h4)" serving
  run -0 on_cluster failover <"$BATS_FILE_TMPDIR/death"
  assert_equal "$(running_on h4)" "db4 f1 "
  from=$(here)
  run -0 on_cluster migrate < <(plan "$from" h4 w1)
  assert_regex "$(running_on h4)" w1
  run on_cluster rackline drain "$(other "$from")" --force
  lab vm verify w1 w2 f1 f2 f3 db1 db2 db4
}
