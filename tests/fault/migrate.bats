#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# migrate when things die in the middle: afterwards every guest runs exactly once with its memory and disk intact, and the
# repeated command finishes the work. RACKLINE_ROUNDS (3) says how often it is killed.

export ROUNDS=${RACKLINE_ROUNDS:-${ROUNDS:-3}} # before the helper takes it away
load ../helper
load ../migrate
rounds=$ROUNDS

setup_file() { up vm1 vm2 vm3; }

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

teardown() {
  lab heal h2 >&2 || true
  lab thaw --libvirtd h1 >&2 || true
  lab thaw --libvirtd h2 >&2 || true
}

# begin ARGS...: migrate on the file `plan` in the background; its process id in $pid, that of the runner in $runner.
begin() {
  rm -f pid
  on_cluster bash -c 'echo $$ >pid; exec migrate "$@"' migrate "$@" <plan >out 2>err &
  runner=$!
  local deadline=$((SECONDS + 30))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "migrate did not start"; done
  pid=$(<pid)
}

# The same command again, until nothing is left to do; then every VM of the plan is on its target, once.
repeat_until_done() {
  local deadline=$((SECONDS + 180))
  until on_cluster migrate <plan >out 2>err; do
    ((SECONDS < deadline)) || fail "the repeated command does not finish: $(cat out err)"
  done
  local vm to
  while read -r vm to; do
    assert_equal "$vm: $(whereabouts "$vm")" "$vm: $to"
  done < <(jq -r 'select(.kind=="vm_move")|"\(.vm) \(.to)"' <plan)
}

other() { [ "$1" = h1 ] && echo h2 || echo h1; }

@test "killed at random moments" {
  local from=h1 to round span=2000
  for ((round = 1; round <= rounds; round++)); do
    to=$(other "$from")
    plan "$from" "$to" vm1 vm2 vm3 >plan
    begin
    # A random moment is what is tested here; nothing is waited for.
    sleep "$(printf '%d.%03d' $((RANDOM % span / 1000)) $((RANDOM % 1000)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$runner" || true
    repeat_until_done
    lab vm verify vm1 vm2 vm3
    from=$to
  done
}

@test "killed in the middle and resumed without the plan" {
  local from
  from=$(whereabouts vm1)
  plan "$from" "$(other "$from")" vm1 >plan
  begin --bandwidth 8MiB
  wait_for_job vm1 "$from"
  kill -KILL "$pid"
  wait "$runner" || true
  run -0 --separate-stderr on_cluster migrate --resume
  assert_equal "$(field .outcome)" done
  assert_equal "$(whereabouts vm1)" "$(other "$from")"
  run -0 --separate-stderr on_cluster migrate <plan
  assert_equal "$(field .outcome)" already
  lab vm verify vm1 vm2 vm3
}

@test "definitions of stopped servers, killed at random moments" {
  local vms=(cold1 cold2 cold3 cold4) vm from=h1 round
  for vm in "${vms[@]}"; do lab vm create "$vm" --host h1 --no-start >&2; done
  for ((round = 1; round <= rounds; round++)); do
    plan "$from" "$(other "$from")" "${vms[@]}" >plan
    begin
    sleep "0.$(printf '%03d' $((RANDOM % 400)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$runner" || true
    for vm in "${vms[@]}"; do assert_regex "$(whereabouts "$vm")" '^h[12]\(off\)( h[12]\(off\))?$'; done
    on_cluster migrate <plan >out
    from=$(other "$from")
    for vm in "${vms[@]}"; do assert_equal "$(whereabouts "$vm")" "$from(off)"; done
  done
}

# The source is h1 in what follows.
home() {
  local vm at
  for vm in vm1 vm2 vm3; do
    at=$(whereabouts "$vm")
    [ "$at" = h1 ] || plan "$at" h1 "$vm" | on_cluster migrate >&2
  done
}

@test "the target's link is cut during a migration" {
  home
  plan h1 h2 vm1 >plan
  begin --bandwidth 2MiB --timeout 3s --deadline 20s
  wait_for_job vm1 h1
  lab cut h2
  ! wait "$runner"
  output=$(<out)
  assert_regex "$(field .outcome)" '^(unknown|failed|cancelled)$'
  assert_regex "$(on_cluster virsh -c "$(uri h1)" domstate vm1)" running
  lab heal h2
  repeat_until_done
  lab vm verify vm1 vm2 vm3
}

@test "the target dies during a migration" {
  home
  plan h1 h2 vm1 >plan
  begin --bandwidth 2MiB --timeout 3s --deadline 20s
  wait_for_job vm1 h1
  lab kill h2
  ! wait "$runner"
  assert_regex "$(on_cluster virsh -c "$(uri h1)" domstate vm1)" running
  lab boot h2
  repeat_until_done
  lab vm verify vm1 vm2 vm3
}

@test "the target's libvirtd freezes during a migration, and other moves go on" {
  home
  { plan h1 h2 vm1 | head -1 && plan h1 h3 vm2; } >plan
  begin --bandwidth 8MiB --timeout 3s --deadline 20s
  wait_for_job vm1 h1
  lab freeze --libvirtd h2
  ! wait "$runner"
  output=$(<out)
  assert_equal "$(field '|select(.vm=="vm2").outcome')" done
  assert_regex "$(field '|select(.vm=="vm1").outcome')" '^(unknown|failed|cancelled)$'
  lab thaw --libvirtd h2
  repeat_until_done
  lab vm verify vm1 vm2 vm3
}

@test "the source's libvirtd freezes during a migration" {
  home
  plan h1 h2 vm1 >plan
  begin --bandwidth 8MiB --timeout 3s --deadline 15s
  wait_for_job vm1 h1
  lab freeze --libvirtd h1
  ! wait "$runner"
  output=$(<out)
  assert_equal "$(field .outcome)" unknown
  lab thaw --libvirtd h1
  repeat_until_done
  lab vm verify vm1 vm2 vm3
}
