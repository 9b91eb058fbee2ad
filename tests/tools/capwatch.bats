# SPDX-License-Identifier: Apache-2.0
# capwatch on libvirt's test driver, which needs no daemon, and on daemons that do not answer.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  frozen_pid=
}

teardown() {
  [ -z "$frozen_pid" ] || kill -KILL "$frozen_pid"
}

# host NAME VM...: a host of the test driver with these VMs, as a line of the inventory. A VM is NAME or NAME:stopped.
host() {
  local name=$1 vm state
  {
    echo "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><cpu><nodes>1</nodes><sockets>1</sockets>
      <cores>4</cores><threads>2</threads><active>8</active><mhz>2400</mhz></cpu><memory>16777216</memory>"
    for vm in "${@:2}"; do
      state=1
      [[ $vm != *:stopped ]] || state=5
      echo "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>${vm%:*}</name>
        <memory>1048576</memory><vcpu>2</vcpu>
        <metadata><test:runstate>$state</test:runstate>
        <r:vm xmlns:r='urn:rackline:vm:1' anti_affinity='web' priority='5'/></metadata>
        <test:runstate>$state</test:runstate><os><type>hvm</type></os></domain>"
    done
    echo "</node>"
  } >"$name.xml"
  echo '{"kind":"host","host":"'"$name"'","uri":"test://'"$PWD/$name.xml"'"}'
}

# The kernel accepts connections to it, and nothing ever answers.
frozen_host() {
  local line
  exec 7< <(exec socat -d -d TCP-LISTEN:0,bind=127.0.0.1 - 2>&1 >/dev/null)
  frozen_pid=$!
  read -r line <&7
  kill -STOP "$frozen_pid"
  frozen_line='{"kind":"host","host":"frozen","uri":"qemu+tcp://127.0.0.1:'"${line##*:}"'/system"}'
}

# holds WHICH WHAT: among the records there is one of WHICH, and WHAT is true of each. (jq -e alone answers for the last line.)
holds() { jq -es "map(select($1)) | length > 0 and all($2)" <<<"$output" >/dev/null; }

refusing_host() {
  echo '{"kind":"host","host":"gone","uri":"qemu+tcp://127.0.0.1:1/system"}'
}

@test "one round: hosts, their VMs, round_end, end; every line as the description says" {
  { host h1 a b && host h2 c:stopped; } >inventory
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  assert_equal "$(jq -rs 'map(.kind) | group_by(.) | map("\(length) \(.[0])") | join(", ")' <<<"$output")" \
    "1 end, 2 host_sample, 1 round_end, 3 vm_sample"
  assert_equal "$(jq -c 'select(.host == "h1" and .kind == "host_sample") |
    [.state, .cpus, .memory_bytes, .vcpus_allocated, .memory_allocated_bytes, .vms_running, .vms_stopped]' <<<"$output")" \
    '["up",8,17179869184,4,2147483648,2,0]'
  assert_equal "$(jq -c 'select(.vm == "a") |
    [.host, .state, .vcpus, .memory_bytes, .anti_affinity, .priority, .persistent]' <<<"$output")" \
    '["h1","running",2,1073741824,"web",5,true]'
  assert_equal "$(jq -c 'select(.vm == "c") | [.state, .domain_id, .cpu_cores]' <<<"$output")" '["shutoff",null,null]'
  assert_equal "$(jq -c 'select(.kind == "round_end") | [.round, .hosts, .hosts_up, .vms]' <<<"$output")" '[1,2,2,3]'
}

@test "what a driver does not tell is null, not zero" {
  host h1 a >inventory
  run -0 capwatch --inventory inventory --window 10ms
  assert_equal "$(jq -c 'select(.kind == "host_sample") |
    [.memory_used_bytes, .memory_free_bytes, .cpu_percent, .disk_read_bytes_per_second]' <<<"$output")" \
    '[null,null,null,null]'
}

