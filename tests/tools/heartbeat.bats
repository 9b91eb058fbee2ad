# SPDX-License-Identifier: Apache-2.0
# heartbeat on the loopback: agents and watchers as processes, hosts of libvirt's test driver and ones that do not answer.
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a process of its own; run sets stderr, load reads the others
load ../helper
load ../heartbeat

@test "a key is made once, and only its owner may read it" {
  assert_equal "$(stat -c %a key)" 600
  run -3 --separate-stderr heartbeat key key
  assert_regex "$stderr" 'key: File exists'
  chmod 644 key
  run -4 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port"
  assert_regex "$stderr" 'others than its owner'
  refute_regex "$stderr" "$(head -c 16 key)"
  echo short >weak && chmod 600 weak
  run -2 --separate-stderr heartbeat watch --once --key-file weak --listen "127.0.0.1:$port"
  assert_regex "$stderr" 'shorter than 32'
}

@test "a picture of all hosts: status 0 when all are well, else 1" {
  for h in h1 h2 h3; do agent "$h"; done
  run -0 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port" --slots slots
  assert_equal "$(jq -r 'select(.snapshot) | "\(.kind) \(.net)"' <<<"$output" | sort | uniq -c | tr -s ' ')" " 3 host_up alive"
  assert_equal "$(jq -r 'select(.kind=="end").outcome' <<<"$output")" ok
  assert_equal "$stderr" ""
  kill -KILL "${started[0]}"
  mute_host h1 >inventory
  { host h2 && host h3; } >>inventory
  run -1 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port" --slots slots --suspect-after 1100ms --dead-after 1500ms --start-grace 3s
  assert_equal "$(jq -r 'select(.host=="h1") | .kind' <<<"$output")" host_down
}

@test "a host without agent is judged by its libvirtd" {
  { host h1 && host h2 "qemu+tcp://127.0.0.1:9/system" && host h3; } >inventory
  watcher
  await h1 host_up
  await h2 hypervisor_down
}

@test "an agent that is killed: suspect, for its libvirtd still answers; one that is stopped in order: maintenance" {
  all_up
  kill -KILL "${started[0]}"
  await h1 host_suspect
  assert_regex "$(tail -1 watched)" 'libvirtd answers|no heartbeat'
  kill -TERM "${started[1]}"
  await h2 host_maintenance
  sleep 2
  assert_equal "$(verdict h1)" host_suspect
  assert_equal "$(verdict h2)" host_maintenance
  agent h2
  await h2 host_up
}

@test "silence in all channels is down; silence over the network alone is isolated" {
  { host h1 && host h2 && mute_host h3 && host h4; } >inventory
  agent h4
  all_up
  # It goes on writing to the storage, but nobody hears it.
  heartbeat beat --host h3 --key-file h3.key --watcher 127.0.0.1:9 --uri test:///default --interval 200ms --slots slots --self-fence 0 2>/dev/null >/dev/null &
  started+=("$!")
  kill -KILL "${started[4]}"
  await h3 host_isolated
  assert_equal "$(jq -r 'select(.kind=="host_isolated").store' watched)" alive
  kill -KILL "${started[-1]}"
  await h3 host_down
  assert_equal "$(jq -r 'select(.kind=="host_down") | "\(.net) \(.store) \(.libvirt) \(.peers_reached)"' watched)" "silent silent timeout 0"
  assert_equal "$(jq -r 'select(.host=="h3" and .kind != "host_up").cause' watched | sort -u | wc -l)" 1
}

@test "announced maintenance is no death" {
  mute_host h3 >inventory
  { host h1 && host h2; } >>inventory
  heartbeat maintenance h3 on
  all_up_but_h3() { agent h1 && agent h2 && watcher && await h1 host_up && await h2 host_up; }
  all_up_but_h3
  await h3 host_maintenance
  heartbeat maintenance h3 off
  await h3 host_suspect
  run -2 --separate-stderr heartbeat maintenance h9 on
  assert_regex "$stderr" 'not in the inventory'
}

