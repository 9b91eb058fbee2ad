# SPDX-License-Identifier: Apache-2.0
# migrate without hypervisors: bad input, refusals and locks, on libvirt's test driver and on daemons that do not answer.
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory
  frozen_pid=''
  { host h1 db1 web1:stopped && host h2 && host h3 db1; } >inventory
}

teardown() {
  [ -z "$frozen_pid" ] || kill -KILL "$frozen_pid"
}

# host NAME VM...: a host of the test driver with these VMs (NAME or NAME:stopped), as a line of the inventory.
host() {
  local name=$1 vm state
  {
    echo "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
    for vm in "${@:2}"; do
      state=1
      [[ $vm != *:stopped ]] || state=5
      echo "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>${vm%:*}</name>
        <memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os><test:runstate>$state</test:runstate></domain>"
    done
    echo "</node>"
  } >"$name.xml"
  echo '{"kind":"host","host":"'"$name"'","uri":"test://'"$PWD/$name.xml"'","shared_storage":["/srv"]}'
}

# move VM FROM TO [FIELDS]: a decision.
move() {
  echo '{"kind":"vm_move","time":"2026-11-22T12:00:00Z","tool":"hand","id":"'"$1-$2-$3"'","vm":"'"$1"'","from":"'"$2"'","to":"'"$3"'","stage":1,"reason":"test"'"${4:+,$4}"'}'
}
finish() { echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"hand","outcome":"'"${1:-ok}"'"}'; }

# The kernel accepts connections to it, and nothing ever answers.
frozen_host() {
  local line
  exec 7< <(exec socat -d -d TCP-LISTEN:0,bind=127.0.0.1 - 2>&1 >/dev/null)
  frozen_pid=$!
  read -r line <&7
  kill -STOP "$frozen_pid"
  echo '{"kind":"host","host":"frozen","uri":"qemu+tcp://127.0.0.1:'"${line##*:}"'/system"}' >>inventory
}

# Of the test driver's hosts only the one that comes with it says how much memory is free, and that is 3 MiB.
sized_target() {
  sed -i '/"host":"h2"/s|test://[^"]*|test:///default|' inventory
  sed -i 's|<memory>1048576<|<memory>1024<|' h1.xml
}

outcomes() { jq -r 'select(.kind=="vm_moved") | "\(.vm) \(.outcome)"' <<<"$output"; }

@test "an empty plan is nothing to do" {
  run -0 --separate-stderr migrate < <(finish)
  assert_equal "$stderr" ""
  assert_equal "$(jq -r '.kind + " " + .outcome' <<<"$output")" "end ok"
}

@test "a stream without end is half a plan, and nothing of it is done" {
  run -2 --separate-stderr migrate < <(move db1 h1 h2)
  assert_regex "$stderr" "no end record"
  refute_output --partial vm_moved
  assert_not_exists state.db
}

@test "of a stream that goes on, each plan is carried out as it comes, and between them nobody is kept from work" {
  mkfifo plans
  migrate <plans >results 2>errors &
  local pid=$! n
  exec 8>plans
  for n in 1 2; do
    move db1 "h$n" h3 >&8
    sleep 0.2
    assert_equal "$(grep -c vm_moved results)" $((n - 1))
    echo '{"kind":"round_end","time":"2026-11-22T12:00:00Z","tool":"hand","round":'$n'}' >&8
    timeout 20 bash -c "until [ \"\$(grep -c round_end results)\" = $n ]; do sleep 0.05; done"
    assert_equal "$(jq -r 'select(.kind == "vm_moved").outcome' <results | wc -l)" "$n"
    run -0 flock --nonblock state.db.migrate.lock true
  done
  # The rest has no end behind it: it is half a plan.
  move web1 h1 h2 >&8
  exec 8>&-
  local rc=0
  wait "$pid" || rc=$?
  assert_equal "$rc" 2
  assert_equal "$(grep -c vm_moved results)" 2
  assert_regex "$(<errors)" 'no end record'
}

@test "a plan whose producer failed is not carried out" {
  run -2 --separate-stderr migrate < <(move db1 h1 h2 && finish failed)
  assert_regex "$stderr" "ended with outcome failed"
  refute_output --partial vm_moved
}