@test "the inventory's fields come along, so that a planner needs nothing but the stream" {
  host h1 | jq -c '. + {failure_domain: "r1", drained: true, cpu_overcommit: 4, memory_reserve_bytes: 1073741824}' >inventory
  run -0 capwatch --inventory inventory --window 0
  assert_equal "$(jq -c 'select(.kind == "host_sample") |
    [.failure_domain, .drained, .cpu_overcommit, .memory_reserve_bytes]' <<<"$output")" '["r1",true,4,1073741824]'
}

@test "a host that refuses is a record, and the others are sampled" {
  { refusing_host && host h1 a; } >inventory
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms
  assert_equal "$stderr" ""
  assert_equal "$(jq -c 'select(.kind == "host_sample") | [.host, .state]' <<<"$output" | sort)" \
    '["gone","unreachable"]
["h1","up"]'
  holds '.host == "gone"' '.error | test("Connection refused")'
  holds '.host == "gone"' '.cpus == null and .vms_running == null'
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" ok
}

@test "a host that hangs is a record after the timeout, and delays no other" {
  frozen_host
  { echo "$frozen_line" && host h1 a; } >inventory
  run -0 capwatch --inventory inventory --window 10ms --timeout 1500ms
  assert_equal "$(jq -c 'select(.kind == "host_sample") | [.host, .state]' <<<"$output")" '["h1","up"]
["frozen","timeout"]'
  holds '.host == "frozen"' '.error | test("no answer within 1.5s")'
  holds '.host == "frozen"' '.elapsed_ms >= 1500 and .elapsed_ms < 3000'
  holds '.host == "h1" and .kind == "host_sample"' '.elapsed_ms < 1400'
}

@test "the window between two samples does not count against the timeout" {
  host h1 a >inventory
  run -0 capwatch --inventory inventory --window 1s --timeout 600ms
  holds '.kind == "host_sample"' '.state == "up" and .window_ms >= 1000 and .elapsed_ms < 1000'
}

@test "none answers: exit 3, and the records are there" {
  refusing_host >inventory
  run -3 --separate-stderr capwatch --inventory inventory
  assert_equal "$(jq -r .kind <<<"$output" | paste -sd' ')" "host_sample round_end end"
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" failed
  assert_equal "$stderr" "capwatch: sample the hosts: all 1: none of them answered"
}

@test "--interval: rounds, and rates against the round before" {
  host h1 a >inventory
  run -0 capwatch --inventory inventory --interval 300ms --count 3 --window 50ms
  assert_equal "$(jq -c 'select(.kind == "round_end").round' <<<"$output" | paste -sd' ')" "1 2 3"
  jq -es 'map(select(.kind == "host_sample").window_ms) | .[0] < 250 and .[2] > 150' <<<"$output"
  assert_equal "$(jq -r 'select(.kind == "end").rounds' <<<"$output")" 3
}

@test "a host that stays frozen does not hold up round after round" {
  frozen_host
  { echo "$frozen_line" && host h1 a; } >inventory
  run -0 capwatch --inventory inventory --interval 400ms --count 6 --window 50ms --timeout 2s
  assert_equal "$(jq -r 'select(.host == "frozen").state' <<<"$output" | sort | uniq -c | xargs)" "6 timeout"
  assert_equal "$(jq -r 'select(.kind == "vm_sample").vm' <<<"$output" | wc -l)" 6
  # The first round waits for it; after that five more take hardly more than five intervals.
  holds '.kind == "end"' '.elapsed_ms < 2000 + 6 * 400 + 1000'
}

@test "a host that comes back is sampled again" {
  host h1 a >inventory
  mv h1.xml away.xml
  mkfifo rounds
  capwatch --inventory inventory --interval 200ms --window 10ms >rounds &
  local watcher=$! line seen=
  while read -r line; do
    case $(jq -r '"\(.kind) \(.state)"' <<<"$line") in
      "host_sample unreachable") [ -e h1.xml ] || mv away.xml h1.xml ;;
      "host_sample up") seen=yes && break ;;
    esac
  done <rounds
  wait "$watcher" || true
  assert_equal "$seen" yes
}

