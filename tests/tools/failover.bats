# SPDX-License-Identifier: Apache-2.0
# failover without hypervisors: what it refuses, what it keeps, and its words, on libvirt's test driver.
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory
  frozen_pid=''
  { host h1 db1 web1:stopped && host h2 app1 && host h3; } >inventory
}

teardown() {
  [ -z "$frozen_pid" ] || kill -KILL "$frozen_pid"
}

# host NAME VM...: a host of the test driver with these VMs (NAME, NAME:stopped or NAME:local), as a line of the
# inventory. The driver forgets what was changed on it as soon as nobody is connected.
host() {
  local name=$1 vm state disk
  {
    echo "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
    for vm in "${@:2}"; do
      state=1 disk=/srv/${vm%:*}
      [[ $vm != *:stopped ]] || state=5
      [[ $vm != *:local ]] || disk=/var/local/${vm%:*}
      echo "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>${vm%:*}</name>
        <uuid>$(uuid_of "${vm%:*}")</uuid><memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os>
        <devices><disk type='file'><source file='$disk.img'/><target dev='vda'/></disk>
        <graphics type='vnc' passwd='hush-hush'/></devices><test:runstate>$state</test:runstate></domain>"
    done
    echo "</node>"
  } >"$name.xml"
  echo '{"kind":"host","host":"'"$name"'","uri":"test://'"$PWD/$name.xml"'","shared_storage":["/srv"]}'
}

# One that depends on the name alone.
uuid_of() {
  local hash
  hash=$(md5sum <<<"$1")
  echo "${hash:0:8}-${hash:8:4}-4${hash:13:3}-8${hash:17:3}-${hash:20:12}"
}

# The kernel accepts connections to it, and nothing ever answers.
frozen_host() {
  local line
  exec 7< <(exec socat -d -d TCP-LISTEN:0,bind=127.0.0.1 - 2>&1 >/dev/null)
  frozen_pid=$!
  read -r line <&7
  kill -STOP "$frozen_pid"
  echo '{"kind":"host","host":"frozen","uri":"qemu+tcp://127.0.0.1:'"${line##*:}"'/system","shared_storage":["/srv"]}' >>inventory
}

# mark HOST ID [STATE]: as fence leaves it.
mark() {
  failover list >/dev/null # makes the store
  sqlite3 state.db "INSERT OR REPLACE INTO entry VALUES ('fence/$1',
    '{\"id\":\"$2\",\"cause\":\"\",\"method\":\"manual\",\"time\":\"2026-11-22T12:00:00Z\",\"state\":\"${3:-fenced}\"}',
    (SELECT last + 1 FROM revision)); UPDATE revision SET last = last + 1"
}

# fenced HOST ID [FIELDS]: the record that fence writes.
fenced() {
  echo '{"kind":"host_fenced","time":"2026-11-22T12:00:00Z","tool":"fence","id":"'"$2"'","host":"'"$1"'","method":"fence_ipmilan","power_after":"off","verified":true}' |
    jq -c "${3:-.}"
}
finish() { echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"fence","outcome":"ok"}'; }

outcomes() { jq -r 'select(.kind|startswith("vm_")) | select(.outcome) | "\(.vm) \(.outcome)"' <<<"$output"; }
# h1 is gone: nobody can ask it.
dead_h1() { { host h1 && host h2 app1 && host h3; } | sed '1s|test://.*h1.xml|qemu+tcp://127.0.0.1:1/system|' >inventory; }

@test "protect keeps definition and secrets where nobody else may read, and shows neither" {
  run -0 --separate-stderr failover protect db1 web1 --priority 7 --check tcp:10.0.0.1:80
  assert_equal "$stderr" ""
  assert_equal "$(jq -r 'select(.kind=="vm_protected")|[.vm,.host,.state,.priority,.memory_bytes,.vcpus]|@tsv' <<<"$output")" \
    $'db1\th1\trunning\t7\t1073741824\t2\nweb1\th1\tstopped\t7\t1073741824\t2'
  rackline-records --check <<<"$output"
  assert_equal "$(stat -c %a state.db)" 600
  run -0 sqlite3 state.db "SELECT value FROM entry WHERE key = 'protected/db1'"
  assert_output --partial hush-hush
  run -0 failover list
  refute_output --partial hush-hush
}