@test "one decision that cannot be read refuses all of them" {
  run -2 --separate-stderr migrate < <(move db1 h1 h2 && echo '{"kind":"vm_move","vm":"x"' && finish)
  assert_regex "$stderr" "line 2"
  refute_output --partial vm_moved
  run -2 --separate-stderr migrate < <(move db1 h1 h2 && move db1 h1 h2 | jq -c '.stage = "one"' && finish)
  assert_regex "$stderr" "stage"
  run -2 --separate-stderr migrate < <(move db1 h1 h2 | jq -c 'del(.to)' && finish)
  assert_regex "$stderr" '"to"'
}

@test "two decisions of one id are no plan" {
  run -2 --separate-stderr migrate < <(move db1 h1 h2 && move db1 h1 h2 && finish)
  assert_regex "$stderr" "db1-h1-h2"
  refute_output --partial '"outcome":"done"'
}

@test "what the plan cannot mean is refused, move by move" {
  run -4 --separate-stderr migrate < <(move db1 h1 h9 && move web1 h1 h1 && move gone h1 h2 && finish)
  assert_equal "$(outcomes | sort)" $'db1 refused\ngone refused\nweb1 refused'
  assert_output --partial 'host h9 is not in the inventory'
  assert_output --partial 'not on h1 any more'
  rackline-records --check <<<"$output"
}

@test "a stale plan is refused: another run of the VM, another virtual server of that name on the target" {
  local uuid
  uuid=$(virsh -c "test://$PWD/h1.xml" domuuid db1 | head -1)
  run -4 --separate-stderr migrate < <(move db1 h1 h2 '"uuid":"'"$uuid"'","domain_id":999' && finish)
  assert_equal "$(outcomes)" "db1 refused"
  run -4 --separate-stderr migrate < <(move db1 h1 h3 && finish)
  assert_output --partial 'another virtual server of that name'
}

@test "records of other kinds are handed on" {
  run -0 --separate-stderr migrate < <(echo '{"kind":"note","text":"kept"}' && finish)
  assert_line '{"kind":"note","text":"kept"}'
}

