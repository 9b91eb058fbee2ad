#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# heartbeat on real hosts: each way to fail has its own verdict, and a host that is cut off from everybody stops what it
# runs. The order of the tests matters: each leaves the cluster as it found it.
load ../helper
load ../migrate

setup_file() {
  lab up --agents >&2
  lab vm create vm1 --host h2 >&2
  lab vm wait vm1 --timeout 180 >&2
  # shellcheck disable=SC2016 # LAB_SLOTS is known there
  setsid "$REPO/lab/lab" exec -- bash -c 'echo $$ >"$1/pid"; exec heartbeat watch --slots "$LAB_SLOTS" >"$1/watched" 2>"$1/err"' watch "$BATS_FILE_TMPDIR" </dev/null 3>&- &
  until [ -s "$BATS_FILE_TMPDIR/watched" ]; do sleep 0.2; done
}

teardown_file() {
  kill "$(<"$BATS_FILE_TMPDIR/pid")" || true
  lab down >&2
}

setup() { cd "$BATS_FILE_TMPDIR" || return; }

verdict() { jq -r --arg host "$1" 'select(.host == $host) | .kind' watched | tail -1; }

await() { # HOST KIND [SECONDS]
  local deadline=$((SECONDS + ${3:-30}))
  until [ "$(verdict "$1")" = "$2" ]; do
    ((SECONDS < deadline)) || fail "$1 is not $2: $(jq -c '[.kind,.host,.reason]' watched) $(cat err)"
    sleep 0.2
  done
}

well() { for h in h1 h2 h3; do await $h host_up; done; }

# The number of the records that say that of the host.
count() { jq -r --arg host "$2" --arg kind "$1" 'select(.host == $host and .kind == $kind) | .id' watched | wc -l; }

@test "all are well, and the picture says by what" {
  well
  assert_equal "$(jq -r 'select(.snapshot) | "\(.kind) \(.net) \(.store)"' watched | sort -u)" "host_up alive alive"
  assert_equal "$(jq -r 'select(.snapshot).key_id // empty' watched | sort -u | wc -l)" 3 # each has a key of its own
}

@test "a frozen libvirtd is a hypervisor that is down, and no dead host" {
  lab freeze --libvirtd h1
  await h1 hypervisor_down
  lab thaw --libvirtd h1
  await h1 host_up
  assert_equal "$(count host_down h1)" 0
}

@test "storage that hangs is a suspicion, and no dead host" {
  lab cut --storage h1
  await h1 host_suspect
  assert_regex "$(jq -r 'select(.kind=="host_suspect").reason' watched | tail -1)" '(cannot write to|arrives on) the storage'
  lab heal --storage h1
  await h1 host_up
  assert_equal "$(count host_down h1)" 0
}

@test "a host whose link is cut is isolated: its heartbeat on the storage lives, and so does its guest" {
  local before
  lab cut h2
  await h2 host_isolated
  before=$(lab vm ask vm1 2>/dev/null || true)
  sleep 5
  assert_equal "$(count host_down h2)" 0
  lab heal h2
  await h2 host_up
  lab vm verify vm1
}

@test "a host that is cut off from everything stops its guests before anybody else may start them" {
  [ "$(on_cluster virsh -c "$(uri h2)" domstate vm1 | head -1)" = running ]
  lab cut h2
  lab cut --storage h2
  await h2 host_down
  # 30 s are its self-fence time; its disk hangs meanwhile, and is let go for the test to look at.
  sleep 35
  lab heal --storage h2
  local deadline=$((SECONDS + 30))
  until lab exec --host h2 -- grep -q host_self_fenced /var/log/heartbeat.log; do
    ((SECONDS < deadline)) || fail "$(lab exec --host h2 -- cat /var/log/heartbeat.log)"
    sleep 1
  done
  run lab exec --host h2 -- pgrep -f guest=vm1
  assert_failure
  lab heal h2
  await h2 host_up
  on_cluster virsh -c "$(uri h2)" start vm1 >&2
  lab vm wait vm1 --timeout 120
}

@test "a host that is frozen is down, and up again when it thaws" {
  lab freeze h1
  await h1 host_down 15
  lab thaw h1
  await h1 host_up
}

@test "a host that dies is suspect, then down; it is up again with another incarnation when it has booted" {
  local before
  before=$(jq -r 'select(.host=="h3" and .incarnation) | .incarnation' watched | tail -1)
  lab cut h3
  lab kill h3
  await h3 host_down 15
  assert_equal "$(jq -r 'select(.host=="h3" and .kind=="host_down") | "\(.net) \(.store) \(.libvirt)"' watched | tail -1)" "silent silent timeout"
  assert_equal "$(jq -r 'select(.host=="h3" and (.kind=="host_down" or .kind=="host_suspect")).cause' watched | tail -2 | sort -u | wc -l)" 1
  lab boot h3
  lab heal h3
  await h3 host_up 60
  refute [ "$(jq -r 'select(.host=="h3" and .incarnation) | .incarnation' watched | tail -1)" = "$before" ]
}

@test "two of three that die at once make the watcher doubt itself, and nobody is declared dead" {
  local before
  before=$(grep -c host_down watched)
  lab freeze h1
  lab freeze h2
  local deadline=$((SECONDS + 20))
  until grep -q watcher_suspect watched; do ((SECONDS < deadline)) || fail "no doubt: $(cat watched)"; sleep 0.2; done
  sleep 5
  assert_equal "$(grep -c host_down watched)" "$before"
  lab thaw h1
  lab thaw h2
  well
}
