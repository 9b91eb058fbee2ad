# SPDX-License-Identifier: Apache-2.0
# rackline on libvirt's test driver: states and marks. What is really moved is in tests/e2e/drain.bats.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory
  { host h1 db1 && host h2; } >inventory
}

# host NAME VM...: a host of the test driver with these running VMs, as a line of the inventory.
host() {
  local name=$1 vm
  {
    echo "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
    for vm in "${@:2}"; do
      echo "<domain type='test'><name>$vm</name><memory>1048576</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
    done
    echo "</node>"
  } >"$name.xml"
  echo '{"kind":"host","host":"'"$name"'","uri":"test://'"$PWD/$name.xml"'","shared_storage":["/srv"]}'
}

states() { rackline hosts -o json | jq -r 'select(.kind=="host_status") | .host + " " + .state' | xargs; }

@test "hosts that serve: exit 0; one that does not: exit 1, with who and why" {
  run -0 --separate-stderr rackline hosts
  assert_equal "$(states)" "h1 serving h2 serving"
  heartbeat maintenance h2 on
  run -1 --separate-stderr rackline hosts
  assert_equal "$(states)" "h1 serving h2 maintenance"
  run -0 --separate-stderr rackline undrain h2
  assert_equal "$(states)" "h1 serving h2 serving"
}