@test "a dry run says planned and leaves the journal empty" {
  run -4 --separate-stderr migrate -n < <(move db1 h1 h9 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_moved").planned' <<<"$output")" true
  sized_target
  run -0 --separate-stderr migrate -n < <(move db1 h1 h2 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_moved")|[.outcome,.planned]|@tsv' <<<"$output")" $'planned\ttrue'
  assert_equal "$(jq -r 'select(.kind=="end")|[.done,.planned]|@tsv' <<<"$output")" $'\t1'
  assert_equal "$(sqlite3 state.db "SELECT count(*) FROM entry")" 0
}

@test "the table of a dry run says planned and never done" {
  sized_target
  run -0 --separate-stderr migrate -n -o table < <(move db1 h1 h2 && finish)
  assert_regex "$output" 'db1 +h1 +h2 +planned'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
}

@test "a host that hangs is told within the timeout, and the others are not delayed by it" {
  frozen_host
  local from=$EPOCHREALTIME
  run -1 --separate-stderr migrate --timeout 1s < <(move db1 frozen h2 && move gone h1 h2 && finish)
  assert_equal "$(outcomes | sort)" $'db1 failed\ngone refused'
  assert_output --partial 'frozen: no answer within 1s'
  assert [ "$(jq -r 'select(.vm=="gone").elapsed_ms' <<<"$output")" -lt 1000 ]
  assert [ "$(awk "BEGIN {print ($EPOCHREALTIME - $from < 8)}")" = 1 ]
}

@test "a host that refuses the connection fails its own moves" {
  echo '{"kind":"host","host":"off","uri":"qemu+tcp://127.0.0.1:1/system"}' >>inventory
  run -1 --separate-stderr migrate < <(move db1 h1 off && finish)
  assert_output --partial 'Connection refused'
}

@test "a second migrate on the store is turned away" {
  exec 8>state.db.migrate.lock
  flock 8
  run -5 --separate-stderr migrate < <(move db1 h1 h2 && finish)
  assert_regex "$stderr" "another migrate is at work"
  exec 8>&-
  run -4 --separate-stderr migrate < <(move db1 h1 h9 && finish)
}

@test "a store that is no database, or of which the directory is missing, is told and nothing is done" {
  echo "shopping list: milk, eggs, and a great deal more text than a header has" >state.db
  run -3 --separate-stderr migrate < <(move db1 h1 h2 && finish)
  assert_regex "$stderr" "state.db"
  refute_output --partial vm_moved
  run -3 --separate-stderr migrate --store "sqlite:$PWD/no/such/state.db" < <(move db1 h1 h2 && finish)
  run -2 --separate-stderr migrate --store "etc://x" < <(move db1 h1 h2 && finish)
}

@test "--resume without anything open has nothing to do, and asks for no plan" {
  run -0 --separate-stderr migrate --resume </dev/null
  assert_equal "$stderr" ""
}

@test "an inventory whose hosts take migrations at no address of theirs is refused" {
  local uri
  for uri in 10.9.0.1 tcp://10.9.0.1/ tcp://10.9 tcp://[::1] tcp://fd00::1; do
    jq -c --arg uri "$uri" 'if .host == "h1" then .migration_uri = $uri else . end' <inventory >wrong
    run -2 --separate-stderr migrate --inventory wrong < <(finish)
    assert_regex "$stderr" 'line 1: migration_uri of host h1 is'
  done
  jq -c '.migration_uri = "tcp://[fd00::1]"' <inventory >twice
  run -2 --separate-stderr migrate --inventory twice < <(finish)
  assert_regex "$stderr" 'hosts h1 and h2 have one migration_uri'
}

@test "options that make no sense are refused" {
  run -2 migrate --max-total 0 < <(finish)
  run -2 migrate --max-downtime 2s --max-downtime-limit 1s < <(finish)
  run -2 migrate --max-downtime 300 < <(finish)
  run -2 migrate --bandwidth 10GHz < <(finish)
  run -2 migrate --copy-disks --allow-postcopy < <(finish)
}

@test "nothing goes to a host that the inventory calls drained" {
  jq -c 'if .host == "h2" then .drained = true else . end' <inventory >drained
  run -4 --separate-stderr migrate --inventory drained < <(move db1 h1 h2 && finish)
  assert_regex "$(jq -r 'select(.kind=="vm_moved") | .reason' <<<"$output")" '^h2 is draining \(by inventory\)'
}

@test "nothing goes to a host in maintenance, however old the plan" {
  heartbeat maintenance h2 on
  run -4 --separate-stderr migrate < <(move db1 h1 h2 && finish)
  assert_equal "$(outcomes)" "db1 refused"
  assert_regex "$(jq -r 'select(.kind=="vm_moved") | .reason' <<<"$output")" '^h2 is in maintenance'
}

@test "one virtual server is moved by its name, wherever it is" {
  # The test driver makes a UUID up for each connection.
  sed -i 's|<name>web1|<uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>&|' h1.xml
  run -2 --separate-stderr migrate web1
  assert_regex "$stderr" "expected VM and HOST"
  run -2 --separate-stderr migrate --resume web1 h2
  run -2 --separate-stderr migrate web1 h9
  run -1 --separate-stderr migrate nobody h2
  assert_regex "$stderr" "no host has it"
  run -4 --separate-stderr migrate db1 h2
  assert_regex "$stderr" "active on h1 and h3"
  run -0 --separate-stderr migrate -n web1 h2
  assert_equal "$(jq -c 'select(.kind=="vm_moved")|[.vm,.from,.to,.outcome]' <<<"$output")" '["web1","h1","h2","planned"]'
  run -0 --separate-stderr migrate web1 h1
  assert_equal "$(outcomes)" "web1 already"
}

@test "with --away a host is chosen, and only where no other one is named" {
  run -2 --separate-stderr migrate web1 h2 --away
  run -2 --separate-stderr migrate --away
  run -2 --separate-stderr migrate --resume --away
  run -2 --separate-stderr migrate web1 h2 --rules rules
  assert_regex "$stderr" "goes with --away"
  run -1 --separate-stderr migrate nobody --away
  assert_regex "$stderr" "no host has it"
  echo '{"kind":"placement_rule","rule":"perhaps","vms":["web1"]}' >rules
  sed -i 's|<name>web1|<uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>&|' h1.xml
  run -2 --separate-stderr migrate -n web1 --away --rules rules
  # The test driver tells neither CPUs nor memory that are free: nobody is sent there.
  run -4 --separate-stderr migrate -n web1 --away
  assert_regex "$stderr" "choose a host: web1"
}

@test "a decision that a person writes needs no more than what is to move where" {
  run -0 --separate-stderr migrate -n < <(echo '{"kind":"vm_move","vm":"web1","from":"h1","to":"h2"}' && finish)
  assert_equal "$(outcomes)" "web1 planned"
}