@test "a store that others may read gets no definitions" {
  failover list >/dev/null
  chmod 644 state.db
  run -4 --separate-stderr failover protect db1
  assert_regex "$stderr" "others may read it"
  assert_equal "$(sqlite3 state.db 'SELECT count(*) FROM entry')" 0
}

@test "list works when every host is dead, and without an inventory" {
  failover protect db1
  rm inventory
  run -0 --separate-stderr failover list
  assert_equal "$(jq -r 'select(.kind=="vm_protected").vm' <<<"$output")" db1
}

@test "what lies on its host's own disk is protected, and said to be pinned" {
  host h1 db1:local >h1.line
  run -0 --separate-stderr failover protect db1
  assert_regex "$stderr" "db1 is protected, but pinned to h1.*not on storage that h1 shares"
  rackline-records --check <<<"$output"
  run -0 failover list
  assert_regex "$(jq -r 'select(.kind=="vm_protected").pinned' <<<"$output")" "^disk vda "
  run -1 --separate-stderr failover drill h1
  assert_equal "$(outcomes)" "db1 unplaced"
  assert_regex "$output" "it is pinned to h1"
}

@test "what needs a network that no other host has is pinned, and found out again by refresh" {
  local network='<network><name>blue</name></network>'
  sed -i "s|<devices>|<devices><interface type='network'><source network='blue'/></interface>|; s|</node>|$network</node>|" h1.xml
  sed -i "s|</node>|$network</node>|" h2.xml
  run -0 --separate-stderr failover protect db1
  assert_equal "$stderr" ""
  sed -i "s|$network||" h2.xml
  run -0 --separate-stderr failover refresh
  assert_equal "$(jq -r 'select(.vm=="db1").pinned' <<<"$output")" "h2 has no network blue; h3 has no network blue"
  assert_regex "$stderr" "db1 is protected, but pinned to h1"
}