@test "an empty host is in maintenance at once, and takes nothing until undrain" {
  run -0 --separate-stderr rackline drain h2 --reason 'new fans'
  assert_equal "$stderr" ""
  assert_equal "$(jq -r 'select(.kind=="host_drained") | .outcome' <<<"$output")" "done"
  assert_equal "$(rackline hosts -o json | jq -r 'select(.host=="h2") | .state + ": " + .reason')" "maintenance: new fans"
  assert_equal "$(sqlite3 "${RACKLINE_STORE#sqlite:}" "SELECT json_extract(value, '$.empty') FROM entry WHERE key = 'maintenance/h2'")" 1
  run -0 --separate-stderr rackline drain h2
  assert_equal "$(jq -r 'select(.kind=="host_drained") | .outcome' <<<"$output")" already
  heartbeat maintenance h2 on
  run -0 rackline drain h2
  assert_equal "$(sqlite3 "${RACKLINE_STORE#sqlite:}" "SELECT json_extract(value, '$.empty') FROM entry WHERE key = 'maintenance/h2'")" 1
  run -0 rackline undrain h2
  assert_equal "$(states)" "h1 serving h2 serving"
}

@test "what cannot leave is named, and the host stays draining" {
  run -1 --separate-stderr rackline drain h1 --force
  assert_equal "$(jq -rc 'select(.kind=="host_drained") | [.outcome, .left]' <<<"$output")" '["failed",["db1"]]'
  assert_equal "$(states)" "h1 draining h2 serving"
}

@test "the last host that serves is not drained" {
  rackline drain h2 >/dev/null
  run -4 --separate-stderr rackline drain h1
  assert_regex "$(jq -r 'select(.kind=="host_drained") | .reason' <<<"$output")" 'no other host serves'
  assert_equal "$(states)" "h1 serving h2 maintenance"
}

@test "a dry run leaves no mark" {
  run -0 --separate-stderr rackline -n drain h2
  assert_equal "$(jq -rc 'select(.kind=="host_drained") | [.outcome, .planned]' <<<"$output")" '["planned",true]'
  run -0 --separate-stderr rackline -n -o table drain h2
  assert_regex "$output" 'h2 +planned'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  assert_equal "$(states)" "h1 serving h2 serving"
}

@test "a host that is not in the inventory, one with a name that leaves its directory, a time that is over: exit 2" {
  run -2 --separate-stderr rackline drain h9
  assert_regex "$stderr" '^rackline: drain: h9: it is not in the inventory'
  run -2 rackline undrain h9
  run -2 rackline drain h2 --until 2020-01-01T00:00:00Z
  assert_equal "$(states)" "h1 serving h2 serving"
  local name
  for name in ../../x -rf 'a b' a/b; do
    jq -nc --arg name "$name" '{kind: "host", host: $name, uri: "test:///default"}' >inventory
    run -2 --separate-stderr rackline hosts
    assert_regex "$stderr" 'none that a host may have'
  done
}

@test "two drains at once: the second is told, exit 5, and marks nothing" {
  run -5 --separate-stderr flock state.db.drain.lock rackline drain h2
  assert_regex "$stderr" 'another drain is at work'
  assert_equal "$(states)" "h1 serving h2 serving"
}

@test "a drain that was taken back meanwhile does not end in maintenance" {
  # capplan stands still until the other command has been given.
  mkdir bin
  for program in rackline capwatch migrate; do ln -s "$(command -v $program)" bin/; done
  cp "$(command -v rackline)" bin/rackline.real
  rm bin/rackline && mv bin/rackline.real bin/rackline
  printf '#!/bin/sh\ntouch planning; until [ -e go ]; do sleep 0.05; done\nexec %s "$@"\n' "$(command -v capplan)" >bin/capplan
  chmod +x bin/capplan
  bin/rackline drain h1 --force >out 2>err &
  local drain=$!
  until [ -e planning ]; do sleep 0.05; done
  run -0 rackline undrain h1
  touch go
  wait "$drain" || true
  assert_equal "$(states)" "h1 serving h2 serving"
}

@test "a drain that gets TERM hands it on to its migrate, waits for it, and leaves the host draining" {
  mkdir bin
  for program in capwatch capplan; do ln -s "$(command -v $program)" bin/; done
  cp "$(command -v rackline)" bin/rackline
  # A move that takes for ever, and is cancelled in order.
  cat >bin/migrate <<'END'
#!/bin/sh
cat >/dev/null
trap 'sleep 0.3; echo "{\"kind\":\"end\",\"time\":\"2026-01-01T00:00:00Z\",\"tool\":\"migrate\",\"outcome\":\"interrupted\"}"; touch cancelled; exit 143' TERM
echo $$ >migrating
while :; do sleep 0.05; done
END
  chmod +x bin/migrate
  bin/rackline drain h1 --force >out 2>err &
  local drain=$! status=0
  until [ -s migrating ]; do sleep 0.05; done
  kill -TERM "$drain"
  wait "$drain" || status=$?
  assert_equal "$status" 143
  assert_file_exists cancelled
  refute kill -0 "$(<migrating)"
  assert_equal "$(jq -rc 'select(.kind=="host_drained") | [.outcome, .left, .reason]' out)" '["interrupted",["db1"],"repeat the command to go on"]'
  assert_equal "$(jq -r 'select(.kind=="end").outcome' out)" interrupted
  assert_equal "$(states)" "h1 draining h2 serving"
}

@test "a second drain changes what the first said" {
  rackline drain h2 --reason fans >/dev/null
  run -0 rackline drain h2 --until 2099-01-01T00:00:00Z --reason 'new fans'
  assert_equal "$(rackline hosts -o json | jq -r 'select(.host=="h2") | .reason + " " + .until')" "new fans 2099-01-01T00:00:00Z"
}

@test "a host that does not answer is not marked; a dry run that cannot succeed says why" {
  echo '{"kind":"host","host":"h3","uri":"qemu+tcp://127.0.0.1:1/system"}' >>inventory
  run -3 --separate-stderr rackline drain h3
  assert_regex "$stderr" 'h3: it does not answer'
  assert_regex "$(states)" 'h3 serving'
  run -1 --separate-stderr rackline -n drain h1 --force
  assert_regex "$stderr" 'h1: db1: .'
}

@test "a wrong command is named, and the nearest one offered; the help of each command names the common options" {
  run -2 --separate-stderr rackline dran h2
  assert_equal "${stderr_lines[0]}" "rackline: read the command line: dran: there is no such command; did you mean drain?"
  run -2 --separate-stderr rackline status
  assert_regex "$stderr" 'status: there is no such command; expected one of hosts, drain, undrain'
  run -2 --separate-stderr rackline
  assert_regex "$stderr" 'expected a command, one of hosts, drain, undrain'
  run -2 --separate-stderr failover dissarm
  assert_regex "$stderr" 'did you mean disarm'
  run -0 rackline drain --help
  assert_output --partial 'Options of every command: -o,--output -q,--quiet -v,--verbose --inventory'
  assert_output --partial 'see rackline --help'
}

@test "a long reason is cut to the width of a terminal, and is whole in a pipe and with -v" {
  local reason='new fans for the second power supply of this host and for the third one of its neighbour, too'
  heartbeat maintenance h2 on --reason "$reason"
  run -1 rackline -o table hosts
  assert_output --partial "$reason"
  on_terminal() { timeout 20 script -qec "stty cols 110; $*" /dev/null </dev/null | tr -d '\r'; }
  run on_terminal rackline hosts
  assert_output --partial 'new fans for the second'
  refute_output --partial 'neighbour'
  assert [ "$(awk '/maintenance/ { print length }' <<<"$output")" -le 110 ]
  assert_regex "$output" '\.\.\.'
  run on_terminal rackline hosts -v
  assert_output --partial "$reason"
}

@test "hosts says that the cluster is disarmed" {
  failover disarm --reason 'new switches'
  run -0 --separate-stderr rackline hosts
  assert_equal "$(jq -rc 'select(.kind=="cluster_healing") | [.state, .reason]' <<<"$output")" '["disarmed","new switches"]'
  assert_regex "$stderr" 'the cluster is disarmed since'
  failover arm
  run -0 --separate-stderr rackline hosts
  refute_output --partial cluster_healing
}
