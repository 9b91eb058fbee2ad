# SPDX-License-Identifier: Apache-2.0
# capwatch on libvirt's test driver, which needs no daemon, and on daemons that do not answer.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  frozen_pid=
  watcher=
}

teardown() {
  [ -z "$frozen_pid" ] || kill -KILL "$frozen_pid"
  [ -z "$watcher" ] || { kill "$watcher" && wait "$watcher"; } 2>/dev/null || true
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
    "1 end, 2 host_sample, 1 round_end, 3 vm_sample, 1 watch_summary"
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
  assert_regex "$stderr" '^capwatch: 1 of 2 hosts gave no answer: gone \(.*Connection refused\)$'
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
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms --timeout 1500ms
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
  assert_equal "$(jq -r .kind <<<"$output" | paste -sd' ')" "host_sample round_end watch_summary end"
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" failed
  assert_equal "$stderr" "capwatch: sample the hosts: all 1: none of them answered"
}

@test "--interval: rounds, and rates against the round before" {
  host h1 a >inventory
  run -0 capwatch --inventory inventory --interval 300ms --count 3 --window 50ms
  assert_equal "$(jq -c 'select(.kind == "round_end").round' <<<"$output" | paste -sd' ')" "1 2 3"
  jq -es 'map(select(.kind == "host_sample").window_ms) | .[0] < 250 and .[2] > 150' <<<"$output"
  assert_equal "$(jq -r 'select(.kind == "end").rounds' <<<"$output")" 3
  assert_equal "$(jq -c 'select(.kind == "watch_summary") | [.rounds, .hosts, .hosts_up, .vms, .fluctuations]' <<<"$output")" \
    '[3,1,1,1,null]'
}