@test "the running servers that nobody protects are named once, by drill and by a stream" {
  failover protect app1
  run -0 --separate-stderr failover drill h2
  assert_equal "$(jq -r 'select(.kind=="vm_unprotected")|.vm+" "+.host' <<<"$output")" "db1 h1" # web1 does not run
  assert_regex "$stderr" "nobody protects db1 \(h1\)"
  rackline-records --check <<<"$output"
  run -0 --separate-stderr failover < <(sleep 13 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_unprotected").vm' <<<"$output")" db1
  assert_equal "$(grep -c "nobody protects" <<<"$stderr")" 1
}

@test "a standing rule protects what comes later, and leaves out whom a person took out" {
  run -0 --separate-stderr failover protect --all --standing --except web1
  assert_equal "$(jq -r 'select(.kind=="protection_rule")|[.state,.by,(.except|join(","))]|@tsv' <<<"$output")" \
    $'on\t'"$(id -un)"$'\tweb1'
  rackline-records --check <<<"$output"
  { host h1 db1 web1:stopped late && host h2 app1 && host h3 later; } >inventory
  run -0 failover refresh
  failover unprotect late
  run -0 failover refresh
  run -0 failover list
  assert_equal "$(jq -r 'select(.kind=="vm_protected").vm' <<<"$output" | xargs)" "app1 db1 later"
  assert_equal "$(jq -r 'select(.kind=="protection_rule").except|join(" ")' <<<"$output")" "late web1"
  run -0 failover protect --standing off
  run -0 failover list
  refute_output --partial protection_rule
  run -2 failover protect --standing
  run -2 failover protect --all --standing maybe
}

@test "a stream protects what comes while it is read, when a rule stands" {
  failover protect --all --standing >/dev/null
  { host h1 db1 web1:stopped && host h2 app1 late && host h3; } >inventory
  run -0 failover < <(sleep 2 && finish)
  run -0 failover list
  assert_equal "$(jq -r 'select(.kind=="vm_protected").vm' <<<"$output" | xargs)" "app1 db1 late web1"
}

@test "protect --all beside a host that does not answer is no success, and names the host" {
  frozen_host
  run -3 --separate-stderr failover protect --all --timeout 500ms
  assert_regex "$stderr" "no answer from frozen: what is there is not protected"
  assert_equal "$(failover list | jq -r 'select(.kind=="vm_protected").vm' | xargs)" "app1 db1 web1"
}

@test "drill --all tells whose death leaves a server without place" {
  { host h1 db1 && host h2 card:local && host h3; } >inventory
  failover protect --all 2>/dev/null
  run -1 --separate-stderr failover drill --all
  assert_equal "$(jq -r 'select(.kind=="host_drill")|[.host,.outcome,.vms,.restarted,.unplaced,.pinned]|@tsv' <<<"$output")" \
    $'h1\tok\t1\t1\t0\t0\nh2\thurts\t1\t0\t1\t1\nh3\tok\t0\t0\t0\t0'
  assert_equal "$(jq -c 'select(.host=="h2").without_place' <<<"$output")" '["card"]'
  assert_regex "$stderr" "the death of h2 would leave servers without place"
  rackline-records --check <<<"$output"
  run -1 --separate-stderr failover -o table drill --all
  assert_regex "$output" $'\nh2 +hurts +1 +0 +1 +1 '
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  assert_regex "$output" 'end .*PLANNED 1'
  failover unprotect card
  run -0 --separate-stderr failover drill --all
  assert_regex "$output" '"host":"h2","outcome":"ok"[^}]*"unprotected":1'
  run -2 failover drill
  run -2 failover drill h1 --all
}

@test "one that a person wants to stay off is started by nobody until it is wanted" {
  failover protect db1
  run -0 failover want db1 stopped
  assert_equal "$(jq -r 'select(.kind=="vm_protected")|[.state,.want]|@tsv' <<<"$output")" $'stopped\tstopped'
  dead_h1
  mark h1 f1
  run -0 failover < <(fenced h1 f1 && finish)
  assert_equal "$(outcomes)" ""
  run -0 failover want db1 running
  run -0 failover < <(fenced h1 f1 && finish)
  assert_equal "$(outcomes)" "db1 done"
  run -1 failover want nobody stopped
  run -2 failover want db1 frozen
}

@test "a dry run says planned and never done, in tables too" {
  local line
  failover protect db1
  while read -ra line; do
    run -0 --separate-stderr failover -n -o table "${line[@]}"
    refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  done <<<$'protect db1\nprotect --all --standing\nrefresh\ndrill h1\ndrill --all\nwant db1 stopped\nkeep'
  mark h1 f1
  run -0 --separate-stderr failover -n -o table clear h1
  assert_regex "$output" 'h1 +planned'
  sqlite3 state.db "DELETE FROM entry WHERE key = 'fence/h1'"
  run -0 --separate-stderr failover -n -o table protect db1
  assert_regex "$output" 'PLANNED'
  dead_h1
  mark h1 f1
  run -0 --separate-stderr failover -n -o table < <(fenced h1 f1 && finish)
  assert_regex "$output" 'db1 +h1 +h[23] +planned'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  assert_regex "$output" 'end .*PLANNED 1'
}

@test "a circle of --after is refused before anything is changed" {
  failover protect db1 web1
  failover protect web1 --after db1
  run -4 --separate-stderr failover protect db1 --after web1
  assert_regex "$stderr" "db1, web1, db1"
  run -0 failover list
  assert_equal "$(jq -c 'select(.vm=="db1").after' <<<"$output")" null
  run -4 failover protect db1 --after db1
}

@test "--after a name that nobody protects and no host has is refused; one that runs is taken with a warning" {
  run -1 --separate-stderr failover protect db1 --after nosuch
  assert_regex "$stderr" "nosuch: nobody protects it, and no host of the inventory has it"
  run -0 failover list
  refute_output --partial vm_protected
  run -2 failover protect db1 --after ''
  run -0 --separate-stderr failover protect db1 --after app1
  assert_regex "$stderr" "--after app1: nobody protects it"
  run -0 --separate-stderr failover protect db1 app1
  assert_equal "$stderr" ""
  run -0 --separate-stderr failover unprotect app1
  assert_regex "$stderr" "db1 is started after app1, which nobody protects now"
}

@test "--without takes wishes away again, each in the same way" {
  failover protect db1 app1
  failover protect db1 --after app1 --check tcp:10.0.0.1:80 --anti-affinity g --together t --prefer h2 --only --failback
  run -0 --separate-stderr failover protect db1 --without after,check --without anti-affinity,together,prefer,only,failback
  assert_equal "$(jq -c 'select(.kind=="vm_protected")|[.after,.check,.anti_affinity,.together,.prefer,.only,.failback]' <<<"$output")" \
    '[null,null,null,null,null,null,null]'
  run -2 --separate-stderr failover protect db1 --without priority
  assert_regex "$stderr" "expected some of after, anti-affinity, check"
  run -2 failover protect db1 --without after --after app1
}

@test "list says since when the place is known" {
  failover protect db1
  run -0 failover -o table list
  assert_regex "$output" "HOST +SEEN"
  sqlite3 state.db "UPDATE entry SET value = json_remove(value, '\$.seen') WHERE key = 'protected/db1'"
  run -0 failover list
  assert_equal "$(jq -r 'select(.kind=="vm_protected")|.seen == .refreshed' <<<"$output")" true
}

@test "what was moved is remembered by the next keep" {
  failover protect db1 app1
  { host h1 web1:stopped && host h2 app1 && host h3 db1; } >inventory
  sqlite3 state.db "UPDATE entry SET value = json_set(value, '\$.seen', '2026-11-22T12:00:00Z') WHERE key = 'protected/db1'"
  run -0 failover keep
  run -0 failover list
  assert_equal "$(jq -r 'select(.vm=="db1")|.host' <<<"$output")" h3
}

@test "on a terminal it is said what was forgotten" {
  failover protect db1
  run -0 script -qec "failover unprotect db1" /dev/null
  assert_output --partial "db1 is no longer protected"
  run -0 --separate-stderr failover unprotect db1
  assert_equal "$stderr" ""
}

@test "repeating refreshes and keeps what was wished" {
  failover protect db1 --priority 7 --anti-affinity g
  run -0 failover protect db1
  assert_equal "$(jq -r 'select(.kind=="vm_protected")|[.priority,.anti_affinity]|@tsv' <<<"$output")" $'7\tg'
  run -0 failover protect --all
  assert_equal "$(jq -r 'select(.kind=="vm_protected").vm' <<<"$output" | sort | xargs)" "app1 db1 web1"
}

@test "nobody knows it: 1; a host that does not answer could know it: 3" {
  run -1 --separate-stderr failover protect nothing
  assert_regex "$stderr" "no host of the inventory has it"
  frozen_host
  run -3 --separate-stderr failover protect nothing --timeout 500ms
  assert_regex "$stderr" "frozen"
}

@test "refresh forgets none because its host does not answer" {
  failover protect db1 app1
  dead_h1
  run -3 --separate-stderr failover refresh
  assert_regex "$stderr" "h1 does not answer"
  run -0 failover list
  assert_equal "$(jq -r 'select(.kind=="vm_protected")|.vm+" "+.host+" "+.state' <<<"$output" | xargs)" "app1 h2 running db1 h1 running"
}

@test "unprotect forgets, and once more is nothing to do" {
  failover protect db1
  run -0 failover unprotect db1
  run -0 failover unprotect db1
  run -0 failover list
  refute_output --partial vm_protected
}

@test "records of other kinds, and weaker ones about hosts, are handed on and not acted on" {
  failover protect db1
  dead_h1
  run -0 --separate-stderr failover < <(
    echo '{"kind":"host_down","host":"h1","note":"kept"}'
    finish
  )
  assert_line '{"kind":"host_down","host":"h1","note":"kept"}'
  assert_equal "$(outcomes)" ""
}

@test "a proof that does not hold is refused, with a record for each that stays down" {
  failover protect db1
  dead_h1
  local change
  for change in '.verified=false' '.power_after="on"' 'del(.power_after)' '.planned=true' '.id="yesterday"'; do
    mark h1 f1
    run -4 --separate-stderr failover < <(fenced h1 f1 "$change" && finish)
    assert_equal "$(outcomes)" "db1 refused"
    assert_regex "$stderr" "refused"
  done
  mark h1 f1 returning
  run -4 failover < <(fenced h1 f1 && finish)
  sqlite3 state.db "DELETE FROM entry WHERE key='fence/h1'"
  run -4 --separate-stderr failover < <(fenced h1 f1 && finish)
  assert_regex "$stderr" "no mark"
}

@test "a virtual server of a fenced host is started; the record is handed on and its proof is cited" {
  failover protect db1
  dead_h1
  mark h1 f1
  run -0 --separate-stderr failover < <(fenced h1 f1 && finish)
  assert_equal "$(jq -r .kind <<<"$output" | xargs)" "host_fenced vm_restarted vm_unprotected end"
  assert_equal "$(jq -r 'select(.kind=="vm_restarted")|[.vm,.from,.outcome,.fence,.verified]|@tsv' <<<"$output")" \
    $'db1\th1\tdone\tf1\tdomain'
  rackline-records --check <<<"$output"
  run -0 failover list
  assert_regex "$(jq -r 'select(.vm=="db1").host' <<<"$output")" '^h[23]$'
}

@test "a host that neither answers nor is fenced refuses all, and says what a person can do" {
  failover protect db1
  dead_h1
  frozen_host
  mark h1 f1
  local from=$EPOCHREALTIME
  run -4 --separate-stderr failover --timeout 1s < <(fenced h1 f1 && finish)
  assert_equal "$(outcomes)" "db1 refused"
  assert_regex "$stderr" "fence --confirm-manual frozen"
  assert [ "$(awk "BEGIN {print ($EPOCHREALTIME - $from < 6)}")" = 1 ]
}

@test "while the stream is open, a refused one is tried again" {
  failover protect db1
  dead_h1
  cp inventory good
  frozen_host
  mark h1 f1
  run -0 --separate-stderr failover --timeout 500ms < <(fenced h1 f1 && sleep 2 && mark frozen f2 && sleep 5 && finish)
  assert_equal "$(outcomes | xargs)" "db1 refused db1 done"
}

@test "a dry run and a drill plan the same and write nothing" {
  failover protect db1
  run -0 --separate-stderr failover drill h1
  assert_equal "$(jq -r 'select(.kind=="vm_restarted")|[.vm,.outcome,.planned]|@tsv' <<<"$output")" $'db1\tplanned\ttrue'
  dead_h1
  mark h1 f1
  run -0 --separate-stderr failover -n < <(fenced h1 f1 && finish)
  assert_equal "$(jq -r 'select(.kind=="vm_restarted")|[.vm,.outcome,.planned]|@tsv' <<<"$output")" $'db1\tplanned\ttrue'
  assert_equal "$(sqlite3 state.db "SELECT count(*) FROM entry WHERE key LIKE 'journal/%'")" 0
  run -2 failover drill h9
}

@test "the producer dies: what was read is done, and the death is told" {
  failover protect db1
  dead_h1
  mark h1 f1
  run -2 --separate-stderr failover < <(fenced h1 f1)
  assert_equal "$(outcomes)" "db1 done"
  assert_regex "$stderr" "its producer died"
}

@test "a host_fenced that cannot be read ends it" {
  run -2 --separate-stderr failover < <(fenced h1 f1 'del(.verified)' && finish)
  assert_regex "$stderr" "verified"
  run -2 failover < <(echo '{"kind":' && finish)
}

@test "another failover at work is waited for, and then told" {
  failover protect db1
  exec 8>state.db.failover.lock
  flock 8
  run -5 --separate-stderr failover refresh
  assert_regex "$stderr" "another failover is at work"
}

@test "one that watches a stream outlasts another one at work, and forgets no proof" {
  failover protect db1
  mark h1 f1
  dead_h1
  exec 8>state.db.failover.lock
  flock 8
  mkfifo stream
  failover <stream >out 2>err 8>&- &
  exec 9>stream
  fenced h1 f1 >&9
  sleep 11
  assert_regex "$(cat err)" "another failover is at work.*trying again"
  flock -u 8
  local deadline=$((SECONDS + 20))
  until grep -q vm_ out; do
    ((SECONDS < deadline)) || fail "$(cat out err)"
    sleep 0.2
  done
  finish >&9
  exec 9>&-
  wait $! || true
  assert_equal "$(output=$(cat out) outcomes)" "db1 done"
}

@test "TERM ends one that waits for records" {
  mkfifo stream
  failover <stream >out 2>err &
  local pid=$! status=0
  exec 9>stream
  sleep 1
  kill -TERM $pid
  timeout 5 tail --pid=$pid -f /dev/null || { kill -KILL $pid && fail "it does not end"; }
  wait $pid || status=$?
  assert_equal $status 143
  assert_equal "$(jq -r 'select(.kind=="end").outcome' out)" interrupted
  exec 9>&-
}

@test "clear: no mark is nothing to do; a host that does not answer keeps its mark" {
  run -0 failover clear h1
  assert_equal "$(jq -r 'select(.kind=="host_cleared").outcome' <<<"$output")" already
  failover protect db1
  mark h1 f1
  run -0 failover clear h1
  assert_equal "$(jq -r 'select(.kind=="host_cleared")|.outcome+" "+.id' <<<"$output")" "done f1"
  assert_equal "$(sqlite3 state.db "SELECT count(*) FROM entry WHERE key LIKE 'fence/%'")" 0
  dead_h1
  mark h1 f1
  run -3 failover clear h1
  assert_equal "$(sqlite3 state.db "SELECT count(*) FROM entry WHERE key LIKE 'fence/%'")" 1
  run -2 failover clear h9
}

@test "clear: a copy that runs where its place is not is not ended without consent" {
  failover protect db1
  sqlite3 state.db "UPDATE entry SET value = json_set(value, '\$.host', 'h2') WHERE key = 'protected/db1'"
  mark h1 f1
  { host h1 db1 && host h2 db1 && host h3; } >inventory
  run -4 --separate-stderr failover clear h1
  assert_regex "$stderr" "destroy-stale"
  assert_equal "$(sqlite3 state.db "SELECT count(*) FROM entry WHERE key LIKE 'fence/%'")" 1
  # The only copy is the right one.
  { host h1 db1 && host h2 && host h3; } >inventory
  run -0 --separate-stderr failover clear h1
  assert_equal "$(failover list | jq -r 'select(.kind=="vm_protected").host')" h1
}

@test "options that make no sense are refused" {
  run -2 failover protect
  run -2 failover protect db1 --check http:x
  run -2 failover protect db1 --check http://me:secret@10.0.0.1/
  run -2 failover protect db1 --check command:true
  run -2 failover protect db1 --check tcp:10.0.0.1:99999
  run -2 failover clear
  run -2 failover --max-total 0 < <(finish)
  run -2 failover nonsense
}

@test "two hosts with one power switch are refused, and both are named" {
  printf '%s\n' '{"kind":"host","host":"h1","uri":"test:///default","bmc":"ipmi://10.0.0.1"}' \
    '{"kind":"host","host":"h2","uri":"test:///default","bmc":"ipmi://10.0.0.1:623"}' >shared
  run -2 --separate-stderr failover --inventory "$PWD/shared" drill h1
  assert_regex "$stderr" 'h1.*h2|h2.*h1'
}

healing() { jq -rc 'select(.kind=="cluster_healing") | [.state, .reason]' <<<"$output"; }

@test "disarmed: nothing is started by itself, and it is said by whom and why; armed: it is" {
  failover protect db1
  mark h1 f1
  dead_h1
  run -0 --separate-stderr failover disarm --reason 'new switches'
  assert_equal "$(healing)" '["disarmed","new switches"]'
  rackline-records --check <<<"$output"
  run -4 --separate-stderr failover <<<"$(fenced h1 f1 && finish)"
  assert_equal "$(outcomes)" "db1 refused"
  assert_regex "$(jq -r 'select(.kind=="vm_not_restarted").reason' <<<"$output")" \
    "^the cluster is disarmed since .* \(by $(id -un)\): new switches"
  run -4 --separate-stderr failover -n <<<"$(fenced h1 f1 && finish)"
  assert_equal "$(outcomes)" "db1 refused"
  assert_regex "$(jq -r 'select(.kind=="vm_not_restarted").reason' <<<"$output")" \
    "^the cluster is disarmed .*: new switches; once it is armed: a start on h[23]"
  run -4 failover keep
  run -4 --separate-stderr failover failback
  assert_regex "$stderr" 'the cluster is disarmed'
  run -0 --separate-stderr failover list
  assert_equal "$(healing)" '["disarmed","new switches"]'
  assert_regex "$stderr" 'the cluster is disarmed'
  run -0 --separate-stderr failover arm
  assert_equal "$(healing)" '["armed",null]'
  run -0 --separate-stderr failover keep
  assert_equal "$(outcomes)" "db1 done"
  run -0 --separate-stderr failover list
  assert_equal "$(healing)" ''
}

@test "disarmed until a time that is over, or is none: exit 2; a dry run disarms nothing" {
  run -2 --separate-stderr failover disarm --until 2020-01-01T00:00:00Z
  assert_regex "$stderr" 'expected a time to come'
  run -2 failover disarm --until tomorrow
  run -0 --separate-stderr failover -n disarm
  assert_equal "$(jq -rc 'select(.kind=="cluster_healing") | [.state, .planned]' <<<"$output")" '["disarmed",true]'
  run -0 failover list
  refute_output --partial cluster_healing
}

@test "a mark of disarming that is torn refuses, until arm takes it away" {
  failover protect db1
  mark h1 f1
  dead_h1
  sqlite3 state.db "INSERT INTO entry VALUES ('disarmed', '{', (SELECT last + 1 FROM revision)); UPDATE revision SET last = last + 1"
  run -4 --separate-stderr failover <<<"$(fenced h1 f1 && finish)"
  assert_regex "$stderr" 'the cluster may be disarmed'
  run -0 failover arm
  run -0 failover keep
}

@test "places that are wished for are kept, told and honoured" {
  run -0 --separate-stderr failover protect db1 --prefer h3,h2 --only --failback --together app
  rackline-records --check <<<"$output"
  run -0 failover protect db1
  assert_equal "$(jq -rc 'select(.kind=="vm_protected") | [.prefer, .only, .failback, .together]' <<<"$output")" \
    '[["h3","h2"],true,true,"app"]'
  run -0 failover drill h1
  assert_equal "$(jq -r 'select(.kind=="vm_restarted") | .to' <<<"$output")" h3
}

@test "wishes that contradict each other are refused, and nothing is changed" {
  failover protect app1 --together app
  run -4 --separate-stderr failover protect db1 --prefer h9
  assert_regex "$stderr" 'db1 is to be on h9, which is not in the inventory'
  run -4 --separate-stderr failover protect db1 --only
  assert_regex "$stderr" 'prefers none'
  run -4 --separate-stderr failover protect app1 db1 --together app --anti-affinity web
  assert_regex "$stderr" 'app1 and db1 are to run together \(app\) and apart \(web\)'
  run -0 failover list
  assert_equal "$(jq -rc 'select(.kind=="vm_protected") | [.vm, .anti_affinity]' <<<"$output")" '["app1",null]'
}

@test "failback decides for migrate who goes back, and only where it was chosen" {
  failover protect app1 --prefer h1
  run -0 failover failback
  refute_output --partial vm_move
  failover protect app1 --failback
  run -0 --separate-stderr failover failback
  assert_equal "$(jq -rc 'select(.kind=="vm_move") | [.vm, .from, .to]' <<<"$output")" '["app1","h2","h1"]'
  rackline-records --check <<<"$output"
  mark h1 f1 returning
  run -1 --separate-stderr failover failback
  assert_regex "$stderr" 'app1 stays where it is: h1 is returning'
  refute_output --partial vm_move
}
