#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# heartbeat watch | fence | failover on real hosts: whatever happens to a host, a guest never runs twice, it runs again
# where that is proven to be safe, and stays where it is where it is not. vm3 and vm4 have their disks on a block server
# where no lock of QEMU stands in the way of a second copy.
load ../helper
load ../migrate

vms=(vm1 vm2 vm3 vm4)

setup_file() {
  lab up --agents >&2
  lab vm create vm1 --host h1 >&2
  lab vm create vm2 --host h1 >&2
  lab vm create vm3 --host h1 --disk nbd >&2
  lab vm create vm4 --host h2 --disk nbd >&2
  lab vm wait "${vms[@]}" --timeout 180 >&2
  on_cluster capwatch --window 0 --timeout 60s >/dev/null
  on_cluster failover protect "${vms[@]}" -q >/dev/null
}

teardown_file() { lab down >&2; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  heal
}

teardown() { stop; }

# The pipeline in the background; its process group in $healer.
heal() {
  # shellcheck disable=SC2016 # LAB_SLOTS is known there
  setsid "$REPO/lab/lab" exec -- bash -c 'heartbeat watch --slots "$LAB_SLOTS" | fence | failover >>healed' </dev/null 2>>err 3>&- &
  healer=$!
  local snapshots deadline=$((SECONDS + 40))
  until snapshots=$(grep -c snapshot healed 2>/dev/null) || true && [ "${snapshots:-0}" -ge 3 ]; do
    ((SECONDS < deadline)) || fail "no snapshot: $(cat err)"
    sleep 0.2
  done
}

stop() {
  [ -z "${healer:-}" ] || kill -- "-$healer" 2>/dev/null || true
  [ -z "${healer:-}" ] || wait "$healer" 2>/dev/null || true
  healer=''
}

seen() { jq -r "select($1) | .kind" healed | tail -1; }

await() { # JQ_CONDITION [SECONDS]
  local deadline=$((SECONDS + ${2:-40}))
  until [ -n "$(seen "$1")" ]; do
    ((SECONDS < deadline)) || fail "not seen: $1: $(cat healed err)"
    sleep 0.3
  done
}

# What the watcher of the test before has seen unwell is closed until the next one has seen it well.
serves() { # HOST
  local deadline=$((SECONDS + 80))
  until [ "$(on_cluster rackline hosts -o json | jq -r --arg host "$1" 'select(.host == $host).state')" = serving ]; do
    ((SECONDS < deadline)) || fail "$1 does not serve: $(on_cluster rackline hosts -o json)"
    sleep 0.5
  done
}

# Where QEMU processes of the guest are, whatever any libvirtd says: the hosts are processes of this machine.
copies() {
  local pid count=0
  for pid in $(pgrep -f "guest=$1,"); do
    # Those of another lab have other mounts.
    if grep -q "/$RACKLINE_LAB/hosts/" "/proc/$pid/mountinfo" 2>/dev/null; then count=$((count + 1)); fi
  done
  echo $count
}

once() {
  local vm
  for vm in "${vms[@]}"; do assert_equal "$vm $(copies "$vm")" "$vm 1"; done
}

# The host serves again: power, what is stale removed, and the guests told again.
take_back() { # HOST
  on_cluster fence unfence "$1" >&2
  lab boot "$1" >&2
  lab heal "$1" >&2
  on_cluster capwatch --window 0 --timeout 60s >/dev/null
  on_cluster failover clear "$1" >&2
  once
  on_cluster failover refresh -q >/dev/null
}

@test "a host dies: its guests run elsewhere, once each, whole, and the returned host does not start them" {
  local vm
  lab cut h1
  lab kill h1
  await '.kind=="host_fenced" and .host=="h1" and .verified' 20
  for vm in vm1 vm2 vm3; do await ".kind==\"vm_restarted\" and .vm==\"$vm\" and .outcome==\"done\""; done
  assert_equal "$(jq -r 'select(.kind=="vm_restarted").fence' healed | sort -u)" "$(jq -r 'select(.kind=="host_fenced").id' healed | sort -u)"
  once
  lab vm wait "${vms[@]}" --timeout 60 >&2
  lab vm verify "${vms[@]}"
  take_back h1
  for vm in "${vms[@]}"; do assert_regex "$(whereabouts "$vm")" '^h[23]$'; done
  lab vm verify "${vms[@]}"
}

@test "a host whose link is cut goes on: isolated, not fenced, nothing started elsewhere" {
  lab cut h2
  await '.kind=="host_isolated" and .host=="h2"'
  sleep 6
  assert_equal "$(seen '.kind=="host_fenced"')" ""
  assert_equal "$(seen '.kind=="vm_restarted"')" ""
  once
  lab heal h2
  await '.kind=="host_up" and .host=="h2" and .snapshot == null'
  lab vm verify "${vms[@]}"
}

@test "a host that hangs is fenced before its guests are started: it cannot wake up beside them" {
  lab freeze h3
  await '.kind=="host_fenced" and .host=="h3"' 30
  sleep 15
  once
  lab vm wait "${vms[@]}" --timeout 60 >&2
  lab vm verify "${vms[@]}"
  take_back h3
}

# bats test_tags=long
@test "a BMC that says yes and does nothing: a person is called, and nothing is started" {
  local host
  host=$(whereabouts vm4)
  lab bmc "$host" liar
  lab freeze "$host"
  await ".kind==\"host_not_fenced\" and .host==\"$host\"" 80
  assert_regex "$(cat err)" "fence --confirm-manual $host"
  once
  assert_equal "$(seen '.kind=="vm_restarted"')" ""
  lab bmc "$host" ok
  lab thaw "$host"
  await ".kind==\"host_up\" and .host==\"$host\" and .snapshot == null"
  lab vm verify "${vms[@]}"
  once
}

@test "a host that dies while nobody watches is found when the watcher begins" {
  local host
  host=$(whereabouts vm4)
  stop
  : >healed
  lab cut "$host"
  lab kill "$host"
  heal
  await ".kind==\"vm_restarted\" and .vm==\"vm4\"" 60
  once
  lab vm wait "${vms[@]}" --timeout 60 >&2
  lab vm verify "${vms[@]}"
  take_back "$host"
}

# bats test_tags=long
@test "a host dies while its guest is on the way to it: it ends up running once" {
  local from to
  from=$(whereabouts vm1)
  to=h1
  [ "$from" != h1 ] || to=h2
  serves "$to"
  on_cluster migrate --bandwidth 4MiB --timeout 3s --deadline 40s < <(plan "$from" "$to" vm1) >moved 2>&1 &
  local mover=$!
  wait_for_job vm1 "$from"
  lab cut "$to"
  lab kill "$to"
  await ".kind==\"host_fenced\" and .host==\"$to\"" 30
  wait $mover || true
  sleep 10
  once
  lab vm wait "${vms[@]}" --timeout 60 >&2
  lab vm verify "${vms[@]}"
  take_back "$to"
}
