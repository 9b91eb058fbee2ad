# SPDX-License-Identifier: Apache-2.0
# heartbeat's keys through the program: what a host in foreign hands can do with its key, what becomes of old and wrong
# keys, and how a key is changed.
load ../helper
load ../heartbeat

setup() {
  begin
  for h in h1 h2 h3; do key_of "$h" >/dev/null; done
  { host h1 && mute_host h2 && host h3; } >inventory
}

agent() { # NAME KEY-FILE [OPTIONS...]; its process id in $pid
  heartbeat beat --host "$1" --key-file "$2" --watcher "127.0.0.1:$port" --uri test:///default --interval 200ms \
    --slots slots --qemu-run-dir "$PWD" --self-fence 0 "${@:3}" >>"beat-$1" 2>>"beat-$1.err" &
  pid=$!
  started+=("$pid")
}

watcher() { # [OPTIONS...]; its process id in $pid
  heartbeat watch --listen "127.0.0.1:$port" --slots slots --interval 200ms --suspect-after 800ms --dead-after 1500ms \
    --start-grace 2s "$@" >>watched 2>>watched.err &
  pid=$!
  started+=("$pid")
}

last() { # HOST [FILTER]: of its last record
  jq -r --arg host "$1" "select(.host == \$host) | ${2:-.kind}" watched | tail -1
}

await() { # HOST KIND
  local deadline=$((SECONDS + 20))
  until [ "$(last "$1")" = "$2" ]; do
    ((SECONDS < deadline)) || fail "$1 is not $2: $(cat watched watched.err)"
    sleep 0.1
  done
}

await_line() { # FILE REGEX
  local deadline=$((SECONDS + 20))
  until grep -qE "$2" "$1"; do
    ((SECONDS < deadline)) || fail "no line $2 in $1: $(cat "$1")"
    sleep 0.1
  done
}

all_up() {
  local h
  for h in h1 h2 h3; do agent "$h" "$h.key"; done
  watcher
  for h in h1 h2 h3; do await "$h" host_up; done
}

# The key of one host under the name of another.
stolen() { # OWNER NAME
  sed "s/ $1 / $2 /" "$1.key" >stolen.key
  chmod 600 stolen.key
}

@test "a host's key file is for its owner, says whose it is, and replaces no other one" {
  assert_equal "$(stat -c %a h1.key)" 600
  assert_regex "$(cat h1.key)" '^rackline-host-key h1 [0-9a-f]{8} [0-9a-f]{64}$'
  refute_regex "$(cat h1.key)" "$(cat key)"
  assert_equal "$(heartbeat key --host h1 -)" "$(cat h1.key)"
  run -0 --separate-stderr heartbeat key --host h1 h1.key
  run -4 --separate-stderr heartbeat key --host h2 h1.key
  assert_regex "$stderr" 'there is another key, of h1, [0-9a-f]{8}'
  refute_regex "$stderr" "$(cut -d ' ' -f 4 h1.key)"
  run -4 --separate-stderr heartbeat key --host h1 key
  run -2 --separate-stderr heartbeat key --host ../h1 x
  run -2 --separate-stderr heartbeat key --host h1 --renew key
  assert_equal "$(wc -l <key)" 1
}

@test "a key serves its host and neither another one nor a watcher" {
  run -2 --separate-stderr heartbeat beat --host h2 --key-file h1.key --watcher 127.0.0.1:9
  assert_regex "$stderr" 'it is the key of h1, and this host is h2'
  run -2 --separate-stderr heartbeat watch --once --key-file h1.key --listen "127.0.0.1:$port"
  assert_regex "$stderr" 'the key of one host'
  sed 's/.$/x/' h1.key >broken.key && chmod 600 broken.key
  run -2 --separate-stderr heartbeat beat --host h1 --key-file broken.key --watcher 127.0.0.1:9
  assert_regex "$stderr" 'a key is not hexadecimal'
  refute_regex "$stderr" "$(cut -d ' ' -f 4 h1.key | head -c 32)"
}