@test "a host that stays frozen does not hold up round after round" {
  frozen_host
  { echo "$frozen_line" && host h1 a; } >inventory
  run -0 --separate-stderr capwatch --inventory inventory --interval 400ms --count 6 --window 50ms --timeout 2s
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
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms --timeout 2s -o table
  assert_equal "$stderr" 'capwatch: 1 of 3 hosts gave no answer: frozen (no answer within 2s)'
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

# --- windows, recordings, metrics, saved clusters ---

# A round of one host as a recording has it: sample ROUND SECOND HOST CPU%
sample() {
  printf '{"kind":"host_sample","time":"%s","tool":"capwatch","host":"%s","state":"up","cpus":8,"cpu_percent":%s,"memory_bytes":1000,"memory_used_bytes":500}\n' \
    "$(date -u -d "@$((1800000000 + $2))" +%FT%TZ)" "$3" "$4"
}
closed() {
  printf '{"kind":"round_end","time":"%s","tool":"capwatch","round":%d,"at_ms":%d}\n' \
    "$(date -u -d "@$((1800000000 + $2))" +%FT%TZ)" "$1" "$(($2 * 1000))"
}
# rounds FROM TO CPU%: rounds of h1 every 10 s.
rounds() {
  local second
  for ((second = $1; second < $2; second += 10)); do
    sample 0 "$second" h1 "$3"
    closed $((second / 10 + 1)) "$second"
  done
}
stream_end='{"kind":"end","time":"2027-01-15T09:00:00Z","tool":"capwatch","outcome":"ok"}'

@test "--follow: windows of hosts and servers behind the samples of each round" {
  { host h1 a b && host h2 c:stopped; } >inventory
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms --follow --interval 100ms --count 3
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  assert_equal "$(jq -c 'select(.kind == "vm_usage" and .vm == "a") | [.host, .samples]' <<<"$output" | paste -sd' ')" \
    '["h1",1] ["h1",2] ["h1",3]'
  holds '.kind == "vm_usage"' '.cpu_p95_cores > 0.9 and .cpu_p95_cores < 1.1 and .vm != "c"'
  assert_equal "$(jq -r .kind <<<"$output" | uniq | tail -4 | paste -sd' ')" "vm_usage round_end watch_summary end"
  assert_equal "$(jq -c 'select(.kind == "end") | [.rounds, .fluctuations]' <<<"$output")" '[3,0]'
  assert_equal "$(jq -c 'select(.kind == "watch_summary") | [.rounds, .hosts, .vms, .fluctuations]' <<<"$output")" '[3,2,3,0]'
}

@test "--replay: usage that stays outside is a fluctuation with its evidence, and so is the way back" {
  { rounds 0 300 30 && rounds 300 600 95 && rounds 600 900 30 && echo "$stream_end"; } >rec
  run -0 --separate-stderr capwatch --replay rec
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  jq -c 'select(.kind == "fluctuation")' <<<"$output" >said
  assert_equal "$(jq -r '"\(.object) \(.host) \(.resource) \(.direction) \(.threshold) \(.unit)"' said)" \
    $'host h1 cpu above 75 percent\nhost h1 cpu back 75 percent'
  assert_equal "$(jq -s '.[1].cause == .[0].id and .[0].id != .[1].id' said)" true
  jq -es '.[0] | .value > 75 and .held_ms >= 60000 and .p95 == 95 and .trend_per_hour > 0 and (.reason | test("^h1 cpu .* > 75% for 1m"))' said
  assert_equal "$(jq -r 'select(.kind == "end" or .kind == "watch_summary").fluctuations' <<<"$output")" $'1\n1'
}

@test "--replay: one spike reports nothing, and nor does usage that trembles around the edge" {
  { rounds 0 300 30 && rounds 300 310 100 && rounds 310 900 30; } >rec
  run -0 capwatch --replay rec
  assert_equal "$(grep -c '"fluctuation"' <<<"$output")" 0
  { rounds 0 600 80 && for s in {600..1800..40}; do rounds "$s" $((s + 20)) 74 && rounds $((s + 20)) $((s + 40)) 76; done; } >rec
  run -0 capwatch --replay rec
  assert_equal "$(grep -c '"kind":"fluctuation"' <<<"$output")" 1
}

@test "bands, hold and hysteresis are as given" {
  rounds 0 600 50 >rec
  run -0 capwatch --replay rec --band cpu=40
  assert_equal "$(jq -r 'select(.kind == "fluctuation").direction' <<<"$output")" above
  run -0 capwatch --replay rec --band cpu=60..90
  assert_equal "$(jq -r 'select(.kind == "fluctuation").direction' <<<"$output")" below
  run -0 capwatch --replay rec --band cpu=off,memory=40
  assert_equal "$(jq -r 'select(.kind == "fluctuation").resource' <<<"$output")" memory
  run -0 capwatch --replay rec --band cpu=40 --hold 1h
  refute_output --partial '"fluctuation"'
  local wrong
  for wrong in cpu disk=5 cpu=60..10 cpu=x; do
    run -2 --separate-stderr capwatch --replay rec --band "$wrong"
    assert_regex "$stderr" '^capwatch: read a band: '
  done
}

@test "--record keeps the rounds, and --replay makes of them what was said at the time" {
  { host h1 a b && host h2 c; } >inventory
  run -0 capwatch --inventory inventory --window 10ms --follow -i 100ms -c 4 --hold 150ms --vm-band cpu=1 --record rec
  echo "$output" >live
  assert [ "$(grep -c '"kind":"fluctuation"' live)" -ge 3 ]
  rackline-records --check rec
  assert_equal "$(jq -r .kind rec | sort | uniq -c | xargs)" "1 end 8 host_sample 4 round_end 12 vm_sample"
  run -0 --separate-stderr capwatch --replay rec --hold 150ms --vm-band cpu=1
  assert_equal "$stderr" ""
  # But for when the streams ended.
  said() { sed '/"kind":"end"/d; /"kind":"watch_summary"/s/"time":"[^"]*",//' | sort; }
  diff <(said <live) <(said <<<"$output")
  # A second run stands behind the first.
  run -0 capwatch --inventory inventory --window 10ms --record rec
  run -0 --separate-stderr capwatch --replay rec
  assert_equal "$stderr" ""
  assert_equal "$(grep -c '"kind":"round_end"' <<<"$output")" 5
  # What another capwatch wrote on its stdout is a recording, too; and hosts may be chosen of it.
  run -0 capwatch --replay live h2 --vm-band cpu=1 --hold 150ms
  assert_equal "$(jq -r 'select(.host).host' <<<"$output" | sort -u)" h2
  run -0 --separate-stderr capwatch --replay live h2 h9
  assert_equal "$stderr" "capwatch: replay the rounds: live: there is no host h9"
}

@test "a recording that is rotated goes on in the next file, and both are whole" {
  host h1 a >inventory
  capwatch --inventory inventory --interval 50ms --window 10ms --record rec >/dev/null 3>&- &
  local recorder=$!
  await_rounds() { # FILE
    local deadline=$((SECONDS + 20))
    until [ "$(grep -sc round_end "$1")" -ge 2 ] 2>/dev/null; do
      ((SECONDS < deadline)) || fail "no rounds in $1"
      sleep 0.1
    done
  }
  await_rounds rec
  mv rec rec.1
  await_rounds rec
  kill "$recorder" && { wait "$recorder" || true; }
  rackline-records --check rec.1
  rackline-records --check rec
  # Not a round is lost between them, and none is there twice.
  run -0 jq -r 'select(.kind=="round_end").round' rec.1 rec
  assert_equal "$output" "$(seq "$(wc -l <<<"$output")")"
  run -0 --separate-stderr capwatch --replay - < <(cat rec.1 rec)
  assert_equal "$stderr" ""
}

@test "a recorder that is killed costs the round in hand" {
  host h1 a >inventory
  capwatch --inventory inventory --interval 50ms --window 10ms --record rec >/dev/null 3>&- &
  watcher=$!
  for _ in {1..200}; do [ "$(grep -c round_end rec 2>/dev/null)" -ge 3 ] && break || sleep 0.05; done
  kill -KILL "$watcher"
  wait "$watcher" || true
  watcher=
  printf '{"kind":"host_sample","time":"2026-11-2' >>rec
  run -0 capwatch --inventory inventory --window 10ms --record rec
  run -0 --separate-stderr capwatch --replay rec
  assert_regex "$stderr" '^capwatch: read records: rec: line [0-9]+: '
  assert_equal "$(jq -r 'select(.kind == "end").skipped' <<<"$output")" 1
  assert_equal "$(grep -c '"kind":"round_end"' <<<"$output")" "$(grep -c '"kind":"round_end"' rec)"
}

@test "a recording that was cut in the middle is replayed as far as it is whole" {
  { rounds 0 100 30 && sample 0 100 h1 30 && sample 0 100 h2 30 | head -c 40; } >rec
  run -0 --separate-stderr capwatch --replay rec
  assert_equal "$(grep -c '"kind":"round_end"' <<<"$output")" 10
  assert_line --index 0 --partial '"host_sample"'
  assert_regex "$stderr" 'capwatch: read records: rec: line 22: '
  assert_regex "$stderr" 'capwatch: replay the rounds: rec: line [0-9]+: the round before was cut off and is left out'
}

@test "a recording in which time runs backwards is refused, and nothing is written of it" {
  { rounds 0 100 30 && sample 0 50 h1 30 && closed 11 50; } | sed 's/,"at_ms":[0-9]*//' >rec
  run -2 --separate-stderr capwatch --replay rec
  assert_equal "$(jq -r .kind <<<"$output")" end
  assert_regex "$stderr" '^capwatch: replay the rounds: rec: line 22: time runs backwards: the round is of 2027-01-15T08:00:50Z'
  # From a pipe it is met on the way.
  run -2 --separate-stderr capwatch --replay - <rec
  assert_regex "$stderr" '^capwatch: replay the rounds: stdin: line 22: time runs backwards'
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" failed
}

@test "what is no recording is refused" {
  echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"x","outcome":"ok"}' >empty
  head -c 4096 /dev/urandom >noise
  local file
  for file in empty noise missing; do
    run -2 --separate-stderr capwatch --replay "$file"
    assert_equal "$(jq -r .kind <<<"$output")" end
  done
}