@test "a watcher that was stopped, or that hears nobody, declares nobody dead" {
  all_up
  local watching=$pid
  kill -STOP "$watching"
  sleep 4
  kill -CONT "$watching"
  sleep 3
  assert_equal "$(grep -c host_down watched)" 0
  for h in h1 h2 h3; do assert_equal "$(verdict "$h")" host_up; done
  for i in 0 1 2; do kill -KILL "${started[i]}"; done
  sleep 8
  assert_equal "$(grep -c host_down watched)" 0
  # It doubts as soon as more than half are silent, be it two of them or all three.
  assert_equal "$(jq -s '[.[] | select(.kind=="watcher_suspect")] | length > 0 and all(.hosts_silent * 2 > .hosts_watched)' watched)" true
  assert_regex "$(cat watched.err)" 'watcher.s own fault'
}

@test "strangers: wrong keys, garbage, a flood, and heartbeats of hosts nobody knows are named once and change nothing" {
  all_up
  heartbeat key other
  heartbeat beat --host h1 --key-file other --watcher "127.0.0.1:$port" --uri test:///default --self-fence 0 --interval 200ms >/dev/null 2>&1 &
  started+=("$!")
  agent h9
  (for ((i = 0; i < 3000; i++)); do printf 'RLHB and then nothing of sense %d' "$i" >"/dev/udp/127.0.0.1/$port"; done) || true
  printf 'x' >"/dev/udp/127.0.0.1/$port"
  sleep 2
  for h in h1 h2 h3; do [ "$(verdict "$h")" = host_up ] || fail "$h: $(cat watched watched.err)"; done
  assert_regex "$(cat watched.err)" 'not signed with our key|not of this protocol|cut off|not in the inventory'
  assert [ "$(wc -l <watched.err)" -le 6 ]
}

@test "a host that is not in the inventory is named, once, as the same words whatever its name is" {
  all_up
  agent h9
  local deadline=$((SECONDS + 20))
  until grep -q 'a heartbeat of a host that is not in the inventory, h9: lately from 127.0.0.1' watched.err; do
    ((SECONDS < deadline)) || fail "nobody says so: $(cat watched.err)"
    sleep 0.1
  done
  # With the key that hosts used to share, a name can be anything.
  heartbeat beat --host $'h8\e[31m\n' --key-file key --watcher "127.0.0.1:$port" --uri test:///default --interval 200ms --self-fence 0 --run-dir "$PWD" >/dev/null 2>&1 &
  started+=("$!")
  until grep -q 'not in the inventory, h8??31m?: lately' watched.err; do
    ((SECONDS < deadline)) || fail "nobody says so: $(cat -v watched.err)"
    sleep 0.1
  done
  sleep 1
  assert_equal "$(grep -c 'not in the inventory, h9' watched.err)" 1
  assert_equal "$(grep -c "$(printf '\e')" watched.err)" 0
  for h in h1 h2 h3; do assert_equal "$(verdict "$h")" host_up; done
}

# on_terminal COMMAND...: what it says where its standard error is a terminal.
on_terminal() { timeout 20 script -qec "$*" /dev/null </dev/null | tr -d '\r'; }

@test "what changes a state says so on a terminal, and is silent for cron" {
  run -0 --separate-stderr heartbeat maintenance h2 on
  assert_equal "$output$stderr" ""
  assert_equal "$(on_terminal heartbeat maintenance h2 on)" "heartbeat: h2 is in maintenance until you say: heartbeat maintenance h2 off"
  assert_regex "$(on_terminal heartbeat maintenance h2 on --until 2h)" '^heartbeat: h2 is in maintenance until 2.*Z$'
  assert_equal "$(on_terminal heartbeat -q maintenance h2 on)" ""
  assert_equal "$(on_terminal heartbeat maintenance h2 off)" "heartbeat: h2 is in maintenance no more"
  assert_equal "$(on_terminal heartbeat maintenance h2 off)" "heartbeat: h2 was in no maintenance"
  assert_regex "$(on_terminal heartbeat key new)" '^heartbeat: new: a new master key, .*--host$'
  assert_regex "$(on_terminal heartbeat key --renew new)" '^heartbeat: new: .*the one before is good until --retire$'
  assert_regex "$(on_terminal heartbeat key --retire new)" '^heartbeat: new: the previous master key is no good any more$'
  assert_equal "$(on_terminal heartbeat key --key-file new --host h2 h2.key)" "heartbeat: h2.key: the key of h2, for its agent"
  run -0 --separate-stderr heartbeat key new2
  assert_equal "$output$stderr" ""
}