@test "the key of one host lets no other one live, over the network or on the storage, and it is told who lies" {
  all_up
  stolen h1 h2
  agent h2 stolen.key
  await_line watched.err "in the name of h2 that are signed with"
  kill -KILL "${started[2]}"
  await h2 host_down
  assert_equal "$(last h2 '"\(.net) \(.store)"')" 'silent silent'
  local id
  id=$(cut -d ' ' -f 3 h1.key)
  assert_regex "$(last h2 .reason)" "in the name of h2 that are signed with the key of h1, $id"
  await_line watched.err "in the name of h2 that are signed with the key of h1, $id: lately from 127.0.0.1:"
  await_line watched.err "in the slot of h2 on the storage: .* the key of h1, $id"
  sleep 2
  for h in h1 h3; do assert_equal "$(last "$h")" host_up; done
  assert_equal "$(last h2)" host_down
}

@test "the slot of a host that lives lets no other one live in whose place it is put" {
  all_up
  kill -KILL "${started[2]}"
  (while sleep 0.1; do cp slots/h1.beat slots/h2.beat; done) 3>&- &
  started+=("$!")
  await h2 host_down
  assert_equal "$(last h2 .store)" silent
  await_line watched.err 'the slot of h2 on the storage holds one of h1'
  sleep 2
  assert_equal "$(last h2)" host_down
  assert_equal "$(last h1)" host_up
}

@test "an agent with the shared key is told in its record, is not called up, and not dead either" {
  agent h1 h1.key
  agent h2 key
  agent h3 h3.key
  watcher
  await h2 host_suspect
  assert_regex "$(last h2 .reason)" "beats with the shared key, $(last h2 .key_id): give it its own .heartbeat key --host h2"
  await_line watched.err 'with the shared key beat: h2'
  await_line beat-h2.err 'is one that all hosts share.*heartbeat key --host h2'
  sleep 4
  assert_equal "$(last h2)" host_suspect
  # With its own it is well at once, and nobody speaks for it with the shared one any more.
  kill -KILL "${started[2]}"
  agent h2 h2.key
  await h2 host_up
  assert_equal "$(last h2 .key_id)" "$(cut -d ' ' -f 3 h2.key)"
  kill -KILL "$pid"
  agent h2 key
  await h2 host_down
  assert_regex "$(last h2 .reason)" 'signed with the shared key, though it has spoken with its own'
  refute grep -q . beat-h1.err
}

@test "agents with the shared key are believed where that is wanted" {
  for h in h1 h2 h3; do agent "$h" key; done
  watcher --accept-shared-key
  for h in h1 h2 h3; do await "$h" host_up; done
  await_line watched.err 'with the shared key beat: h1, h2, h3'
}

@test "a wrong key is told with host and id" {
  heartbeat key other
  RACKLINE_HEARTBEAT_KEY_FILE=other heartbeat key --host h2 wrong.key
  agent h1 h1.key
  agent h2 wrong.key
  agent h3 h3.key
  watcher
  local id
  id=$(cut -d ' ' -f 3 wrong.key)
  await_line watched.err "in the name of h2 .*heartbeat key --host h2 makes the right one.*: lately with $id, from 127"
  await_line beat-h2.err "it has another key than this one, $id"
  assert_equal "$(last h2)" host_suspect
}

@test "while a key is changed all hosts are up, in whatever order they begin anew" {
  all_up
  local h step
  again() { # HOST: its agent begins anew with the key file that it has
    kill -KILL "${agents[$1]}"
    wait "${agents[$1]}" 2>/dev/null || true
    agent "$1" "$1.key"
    agents[$1]=$pid
  }
  local -A agents=([h1]=${started[1]} [h2]=${started[2]} [h3]=${started[3]})
  local watching=${started[4]}
  for step in renew retire; do
    heartbeat key "--$step" key
    for h in h1 h2 h3; do heartbeat key --host "$h" "$h.key"; done
    again h1
    sleep 2 # the watcher still has the keys of the step before
    kill -KILL "$watching"
    wait "$watching" 2>/dev/null || true
    watcher
    watching=$pid
    again h2
    again h3
    sleep 3
    for h in h1 h2 h3; do await "$h" host_up; done
  done
  assert_equal "$(jq -r 'select(.host) | .kind' watched | sort -u)" host_up
  for h in h1 h2 h3; do assert_equal "$(wc -l <"$h.key")" 1; done
  run -4 --separate-stderr heartbeat key --retire key
}
