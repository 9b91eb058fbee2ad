# SPDX-License-Identifier: Apache-2.0
# What heartbeat leaves for the others: marks in the store, marks on the storage, and words for a person.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # each test is a process of its own; run sets stderr, load reads the others
load ../helper
load ../heartbeat

state_of() { rackline hosts -o json | jq -r --arg host "$1" 'select(.host==$host) | .state + (if .verdict then " " + .verdict else "" end)'; }

await_state() { # HOST STATE
  local deadline=$((SECONDS + 20))
  until [ "$(state_of "$1")" = "$2" ]; do
    ((SECONDS < deadline)) || fail "$1 is $(state_of "$1") and not $2: $(cat watched.err)"
    sleep 0.2
  done
}

await_line() { # PATTERN FILE
  local deadline=$((SECONDS + 20))
  until grep -qE "$1" "$2"; do
    ((SECONDS < deadline)) || fail "$2 says nothing of $1: $(cat "$2")"
    sleep 0.2
  done
}

@test "a host that is not well does not serve, and serves again when it is well" {
  all_up
  assert_equal "$(state_of h1)" serving
  kill -KILL "${started[0]}"
  await h1 host_suspect
  await_state h1 "unknown suspect"
  assert_regex "$(rackline hosts -o json | jq -r 'select(.host=="h1") | .by + ": " + .reason')" '^heartbeat: no heartbeat for'
  agent h1
  await h1 host_up
  await_state h1 serving
  assert_equal "$(state_of h2)" serving
}

@test "who only looks leaves no mark" {
  for h in h2 h3; do agent "$h"; done
  mute_host h1 >inventory
  { host h2 && host h3; } >>inventory
  run -1 --separate-stderr heartbeat watch --once --listen "127.0.0.1:$port" --slots slots --start-grace 2s
  assert_equal "$(jq -r 'select(.host=="h1").verdict' <<<"$output")" unknown
  assert_equal "$(state_of h1)" serving
}

@test "who only looks tells a fenced agent neither that it is fenced nor that it is not" {
  heartbeat beat --host h1 --key-file "$(key_of h1)" --watcher "127.0.0.1:$port" --uri test:///default --interval 200ms \
    --qemu-run-dir "$PWD" >beat-h1 2>beat-h1.err &
  started+=("$!")
  for h in h2 h3; do
    heartbeat beat --host "$h" --key-file "$(key_of "$h")" --watcher "127.0.0.1:$port" --uri test:///default --interval 200ms >/dev/null 2>&1 &
    started+=("$!")
  done
  look() { heartbeat watch --once --listen "127.0.0.1:$port" --interval 200ms --start-grace 3s -o json; }
  run -0 --separate-stderr fence --confirm-manual h1 --force <<<h1
  run --separate-stderr look
  assert_equal "$(jq -r 'select(.snapshot).net' <<<"$output" | xargs)" "alive alive alive"
  sleep 1
  assert_equal "$(wc -c <beat-h1)" 0
  heartbeat watch --listen "127.0.0.1:$port" --interval 200ms --start-grace 2s >watched 2>watched.err &
  started+=("$!")
  await_line 'host_self_fenced' beat-h1
  kill -KILL "${started[-1]}"
  # Its store knows of no fencing: the agent does not hear that from it.
  RACKLINE_STORE=sqlite:$PWD/other.db run -0 --separate-stderr look
  heartbeat watch --listen "127.0.0.1:$port" --interval 200ms --start-grace 2s >watched 2>watched.err &
  started+=("$!")
  await h1 fence_contradicted
  sleep 1
  assert_equal "$(grep -c host_self_fenced beat-h1)" 1
}

@test "a store that is locked or read-only is told once, and hosts are watched all the same" {
  all_up
  # Nobody else writes while it is held.
  coproc sqlite3 state.db
  started+=("$COPROC_PID")
  # shellcheck disable=SC2154 # of coproc
  echo 'BEGIN EXCLUSIVE; SELECT 7;' >&"${COPROC[1]}"
  read -r <&"${COPROC[0]}"
  kill -KILL "${started[0]}"
  local begun=$SECONDS
  await h1 host_suspect
  assert [ $((SECONDS - begun)) -le 5 ]
  await_line 'which of them are not well is not written down' watched.err
  agent h1
  await h1 host_up
  kill -KILL "$pid"
  await h1 host_suspect
  echo 'ROLLBACK;' >&"${COPROC[1]}"
  await_state h1 "unknown suspect"
  await_line 'takes marks of hosts again' watched.err
  assert_equal "$(grep -c 'not written down' watched.err)" 1
}