@test "two agents of one name are told, and the host is not trusted" {
  all_up
  agent h1
  await h1 host_suspect
  assert_regex "$(jq -r 'select(.kind=="host_suspect").reason' watched | tail -1)" 'two agents use its name'
}

@test "a slot of another cluster, of nobody, or half written is no life and no harm" {
  all_up
  kill -KILL "${started[0]}"
  head -c 512 /dev/urandom >slots/h1.beat
  sleep 2
  heartbeat beat --host h1 --key-file h1.key --cluster other --watcher 127.0.0.1:9 --uri test:///default --interval 200ms --slots slots --self-fence 0 >/dev/null 2>&1 &
  started+=("$!")
  sleep 1
  assert_equal "$(verdict h1)" host_suspect
  assert_regex "$(cat watched.err)" 'slot of h1'
  for h in h2 h3; do assert_equal "$(verdict "$h")" host_up; done
}

@test "what stands in the place of one slot and cannot be read is told, and takes nothing from the other hosts" {
  { host h1 qemu+tcp://127.0.0.1:1/system && host h2 && host h3 && mute_host h4; } >inventory
  for h in h1 h2 h3 h4; do agent "$h"; done
  watcher
  for h in h1 h2 h3 h4; do await "$h" host_up; done
  local strange
  for strange in mkfifo mkdir 'ln -s /dev/zero'; do
    rm -rf slots/h1.beat && $strange slots/h1.beat
    sleep 0.5
  done
  # Its agent is dead, and so is another host.
  kill -KILL "${started[1]}" "${started[4]}"
  await h4 host_down
  await h1 hypervisor_down
  assert_regex "$(cat watched.err)" 'h1.beat'
}

@test "a store that is gone, and a storage that is none, are told" {
  RACKLINE_STORE=sqlite:/nonexistent/dir/state.db run -3 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port"
  assert_regex "$stderr" '/nonexistent/dir'
  for h in h1 h2 h3; do agent "$h"; done
  slots=slots-gone watcher
  await h1 host_up
  sleep 1
  assert_regex "$(cat watched.err)" 'slots-gone'
  assert_equal "$(jq -r 'select(.host=="h1").store' watched | tail -1)" unknown
}

@test "of two watchers on one store one leads, and the other follows when it dies" {
  for h in h1 h2 h3; do agent "$h"; done
  watcher --lead
  local first=$pid
  await h1 host_up
  heartbeat watch --lead --listen "127.0.0.1:$((port + 1))" --slots slots >second 2>second.err &
  started+=("$!")
  sleep 1.5
  assert_equal "$(wc -c <second)" 0
  kill -KILL "$first"
  local deadline=$((SECONDS + 20))
  until grep -q snapshot second; do ((SECONDS < deadline)) || fail "nobody leads: $(cat second.err)"; sleep 0.2; done
}

@test "a watcher whose reader is gone ends, silently" {
  for h in h1 h2 h3; do agent "$h"; done
  run -0 bash -c 'timeout 20 heartbeat watch --listen 127.0.0.1:'"$port"' --slots slots 2>err | head -n 1 >first; echo "${PIPESTATUS[0]}" >status'
  refute_regex "$(cat status)" '^124$'
  assert_equal "$(cat err)" ""
}

@test "SIGTERM: an end record that says interrupted, and status 143" {
  watcher
  sleep 1
  run -3 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port"
  assert_regex "$stderr" 'in use.*ss -ulnp'
  kill -TERM "$pid"
  local status=0
  wait "$pid" || status=$?
  assert_equal "$status" 143
  assert_equal "$(tail -1 watched | jq -r '"\(.kind) \(.outcome)"')" "end interrupted"
}

@test "an agent tells once what does not work, and when it works again" {
  heartbeat beat --host h1 --key-file "$(key_of h1)" --watcher "127.0.0.1:$port" --uri test:///default --interval 200ms --slots nowhere --self-fence 0 \
    --qemu-run-dir "$PWD" >/dev/null 2>beat-h1.err &
  started+=("$!")
  local deadline=$((SECONDS + 30))
  until grep -q 'no watcher' beat-h1.err; do ((SECONDS < deadline)) || fail "it says nothing: $(cat beat-h1.err)"; sleep 0.2; done
  assert_equal "$(grep -c 'write the heartbeat: nowhere/h1.beat: No such file' beat-h1.err)" 1
  assert_regex "$(cat beat-h1.err)" "no watcher has answered for 10.*127.0.0.1:$port"
  mkdir nowhere
  watcher
  until grep -q 'a watcher answers again' beat-h1.err; do ((SECONDS < deadline)) || fail "not heard: $(cat beat-h1.err)"; sleep 0.2; done
  assert_equal "$(grep -c 'the storage takes heartbeats again' beat-h1.err)" 1
  assert_equal "$(wc -l <beat-h1.err)" 4
}

@test "the table of a watch has one heading" {
  for h in h1 h2 h3; do agent "$h"; done
  run -0 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port" --slots slots -o table
  assert_equal "$(grep -c '^WHEN  *HOST' <<<"$output")" 1
  assert_equal "$(grep -cE '^[0-9:]{8}Z  h[123] ' <<<"$output")" 3
  assert_equal "$(grep -c alive <<<"$output")" 3
}

@test "a trace is recorded, and detectors are scored on it" {
  all_up --record trace
  sleep 3
  assert [ "$(grep -c heartbeat_seen trace)" -ge 20 ]
  kill -KILL "$pid"
  jq -c 'select(.host=="h1") | {kind:"host_died",host,at_ms:(.at_ms+300)}' trace | tail -1 >>trace
  run -0 --separate-stderr heartbeat replay trace --interval 200ms --timeouts 1000 --phis 8
  assert_equal "$(jq -r 'select(.detector=="fixed") | "\(.deaths) \(.detected) \(.detection_ms) \(.false_positives)"' <<<"$output")" "1 1 700 0"
  assert_equal "$(jq -r 'select(.detector=="phi").detected' <<<"$output")" 1
  run -2 --separate-stderr heartbeat replay /dev/null
  assert_regex "$stderr" 'no heartbeat_seen'
}

@test "a trace that cannot be written ends, and the watcher goes on" {
  all_up --record /dev/full
  kill -KILL "${started[0]}"
  await h1 host_suspect
  assert_equal "$(grep -c 'the trace ends here' watched.err)" 1
}

@test "options that make no sense are refused" {
  run -2 --separate-stderr heartbeat beat
  assert_regex "$stderr" 'nobody would hear it'
  run -2 --separate-stderr heartbeat watch --dead-after 500ms --listen "127.0.0.1:$port"
  assert_regex "$stderr" 'dead-after'
  run -2 --separate-stderr heartbeat
  run -2 --separate-stderr heartbeat watch --listen 'nonsense:port' --once
  assert_regex "$stderr" 'expected ADDRESS\[:PORT\]'
  run -2 --separate-stderr heartbeat maintenance h1 yes
  assert_regex "$stderr" 'expected one of on.off'
  run -0 heartbeat __complete maintenance h1 ''
  assert_output $'on\noff'
}

@test "beats and their watcher go before whatever keeps the CPUs busy" {
  chrt --rr 1 true 2>/dev/null || skip "no process may be of the real-time class here"
  watcher
  watching=$pid
  agent h1
  until grep -q h1 watched; do sleep 0.1; done
  for process in "$watching" "$pid"; do
    assert_equal "$(ps -L -o cls= -p "$process" | sort -u | tr -d ' ')" RR
  done
}