@test "samples without capacity are named, and no share is taken of nothing" {
  rounds 0 600 95 | sed 's/"memory_bytes":1000/"memory_bytes":0/; s/"cpus":8/"cpus":0/' >rec
  run -0 --separate-stderr capwatch --replay rec
  assert_equal "$stderr" "capwatch: watch the usage: host h1: it has 0 CPUs, so no share of them can be told"
  refute_output --partial '"fluctuation"'
  refute_output --partial '"host_usage"'
  holds '.kind == "host_sample"' '.cpus == 0 and .memory_bytes == 0'
}

# scrape PATH [METHOD]: the page that the server answers, its head in the file headers. Where it is, -v has said in the file said.
scrape() {
  local address
  address=$(sed -n 's,.*metrics are at http://\(.*\)/metrics$,\1,p' said)
  [ -n "$address" ] && exec 9<>"/dev/tcp/${address%:*}/${address##*:}" || return
  printf '%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "${2:-GET}" "$1" >&9
  tr -d '\r' <&9 >answer
  exec 9>&-
  sed '/^$/q' answer >headers
  sed '1,/^$/d' answer
}

@test "--listen: a scraper gets the last whole round, in Prometheus' text format" {
  { host h1 a b && refusing_host; } >inventory
  capwatch --inventory inventory --interval 200ms --window 10ms --listen 127.0.0.1:0 -v >/dev/null 2>said 3>&- &
  watcher=$!
  for _ in {1..100}; do scrape /metrics 2>/dev/null >page && grep -q rackline_rounds_total page && break || sleep 0.1; done
  grep -qi '^content-type: text/plain; version=0.0.4' headers
  grep -qx 'rackline_host_up{host="h1"} 1' page
  grep -qx 'rackline_host_up{host="gone"} 0' page
  grep -qx 'rackline_host_memory_bytes{host="h1"} 17179869184' page
  grep -qx 'rackline_vm_running{host="h1",vm="a"} 1' page
  grep -q '^rackline_vm_usage_cpu_p95_cores{host="h1",vm="b"} [0-9.]*$' page
  # Every line is a HELP, a TYPE or a sample; each family has both, once and before its samples.
  awk '/^# HELP [a-z0-9_]+ ./ {if (help[$3]++) bad = 1; next}
    /^# TYPE [a-z0-9_]+ (gauge|counter)$/ {if (type[$3]++ || !help[$3] || ($4 == "counter") != ($3 ~ /_total$/)) bad = 1; last = $3; next}
    /^[a-z0-9_]+(\{([a-z_]+="[^"\\]*",?)+\})? [-+0-9.e]+$/ {name = $0; sub(/[{ ].*/, "", name); if (name != last) bad = 1; next}
    {print "not understood: " $0; bad = 1} END {exit bad}' page
  run -0 scrape /else
  grep -q '^HTTP/1.1 404' headers
  run -0 scrape /metrics POST
  grep -q '^HTTP/1.1 405' headers
}

@test "--listen: an address that is taken is an error before the first round" {
  host h1 a >inventory
  capwatch --inventory inventory --interval 1h --window 10ms --listen 127.0.0.1:0 -v >/dev/null 2>said 3>&- &
  watcher=$!
  for _ in {1..100}; do grep -q http said && break || sleep 0.1; done
  run -3 --separate-stderr capwatch --inventory inventory --listen "$(sed 's/.*http:..\(.*\)\/metrics/\1/' said)"
  assert_equal "$(jq -r .kind <<<"$output")" end
  assert_regex "$stderr" '^capwatch: listen: 127.0.0.1:[0-9]*: Address already in use'
}

@test "--listen: a port alone is every address; what is no address is an error" {
  host h1 a >inventory
  run -0 --separate-stderr capwatch --inventory inventory --window 10ms --follow -i 1s -c 1 --listen :0 -v
  assert_regex "$stderr" 'metrics are at http://0.0.0.0:[0-9]+/metrics'
  run -2 capwatch --inventory inventory --listen 127.0.0.1:http
  run -2 capwatch --inventory inventory --listen '[::1'
}

@test "--from ganeti: nodes and instances are hosts and servers, and what binds them are rules" {
  cat >cluster <<'DATA'
group-01|uuid-01|preferred||

node1|16384|512|12288|409600|153600|16|M|uuid-01|1|rack:a
node2|16384|512|14848|409600|153600|16|N|uuid-01|1|rack:b
node3|16384|512|15872|409600|153600|16|Y|uuid-01|1|rack:b

dns1|2048|51200|2|running|Y|node1||ext|service:dns|1
dns2|1024|51200|1|running|Y|node2||rbd|service:dns|1
disk|1024|51200|1|running|Y|node1|node2|drbd||1
off|1024|51200|1|ADMIN_down|Y|node2||ext||1

htools:iextags:service
htools:nlocation:rack

|128,1,1024,1,1,1|128,1,1024,1,1,1;32768,8,1048576,16,8,12|ext|3.0|32.0
DATA
  run -0 --separate-stderr capwatch --from ganeti cluster
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  assert_equal "$(jq -c 'select(.kind == "host_sample") |
    [.host, .state, .cpus, .memory_bytes, .memory_free_bytes, .vms_running, .vms_stopped, .cpu_overcommit, .failure_domain, .imported]' <<<"$output")" \
    '["node1","up",16,17179869184,12884901888,2,0,3,"rack:a","ganeti"]
["node2","up",16,17179869184,15569256448,1,1,3,"rack:b","ganeti"]
["node3","up",16,17179869184,16642998272,0,0,3,"rack:b","ganeti"]'
  assert_equal "$(jq -c 'select(.kind == "host_sample") | .drained' <<<"$output" | paste -sd' ')" "null null true"
  assert_equal "$(jq -c 'select(.kind == "vm_sample") | [.vm, .host, .state, .memory_bytes, .vcpus, .cpu_cores]' <<<"$output" | head -1)" \
    '["dns1","node1","running",2147483648,2,null]'
  assert_equal "$(jq -c 'select(.kind == "placement_rule") | [.rule, .vms, .hosts]' <<<"$output")" \
    '["pin",["disk"],["node1","node2"]]
["anti_affinity",["dns1","dns2"],null]'
  # The same file gives the same records, and so does a pipe but for the time.
  assert_equal "$(capwatch --from ganeti cluster | grep sample | md5sum)" "$(grep sample <<<"$output" | md5sum)"
  assert_equal "$(capwatch --from ganeti - <cluster | jq -c 'del(.time)' | grep sample)" "$(jq -c 'del(.time)' <<<"$output" | grep sample)"
}

@test "--from ganeti: every cluster of Ganeti's own tests is read" {
  local data=$REPO/../shared/data/ganeti-htools file
  [ -d "$data" ] || skip "no $data"
  for file in "$data"/*; do
    run -0 --separate-stderr capwatch --from ganeti "$file"
    assert_equal "$stderr" ""
    rackline-records --check <<<"$output"
    assert_equal "$(grep -c '"host_sample"' <<<"$output")" "$(awk -v RS= 'NR == 2 {print NF}' FS='\n' "$file")"
  done
}

@test "--from csv: a table with the names of the fields" {
  cat >table.csv <<'DATA'
host,vm,cpus,vcpus,memory_bytes,memory_used_bytes,cpu_cores,anti_affinity
h1,,16,,64GiB,20GiB,,
h1,db1,,4,16GiB,12GiB,2.5,db
h1,"web, old",,2,4294967296,,0.7,
h2,,16,,64GiB,1GiB,,
DATA
  run -0 --separate-stderr capwatch --from csv table.csv
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  assert_equal "$(jq -c 'select(.kind == "host_sample") | [.host, .cpus, .memory_bytes, .cpu_percent, .vms_running, .vcpus_allocated]' <<<"$output")" \
    '["h1",16,68719476736,20,2,6]
["h2",16,68719476736,0,0,0]'
  assert_equal "$(jq -c 'select(.kind == "vm_sample") | [.vm, .cpu_percent, .anti_affinity]' <<<"$output")" \
    '["db1",62.5,"db"]
["web, old",35,null]'
}

@test "--assume-cpu stands in for loads that a saved cluster does not tell, and for no other" {
  printf 'host,vm,cpus,vcpus,memory_bytes,cpu_cores,state\nh1,,16,,64GiB,,\nh1,a,,4,1GiB,,\nh1,b,,4,1GiB,0.5,\nh1,c,,4,1GiB,,shutoff\nh2,,16,,64GiB,,\n' >table.csv
  loads() { jq -rc 'select(.kind == "vm_sample" or .kind == "host_sample") | [.vm // .host, .cpu_cores // .cpu_percent]' <<<"$output" | sort | tr '\n' ' '; }
  run -0 capwatch --from csv table.csv
  assert_equal "$(loads)" '["a",null] ["b",0.5] ["c",null] ["h1",null] ["h2",0] '
  run -0 capwatch --from csv table.csv --assume-cpu 25%
  assert_equal "$(loads)" '["a",1] ["b",0.5] ["c",null] ["h1",9.375] ["h2",0] '
  run -0 capplan check <<<"$output"
  run -2 capwatch --assume-cpu 25%
}

@test "with --assume-cpu the hosts of a saved cluster without a virtual server are idle, and take some" {
  local group='g1|uuid-1|preferred||' node policy='|30720,2,64512,1,1,1|30720,2,64512,1,1,1;32768,4,65536,16,8,12|ext|4.0|32.0'
  for node in n1 n2; do node+='|65536|1024|64512|1|1|8|N|uuid-1|1' && nodes+=$node$'\n'; done
  printf '%s\n\n%s\n\n\n%s\n' "$group" "$nodes" "$policy" >empty.data
  run -0 capwatch --from ganeti empty.data
  assert_equal "$(jq -c 'select(.kind == "host_sample").cpu_percent' <<<"$output" | sort -u)" null
  run -0 capwatch --from ganeti empty.data --assume-cpu 30%
  assert_equal "$(jq -c 'select(.kind == "host_sample").cpu_percent' <<<"$output" | sort -u)" 0
  run -0 capplan headroom --memory 4GiB --vcpus 1 --spare ignore <<<"$output"
  assert_equal "$(jq -c 'select(.kind == "headroom").fits' <<<"$output")" 30
  printf 'host,vm,cpus,vcpus,memory_bytes,cpu_cores,state\nh1,,16,,64GiB,,\n' >empty.csv
  run -0 capwatch --from csv empty.csv --assume-cpu 30%
  assert_equal "$(jq -c 'select(.kind == "host_sample").cpu_percent' <<<"$output")" 0
}

@test "--from csv with times is a history that --follow watches" {
  {
    echo time,host,cpus,memory_bytes,cpu_percent
    for minute in {10..59}; do
      echo "2026-11-25T12:$minute:00Z,h1,8,1GiB,$((minute < 30 ? 20 : 95))"
    done
  } >history.csv
  run -0 capwatch --from csv history.csv --follow
  assert_equal "$(jq -r 'select(.kind == "fluctuation") | "\(.host) \(.direction) \(.time)"' <<<"$output")" "h1 above 2026-11-25T12:31:00Z"
  assert_equal "$(grep -c '"round_end"' <<<"$output")" 50
}

@test "a saved cluster that cannot be read is refused with its line, and nothing is written of it" {
  printf 'g|u|preferred||\n\nn1|16384|0|x|1|1|16|N|u|1\n\n\n' >broken.ganeti
  printf 'host,cpus,memory_bytes\nh1,8,1GiB\nh2,0,1GiB\n' >zero.csv
  printf 'host,vm,cpus,memory_bytes\nh1,,8,1GiB\nh9,a,,1GiB\n' >nowhere.csv
  printf 'host,cpus,memory_bytes\nh1,8\n' >short.csv
  head -c 4096 /dev/urandom >noise
  : >empty
  check() { # FORMAT FILE WHY
    run -2 --separate-stderr capwatch --from "$1" "$2"
    assert_equal "$(jq -r .kind <<<"$output")" end
    assert_regex "$stderr" "^capwatch: [a-z A-Z]+: $2: $3"
  }
  check ganeti broken.ganeti 'line 3: free memory: expected a number, not "x"'
  check csv zero.csv 'line 3: cpus: a host has at least one'
  check csv nowhere.csv 'line 3: there is no row for the host "h9"'
  check csv short.csv 'line 2: there are 2 cells under 3 headings'
  check csv empty 'it is empty'
  check ganeti empty 'line 0: there is no node in it'
  check ganeti noise 'line 1: '
  check csv noise 'line 1: '
  check ganeti missing 'No such file or directory'
  run -2 --separate-stderr capwatch --from vmware noise
  assert_regex "$stderr" '^capwatch: .*vmware'
}

@test "options that exclude each other: exit 2" {
  host h1 >inventory
  rounds 0 10 30 >rec
  run -2 capwatch --replay rec --interval 1s
  run -2 capwatch --replay rec --record again
  run -2 capwatch --replay rec --listen 127.0.0.1:0
  run -2 capwatch --replay rec --from csv rec
  run -2 capwatch --from csv rec --list hosts
  run -2 capwatch --inventory inventory --count 3
}

@test "a full disk under a recording is an error" {
  host h1 >inventory
  run -3 --separate-stderr capwatch --inventory inventory --window 10ms --record /dev/full
  assert_regex "$stderr" '^capwatch: record the rounds: /dev/full: No space left on device'
}

@test "a host that does not serve says so, and gets nothing" {
  { host h1 && host h2; } >inventory
  export RACKLINE_INVENTORY=$PWD/inventory RACKLINE_STORE=sqlite:$PWD/state.db
  run -0 --separate-stderr capwatch --window 10ms
  assert_equal "$(jq -c 'select(.kind=="host_sample") | .cluster_state' <<<"$output" | sort -u)" null
  assert_not_exists state.db
  heartbeat maintenance h2 on
  run -0 --separate-stderr capwatch --window 10ms
  assert_equal "$(jq -r 'select(.kind=="host_sample") | .host + " " + .cluster_state' <<<"$output" | sort | xargs)" "h1 serving h2 maintenance"
  # The test driver does not tell how busy a host is.
  place() {
    { echo '{"kind":"vm_request","vm":"new","memory_bytes":1048576}' && capwatch --window 10ms; } |
      jq -c 'if .kind == "host_sample" then .cpu_percent = 10 | .memory_used_bytes = 1048576 else . end' | capplan --spare ignore place
  }
  run -0 --separate-stderr place
  assert_equal "$(jq -r 'select(.kind=="vm_place") | .host' <<<"$output")" h1
  heartbeat maintenance h1 on
  run -1 --separate-stderr place
  assert_regex "$output" 'h1: it does not serve \(maintenance\).*; h2: it does not serve'
}

@test "marks that cannot be read: no host is told to serve" {
  host h1 >inventory
  echo 'this is no store' >state.db
  run -0 --separate-stderr capwatch --inventory inventory --store "sqlite:$PWD/state.db" --window 10ms
  assert_equal "$(jq -r 'select(.kind=="host_sample") | .cluster_state' <<<"$output")" unknown
  assert_regex "$stderr" 'no host is told to serve'
}

@test "a sample says what binds a virtual server to its host, and what the hosts have for it" {
  local gpu='<hostdev mode="subsystem" type="pci" managed="yes"><source><address domain="0x0000" bus="0x41" slot="0x00" function="0x0"/></source></hostdev>'
  vm_xml() { # NAME DEVICES
    echo "<domain type='test'><name>$1</name><memory>1048576</memory><vcpu>1</vcpu><os><type>hvm</type></os>
      <metadata><r:vm xmlns:r='urn:rackline:vm:1' anti_affinity='db'/></metadata><devices>$2</devices></domain>"
  }
  disk_xml() { echo "<disk type='file'><source file='$1'/><target dev='vda' bus='virtio'/></disk>"; }
  {
    echo '<node>'
    vm_xml free "$(disk_xml /srv/free.img)<interface type='network'><source network='blue'/></interface>"
    vm_xml gpu "$gpu"
    vm_xml local "$(disk_xml /var/local.img)"
    vm_xml fast "$(disk_xml /fast/fast.img)"
    echo "<network><name>blue</name><bridge name='virbr7'/></network></node>"
  } >h1.xml
  echo '<node></node>' | tee h2.xml >h3.xml
  for h in h1 h2 h3; do
    shared='"/srv","/fast"' && [ $h != h3 ] || shared='"/srv"'
    echo "{\"kind\":\"host\",\"host\":\"$h\",\"uri\":\"test://$PWD/$h.xml\",\"shared_storage\":[$shared]}"
  done >inventory
  run -0 --separate-stderr capwatch --inventory inventory --window 0
  assert_equal "$stderr" ""
  rackline-records --check <<<"$output"
  of() { jq -c --arg vm "$1" "select(.vm == \$vm) | $2" <<<"$output"; }
  assert_equal "$(of free '[.bound_by, .disks, .networks, .anti_affinity]')" '[[],null,["network blue"],"db"]'
  assert_equal "$(of gpu .bound_by)" '["it uses a device of its host: pci 0000:41:00.0"]'
  assert_equal "$(of local .bound_by)" '["disk vda (/var/local.img) is not on storage that h1 shares with another host"]'
  assert_equal "$(of fast '[.bound_by, .disks]')" '[[],["/fast/fast.img"]]'
  assert_equal "$(jq -c 'select(.host == "h1" and .kind == "host_sample") | [.networks, .shared_storage]' <<<"$output")" '[["blue"],["/srv","/fast"]]'
  # One host of the inventory alone has the same storage.
  run -0 capwatch --inventory inventory --window 0 h1
  assert_equal "$(of fast '[.bound_by, .disks]')" '[[],["/fast/fast.img"]]'
}