@test "a host that was never heard is told to a person, with when it lived last" {
  mute_host h3 >inventory
  { host h1 && host h2; } >>inventory
  slots=''
  for h in h1 h2 h3; do agent "$h"; done
  watcher
  await h3 host_up
  local deadline=$((SECONDS + 20))
  until sqlite3 state.db "SELECT value FROM entry WHERE key='contacts'" | grep -q h3; do
    ((SECONDS < deadline)) || fail "nobody wrote down who was heard"
    sleep 0.2
  done
  kill -KILL "$pid" "${started[-2]}"
  watcher
  await h3 host_suspect
  assert_equal "$(jq -r 'select(.host=="h3").verdict' watched)" unknown
  await_line "h3: never heard of since the watcher began; last heard of at 20.*Z: whether it lives is not known.*a person is needed.*fence --confirm-manual h3 \| failover$" watched.err
  await_state h3 "unknown unknown"
  sleep 2
  assert_equal "$(grep -c host_down watched)" 0
}

# A fence agent that believes that it has switched off what runs on: the wrong plug.
wrong_plug() {
  cat >agent.sh <<END
#!/bin/sh
while read -r line; do case \$line in action=*) action=\${line#action=} ;; esac; done
[ "\$action" = status ] || { echo "\$action" >"$PWD/power" && exit 0; }
grep -qx off "$PWD/power" && echo 'Status: OFF' && exit 2
echo 'Status: ON'
END
  chmod +x agent.sh && echo on >power
  echo '{"kind":"fence_method","host":"h3","level":1,"agent":"'"$PWD/agent.sh"'"}' >>inventory
}

@test "heartbeat, fence and failover: a host that lives after its fence stops everything and calls a person" {
  mute_host h3 >inventory
  { host h1 && host h2 && wrong_plug; } >>inventory
  for h in h1 h2 h3; do agent "$h"; done
  mkdir calls && export RACKLINE_CALLS=$PWD/calls
  { heartbeat watch --listen "127.0.0.1:$port" --slots slots --interval 200ms --suspect-after 800ms --dead-after 1500ms --start-grace 2s 2>watched.err |
    fence 2>fence.err | failover --append watched 2>failover.err; } &
  started+=("$!" "$(sleep 1 && pgrep -f "heartbeat watch --listen 127.0.0.1:$port ")")
  for h in h1 h2 h3; do await "$h" host_up; done
  # It stands still, is called dead and fenced; beats that it had sent are no contradiction.
  kill -STOP "${started[3]}"
  await_line '"kind":"host_fenced"' watched
  sleep 4
  assert_equal "$(grep -c fence_contradicted watched)" 0
  kill -CONT "${started[3]}"
  await h3 fence_contradicted
  await_line 'h3: it is marked as fenced \([0-9a-f]*\), and .*: its virtual servers may run twice, and a person is needed' watched.err
  await_line 'h3 is marked as fenced and shows life, a person is needed' fence.err
  await_line 'nothing is started while that fence stands' failover.err
  # Each of them has left word for who is not there to read this.
  run -0 bash -c 'cat calls/* | grep -oE "^[a-z]+: h3[: ].*(person is needed|look at its power)" | cut -d: -f1 | sort'
  assert_output $'failover\nfence\nheartbeat'
  # Its agent is told, and stops what runs there.
  await_line 'host_self_fenced' beat-h3
  # The store is told, too, on a thread of its own.
  local deadline=$((SECONDS + 20))
  until [ "$(sqlite3 -cmd '.timeout 5000' state.db "SELECT value ->> 'verdict' FROM entry WHERE key='health/h3'")" = fence_contradicted ]; do
    ((SECONDS < deadline)) || fail "the store does not know"
    sleep 0.2
  done
  # A person has pulled the plug: another mark, another proof.
  local old
  old=$(jq -r 'select(.kind=="host_fenced").id' watched)
  kill -KILL "${started[3]}"
  sleep 1
  run -0 --separate-stderr fence --confirm-manual h3 <<<h3
  refute [ "$(jq -r 'select(.kind=="host_fenced").id' <<<"$output")" = "$old" ]
  await h3 host_down
}

