#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# migrate --copy-disks when something dies in the middle of the copy: one good copy runs, and the images of the source
# are as they were. RACKLINE_ROUNDS (1) says how often each of it dies.

export ROUNDS=${RACKLINE_ROUNDS:-${ROUNDS:-1}} # before the helper takes it away
load ../helper
load ../migrate
rounds=$ROUNDS

setup_file() { up; }

teardown_file() { lab down >&2; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  server=copy$BATS_TEST_NUMBER
  local_server "$server"
  base=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}/$RACKLINE_LAB/hosts
  cp "$base/h1/lib/local/$server.qcow2" original
}

teardown() {
  lab heal h2 >&2 || true
  lab vm destroy "$server" >&2 || true
}

# begin: migrate in the background, slow enough to be caught in the copy; its process id in $pid, that of the runner in
# $runner. Comes back when some of the disk is copied.
begin() {
  plan h1 h2 "$server" >plan
  rm -f pid
  on_cluster bash -c 'echo $$ >pid; exec migrate "$@"' migrate --copy-disks --bandwidth 8MiB --deadline 20s <plan >out 2>err &
  runner=$!
  local deadline=$((SECONDS + 60))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "migrate did not start"; done
  pid=$(<pid)
  until on_cluster virsh -c "$(uri h1)" domjobinfo "$server" 2>/dev/null | grep -q '^File processed: *[1-9]'; do
    ((SECONDS < deadline)) || fail "no copy within 60 s: $(cat out err)"
  done
}

runs_on_h1_alone() {
  assert_equal "$(whereabouts "$server")" h1
  lab vm verify "$server"
  qemu-img compare -U original "$base/h1/lib/local/$server.qcow2" >&2
}

# The same command again, until it is done: then the copy is complete, and the original as it was.
repeat_until_done() {
  local deadline=$((SECONDS + 180))
  until on_cluster migrate --copy-disks <plan >out 2>err; do
    ((SECONDS < deadline)) || fail "the repeated command does not finish: $(cat out err)"
  done
  assert_equal "$(whereabouts "$server")" h2
  lab vm verify "$server"
  same_data "$server"
  qemu-img compare -U original "$base/h1/lib/local/$server.qcow2" >&2
}

# To where it began: a stopped server may be started from the originals, which are then the only copy.
back_home() {
  on_cluster virsh -c "$(uri h2)" destroy "$server" >&2
  on_cluster virsh -c "$(uri h2)" undefine "$server" >&2
  lab exec --host h2 -- bash -c "rm -f /var/lib/local/$server.*"
  on_cluster virsh -c "$(uri h1)" define "$PWD/$server.xml" >&2
  on_cluster virsh -c "$(uri h1)" start "$server" >&2
  lab vm wait "$server" --timeout 180 >&2
}

# in_rounds BREAK: breaks something in the middle, mends it, and sees that all is well.
in_rounds() {
  local round
  for ((round = 1; round <= rounds; round++)); do
    [ "$round" = 1 ] || back_home
    begin
    "$1"
    repeat_until_done
  done
}

kill_migrate() {
  kill -KILL "$pid"
  wait "$runner" || true
}

target_dies() {
  lab kill h2
  ! wait "$runner"
  runs_on_h1_alone
  lab boot h2
  on_cluster virsh -c "$(uri h2)" pool-create-as local dir --target /var/lib/local >&2
}

link_is_cut() {
  lab cut h2
  ! wait "$runner"
  assert_regex "$(on_cluster virsh -c "$(uri h1)" domstate "$server")" running
  lab heal h2
}

# In place of its whole host, so that its disk is not lost with it.
target_qemu_dies() {
  lab exec --host h2 -- bash -c "kill -KILL \$(</run/libvirt/qemu/$server.pid)"
  ! wait "$runner"
  runs_on_h1_alone
  refute_regex "$(local_files h2)" "$server"
}

@test "migrate is killed in the middle of the copy" { in_rounds kill_migrate; }
@test "the target dies in the middle of the copy" { in_rounds target_dies; }
@test "the target's QEMU dies in the middle of the copy" { in_rounds target_qemu_dies; }
@test "the target's link is cut in the middle of the copy" { in_rounds link_is_cut; }

@test "the source dies in the middle of the copy: its images are the only ones, and whole" {
  local round
  for ((round = 1; round <= rounds; round++)); do
    begin
    lab kill h1
    ! wait "$runner"
    lab boot h1
    on_cluster virsh -c "$(uri h1)" start "$server" >&2
    lab vm wait "$server" --timeout 180 >&2
    on_cluster migrate --resume >out 2>err || true
    runs_on_h1_alone
    refute_regex "$(local_files h2)" "$server"
  done
}