@test "INT and TERM: end says interrupted, and a round that was cut has no round_end" {
  local signal code
  frozen_host
  { echo "$frozen_line" && host h1 a; } >inventory
  mkfifo records
  for signal in INT:130 TERM:143; do
    # the shell of a test starts its background jobs with INT ignored
    env --default-signal=INT capwatch --inventory inventory --timeout 1h --window 10ms >records &
    local watcher=$!
    exec 8<records
    read -r line <&8 # the frozen host will not come, so the first record is of the other
    kill -"${signal%:*}" "$watcher"
    code=0
    wait "$watcher" || code=$?
    assert_equal "$code" "${signal#*:}"
    assert_equal "$(jq -r .kind <&8 | paste -sd' ')" "vm_sample end"
    exec 8<&-
  done
}

@test "a reader that goes ends it, even between two rounds far apart" {
  host h1 a >inventory
  run -0 timeout 10 bash -c 'capwatch --inventory inventory --interval 1h --window 10ms | head -n 1'
  assert_equal "$(jq -r .kind <<<"$output")" host_sample
}

@test "hosts as operands restrict it; one that is unknown is an error" {
  { host h1 a && host h2 b && host h3 c; } >inventory
  run -0 capwatch --inventory inventory --window 10ms h3 h1
  assert_equal "$(jq -r 'select(.kind == "host_sample").host' <<<"$output" | sort | paste -sd' ')" "h1 h3"
  run -2 --separate-stderr capwatch --inventory inventory h1 h9
  assert_equal "$stderr" "capwatch: choose the hosts: h9: the inventory has no such host"
}

@test "a table has the inventory's order" {
  frozen_host
  { echo "$frozen_line" && host h2 b && host h1 a; } >inventory
  run -0 capwatch --inventory inventory --window 10ms --timeout 500ms -o table
  assert_line --index 0 --regexp '^HOST +STATE'
  assert_line --index 1 --regexp '^frozen +timeout'
  assert_line --index 2 --regexp '^h2 +up'
  assert_line --index 3 --regexp '^h1 +up'
  assert_line --regexp '^a +h1 +running'
}

@test "--list prints names for completion" {
  { host h1 b a && host h2 c:stopped && refusing_host; } >inventory
  run -0 --separate-stderr capwatch --inventory inventory --list vms
  assert_equal "$output" $'a\nb\nc'
  run -0 capwatch --inventory inventory --list hosts
  assert_equal "$output" $'h1\nh2\ngone'
}

@test "an inventory that cannot be right is refused before any host is asked" {
  { host h1 && host h1; } >twice
  echo '{"kind":"host","host":"h1","uri":7}' >'type'
  echo '{"kind":"host","name":"h1","uri":"test:///default"}' >key
  printf '{"kind":"host","host":"h1"' >'cut'
  : >empty
  local file
  for file in twice type key cut empty missing; do
    run -2 --separate-stderr capwatch --inventory "$file"
    assert_equal "$(jq -r .kind <<<"$output")" end
    assert_regex "$stderr" "^capwatch: read [a-z ]*: $file(: |$)"
  done
}

@test "a URI that is none is a host that cannot be reached" {
  { host h1 && echo '{"kind":"host","host":"odd","uri":"not a uri"}' && echo '{"kind":"host","host":"strange","uri":"foo://x/"}'; } >inventory
  run -0 capwatch --inventory inventory --window 10ms
  assert_equal "$(jq -r 'select(.kind == "host_sample") | "\(.host) \(.state)"' <<<"$output" | sort | paste -sd,)" \
    "h1 up,odd unreachable,strange unreachable"
}

@test "options that make no sense: exit 2" {
  host h1 >inventory
  run -2 capwatch --inventory inventory --interval 0
  run -2 capwatch --inventory inventory --count 3
  run -2 capwatch --inventory inventory --interval 1s --count 0
  run -2 capwatch --inventory inventory --interval 5
  run -2 capwatch --inventory inventory --list disks
}

@test "a full disk under stdout is an error, not a silence" {
  host h1 >inventory
  run -3 --separate-stderr bash -c 'capwatch --inventory inventory --window 10ms >/dev/full'
  assert_regex "$stderr" '^capwatch: write records: stdout: No space left on device'
}