@test "a mark on the storage stops the servers of a host that no watcher reaches, and goes with the fencing" {
  heartbeat beat --host h1 --key-file "$(key_of h1)" --watcher 127.0.0.1:9 --uri test:///default --interval 200ms --slots slots \
    --qemu-run-dir "$PWD" --self-fence 0 >beat-h1 2>beat-h1.err &
  started+=("$!")
  for h in h2 h3; do agent "$h"; done
  watcher
  await h2 host_up
  run -0 --separate-stderr fence --confirm-manual h1 --force <<<h1
  await_line 'host_self_fenced' beat-h1
  assert_equal "$(jq -r 'select(.kind=="host_self_fenced").reason' beat-h1)" "the mark on the storage says that this host counts as off"
  await_line '^rackline-fenced 1 .* h1$' slots/h1.fenced
  cp slots/h1.fenced old
  run -0 --separate-stderr failover clear h1
  local deadline=$((SECONDS + 20))
  while [ -e slots/h1.fenced ]; do ((SECONDS < deadline)) || fail "the mark stays"; sleep 0.2; done
  # Its watcher is gone, so nobody removes what is put back: it is told, and stops nothing.
  kill -KILL "$pid"
  sleep 4
  cp old slots/h1.fenced
  await_line 'does not count, and nothing is stopped: it is an old one' beat-h1.err
  assert_equal "$(grep -c host_self_fenced beat-h1)" 1
}

@test "marks on the storage that are torn, foreign or of nobody are told and stop nothing" {
  echo 'rackline-fenced 1 0123' >slots/h1.fenced
  cp slots/h1.fenced slots/h9.fenced
  mkdir slots/h2.fenced
  all_up
  await_line 'of h1 on the storage is half written or none' watched.err
  await_line 'of h9 on the storage is of a host that is not in the inventory' watched.err
  await_line 'h2.fenced: it is not a regular file' watched.err
  await_line 'h1.fenced on the storage does not count, and nothing is stopped: it is half written' beat-h1.err
  await_line 'h2.fenced: it is not a regular file' beat-h2.err
  cat beat-h? >beats
  assert_equal "$(grep -c host_self_fenced beats)" 0
  for h in h1 h2 h3; do assert_equal "$(verdict "$h")" host_up; done
  assert [ -e slots/h1.fenced ]
}

@test "maintenance: until when, why and by whom; it ends by itself, and it is the mark that all read" {
  heartbeat maintenance h3 on --until 2h --reason 'new fans'
  heartbeat maintenance h2 on --until 2s
  run -0 --separate-stderr heartbeat maintenance
  assert_equal "$(jq -r 'select(.host=="h3") | [.kind, .state, .reason, .by]|join(" ")' <<<"$output")" "host_status maintenance new fans $(id -un)"
  assert_equal "$(jq -r 'select(.host=="h3") | ((.until|fromdate) - (.since|fromdate))' <<<"$output")" 7200
  assert_equal "$(state_of h3)" maintenance
  sleep 3
  run -0 --separate-stderr heartbeat maintenance
  assert_equal "$(jq -r 'select(.kind=="host_status").host' <<<"$output")" h3
  assert_equal "$(state_of h2)" serving
  run -2 --separate-stderr heartbeat maintenance h2 on --until 2001-01-01T00:00:00Z
  assert_regex "$stderr" 'expected a time to come'
  run -2 --separate-stderr heartbeat maintenance h2 on --until soon
  run -2 --separate-stderr heartbeat maintenance h2
  assert_regex "$stderr" 'expected on or off'
  run -2 --separate-stderr heartbeat maintenance h2 off --reason x
  run -0 heartbeat maintenance h3 off
  assert_equal "$(heartbeat maintenance | jq -r 'select(.kind=="host_status").host')" ""
  run -2 --separate-stderr rackline drain h2 --until soon
  assert_regex "$stderr" 'expected a time to come'
}

@test "beats every 250 ms: times that suit them, and a death is found within seconds" {
  mute_host h3 >inventory
  { host h1 && host h2; } >>inventory
  interval=250ms
  for h in h1 h2 h3; do agent "$h"; done
  heartbeat watch --listen "127.0.0.1:$port" --slots slots --interval 250ms >watched 2>watched.err &
  started+=("$!")
  for h in h1 h2 h3; do await "$h" host_up; done
  kill -KILL "${started[3]}"
  await h3 host_down
  assert [ "$(jq -r 'select(.kind=="host_down").net_silent_ms' watched)" -lt 2000 ]
  run -2 --separate-stderr heartbeat beat --watcher 127.0.0.1:9 --slots slots --interval 250ms --self-fence 700ms
  assert_regex "$stderr" 'more than three intervals, which are 750ms'
}

@test "what holds the key leaves no core, and nobody reads its memory" {
  agent h1
  await_line . /proc/"$pid"/comm
  sleep 1
  assert_regex "$(grep 'Max core file size' "/proc/$pid/limits")" 'size +0 +0 '
}
