# SPDX-License-Identifier: Apache-2.0
# fence with agents that are small scripts: what is believed, what is refused, what is kept secret.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory
  mkdir -p agents power said
  background=''
  # Each agent is the good one with one vice. A host's power is the file power/PLUG; said/ gets what it was given.
  agent ok ''
  # shellcheck disable=SC2016 # the agents expand these
  {
    agent liar '[ "$action" = status ] || exit 0'
    agent garbage 'printf "\033[2Jbla\0bla\n"; exit 2'
    agent endless 'sleep 1000 & echo $! >>said/left.$plug; wait'
    agent holder '[ "$action" = status ] || { sleep 1000 & echo $! >>said/left.$plug; }'
    agent complainer 'echo "cannot log in as admin with $password ($(printf %s "$password"))" >&2; exit 1'
    agent coward '[ "$action" = status ] || { echo off >"power/$plug"; exit 1; }'
    agent once '[ "$action" = status ] && [ -e said/once ] && exit 1; [ "$action" = status ] || { echo off >"power/$plug"; touch said/once; }'
    agent flicker 'if [ "$action" = status ]; then n=$(cat said/flicker 2>/dev/null || echo 0); echo $((n + 1)) >said/flicker; [ $((n % 2)) = 0 ] && echo on >"power/$plug" || echo off >"power/$plug"; fi'
    agent slow '[ "$action" = status ] || sleep 1'
  }
  echo '#!/bin/sh' >agents/forbidden
  local host
  for host in h1 h2 h3 h4 h5; do host "$host" && method "$host" ok; done >inventory
}

teardown() {
  [ -z "$background" ] || kill -KILL "$background" 2>/dev/null || true
  local pid
  while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done < <(cat said/left.* 2>/dev/null)
}

# agent NAME VICE: a fence agent after FenceAgentAPI, with shell code that runs before it does its work.
agent() {
  cat >"agents/$1" <<END
#!/bin/bash
cd "$PWD" || exit
action='' plug='' password=''
while IFS= read -r line; do
  declare "\${line%%=*}=\${line#*=}"
  lines+=("\$line")
done
echo "\$EPOCHREALTIME \$action" >>"said/\$plug.$1"
{ tr '\0' ' ' <"/proc/\$\$/cmdline"; tr '\0' '\n' <"/proc/\$\$/environ"; } >>said/argv
printf '%s\n' "\${lines[@]}" >>said/stdin
$2
case \$action in
off | on) echo "\$action" >"power/\$plug" ;;
status)
  if [ "\$(cat "power/\$plug")" = on ]; then echo "Status: ON"; else echo "Status: OFF" && exit 2; fi ;;
esac
END
  chmod +x "agents/$1"
}

# host NAME: a line of the inventory; it is on, and no libvirtd answers there.
host() {
  echo on >"power/$1"
  echo '{"kind":"host","host":"'"$1"'","uri":"qemu+unix:///system?socket='"$PWD/no.$1"'"}'
}
# method HOST AGENT [FIELDS] [PLUG]
method() {
  echo '{"kind":"fence_method","host":"'"$1"'","level":1,"agent":"'"$PWD/agents/$2"'","options":["plug='"${4:-$1}"'"]'"${3:+,$3}"'}'
}
# only LINE...: the inventory with these methods alone.
only() {
  local lines
  lines=$(jq -c 'select(.kind=="host")' inventory && printf '%s\n' "$@")
  echo "$lines" >inventory
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
# down HOST [JQ]: what heartbeat says when it is dead, changed by the filter.
down() {
  jq -nc --arg host "$1" --arg time "$(now)" '{kind:"host_down",time:$time,tool:"heartbeat",id:("d-"+$host),cause:("c-"+$host),host:$host,
    verdict:"dead",net:"silent",store:"silent",libvirt:"timeout",silent_ms:3000}'"${2:+|$2}"
}
finish() { echo '{"kind":"end","time":"'"$(now)"'","tool":"heartbeat","outcome":"ok"}'; }

results() { jq -r 'select(.kind=="host_fenced" or .kind=="host_not_fenced") | [.host, .outcome // "fenced"] | join(" ")' <<<"$output" | sort; }
# field HOST FILTER: of a host's result.
field() { jq -r --arg host "$1" 'select((.kind=="host_fenced" or .kind=="host_not_fenced") and .host==$host) | '"$2" <<<"$output"; }
commands() { cat said/"$1".* 2>/dev/null | awk '{print $2}' | grep -vc status || true; }
mark() { fence status "$1" 2>/dev/null | jq -r 'select(.kind=="host_power") | .mark // "none"'; }

@test "a dead host is switched off, read back, marked, and told with the evidence" {
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$stderr" ""
  assert_equal "$(cat power/h3)" off
  assert_equal "$(results)" "h3 fenced"
  assert_equal "$(field h3 '[.verified,.power_before,.power_after,.cause,.attempts,.level]|@tsv')" $'true\ton\toff\tc-h3\t1\t1'
  assert_regex "$(field h3 .evidence)" 'read on before, told off, read off twice after'
  assert_equal "$(mark h3)" fenced
  assert_equal "$(jq -r 'select(.kind=="end")|[.outcome,.done]|@tsv' <<<"$output")" $'ok\t1'
  rackline-records --check <<<"$output"
}

@test "the record is handed on before its result, and others as they come" {
  run -0 --separate-stderr fence < <(echo '{"kind":"note","text":"kept"}' && down h9 '.kind="host_suspect"' && down h3 && finish)
  assert_equal "$(jq -r .kind <<<"$output" | paste -sd' ')" 'note host_suspect host_down host_fenced end'
}

@test "a snapshot that says dead is acted on" {
  run -0 --separate-stderr fence < <(down h3 '.snapshot=true' && finish)
  assert_equal "$(results)" "h3 fenced"
}

@test "a host that was off already is proven by reading alone" {
  echo off >power/h3
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(field h3 '[.power_before,.attempts]|@tsv')" $'off\t0'
  assert_equal "$(commands h3)" 0
  assert_equal "$(mark h3)" fenced
}

@test "repeated for a host that is fenced: the same id, and nothing is switched" {
  run -0 --separate-stderr fence < <(down h3 && finish)
  local id
  id=$(field h3 .id)
  run -0 --separate-stderr fence < <(down h3 && down h3 && finish)
  assert_equal "$(field h3 '[.id,.already]|@tsv' | sort -u)" "$id"$'\ttrue'
  assert_equal "$(commands h3)" 1
}

@test "a fenced host that is on again is fenced anew, under a new id" {
  run -0 --separate-stderr fence < <(down h3 && finish)
  local id
  id=$(field h3 .id)
  run -0 --separate-stderr fence unfence h3
  assert_equal "$(cat power/h3)" on
  assert_equal "$(mark h3)" returning
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_not_equal "$(field h3 .id)" "$id"
  assert_equal "$(field h3 '.already')" null
  assert_equal "$(cat power/h3) $(mark h3)" "off fenced"
}

@test "an agent that only says that it did it is not believed" {
  only "$(method h3 liar '"timeout_ms":2500')"
  run -1 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 failed"
  assert_equal "$(field h3 '[.power_after,.attempts]|@tsv')" $'on\t2'
  assert_regex "$stderr" 'h3 is NOT fenced, a person is needed: .*read back on'
  # Without its record, nobody would restart what ran there.
  assert_regex "$stderr" 'fence --confirm-manual h3 \| failover$'
  assert_equal "$(mark h3)" none
}

@test "what Python thinks of an agent's code is not taken for its complaint" {
  run -0 --separate-stderr fence status h3
  assert grep -qx PYTHONWARNINGS=ignore said/argv
}

@test "one that waits ends when nobody reads what it would say" {
  mkfifo in
  sleep 60 >in 3>&- &
  background=$!
  # shellcheck disable=SC2016 # the inner shell expands it
  run -0 timeout 20 bash -c 'fence <in | true; echo "${PIPESTATUS[0]}"'
  assert_output 141
  # shellcheck disable=SC2016
  run -0 timeout 20 bash -c 'failover <in | true; echo "${PIPESTATUS[0]}"'
  assert_output 141
}

@test "an agent that did it and says that it failed is proven by reading" {
  only "$(method h3 coward)"
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(field h3 '[.power_after,.attempts]|@tsv')" $'off\t1'
}

@test "off is believed only when it is read twice running" {
  only "$(method h3 flicker '"timeout_ms":1500')"
  run -1 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 failed"
  only "$(method h4 once '"timeout_ms":1500')"
  run -1 --separate-stderr fence < <(down h4 && finish)
  assert_equal "$(results)" "h4 failed"
}

@test "an exit status that means off, with garbage for a text, means nothing" {
  only "$(method h3 garbage '"timeout_ms":500')"
  run -1 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 failed"
  refute_regex "$stderr" $'\e'
}

@test "agents that are missing or may not be run are named, and the next level does it" {
  only "$(method h3 nobody)" "$(method h3 forbidden | jq -c '.level=2')" "$(method h3 ok | jq -c '.level=3')" "$(method h4 nobody)" "$(method h5 forbidden)"
  run -1 --separate-stderr fence --deadline 10s < <(down h3 && down h4 && finish)
  assert_equal "$(field h3 '[.level,.power_after]|@tsv')" $'3\toff'
  assert_regex "$(field h4 .reason)" 'agents/nobody'
  run -1 --separate-stderr fence --deadline 4s < <(down h5 && finish)
  assert_regex "$(field h5 .reason)" 'forbidden.*ermission denied'
}

@test "an agent without end is killed with all that it started, within the deadline" {
  only "$(method h3 endless)"
  local from=$SECONDS
  run -1 --separate-stderr fence --deadline 3s < <(down h3 && finish)
  assert [ $((SECONDS - from)) -lt 8 ]
  assert_regex "$(field h3 .reason)" 'no answer within'
  # Twice in vain is told once.
  assert_equal "$(field h3 .reason | grep -o 'status: no answer' | wc -l)" 1
  # Killed: gone, or waiting for somebody to take note of it.
  local left deadline=$((SECONDS + 10))
  left=$(tail -1 said/left.h3)
  while [[ $(ps -o stat= -p "$left") == [!Z]* ]]; do ((SECONDS < deadline)) || fail "$left lives on"; sleep 0.1; done
}

@test "an agent that leaves somebody with its output behind is not waited for" {
  only "$(method h3 holder)"
  local from=$SECONDS
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert [ $((SECONDS - from)) -lt 8 ]
}

@test "a host whose agent hangs does not delay another" {
  only "$(method h3 endless)" "$(method h4 ok)"
  run -1 --separate-stderr fence --deadline 4s < <(down h3 && down h4 && finish)
  assert [ "$(field h4 .elapsed_ms)" -lt 2000 ]
  assert_equal "$(results)" $'h3 failed\nh4 fenced'
}

@test "both power supplies of a level have to be off" {
  echo on >power/a && echo on >power/b
  only "$(method h3 ok '' a)" "$(method h3 liar '"timeout_ms":800' b)" "$(method h4 ok '' a4)" "$(method h4 ok '' b4)"
  echo on >power/a4 && echo on >power/b4
  run -1 --separate-stderr fence --deadline 5s < <(down h3 && down h4 && finish)
  assert_equal "$(results)" $'h3 failed\nh4 fenced'
  assert_equal "$(cat power/a4 power/b4 | sort -u)" off
  assert_equal "$(mark h3)" none
}

@test "isolated, partitioned and without hypervisor: left, unless the policy says fence" {
  run -0 --separate-stderr fence < <(down h1 '.kind="host_isolated"|.verdict="isolated"' && down h2 '.kind="host_partitioned"|.verdict="partitioned"' &&
    down h3 '.kind="hypervisor_down"|.verdict="hypervisor_dead"' && finish)
  assert_equal "$(results)" $'h1 left\nh2 left\nh3 left'
  assert_regex "$stderr" 'h1 is not fenced: the policy leaves hosts that are isolated .--isolated fence'
  assert_regex "$stderr" 'h3 is not fenced: .*--hypervisor-down'
  assert_equal "$(cat power/*| sort -u)" on
  run -0 --separate-stderr fence --isolated fence --partitioned fence < <(down h1 '.kind="host_isolated"|.verdict="isolated"' &&
    down h2 '.kind="host_partitioned"|.verdict="partitioned"' && finish)
  assert_equal "$(results)" $'h1 fenced\nh2 fenced'
  run -4 --separate-stderr fence --hypervisor-down fence < <(down h3 '.kind="hypervisor_down"|.verdict="hypervisor_dead"' && finish)
  run -0 --separate-stderr fence --force --hypervisor-down fence < <(down h3 '.kind="hypervisor_down"|.verdict="hypervisor_dead"' && finish)
  assert_equal "$(results)" 'h3 fenced'
}

@test "a living storage heartbeat is a veto" {
  run -4 --separate-stderr fence < <(down h3 '.store="alive"' && finish)
  assert_equal "$(results)" "h3 refused"
  assert_regex "$stderr" 'h3 is not fenced: it still writes to the shared storage .--living-store'
  assert_equal "$(cat power/h3)" on
  run -0 --separate-stderr fence --living-store fence < <(down h3 '.store="alive"' && finish)
  assert_equal "$(results)" "h3 fenced"
}

@test "a record that is old, of the future, of an unknown host, or contradicts itself is refused" {
  run -4 --separate-stderr fence < <(down h1 '.time="2026-01-01T00:00:00Z"' && down h2 '.time="2199-01-01T00:00:00Z"' && down h9 && down h3 '.verdict="alive"' && finish)
  assert_equal "$(results)" $'h1 refused\nh2 refused\nh3 refused\nh9 refused'
  assert_equal "$(cat power/* | sort -u)" on
  run -0 --separate-stderr fence --max-age 1000d < <(down h1 '.time="2026-01-01T00:00:00Z"' && finish)
}

@test "more than half of the hosts: refused, whether at once, one by one, or as the watcher itself counts" {
  run -4 --separate-stderr fence < <(down h1 && down h2 && down h3 && finish)
  assert_equal "$(results | awk '{print $2}' | sort | uniq -c | xargs)" "2 fenced 1 refused"
  assert_equal "$(cat power/* | grep -c off)" 2
  assert_regex "$stderr" 'more than half'
  run -4 --separate-stderr fence < <(down h5 && finish)
  assert_equal "$(cat power/h5)" on
  run -0 --separate-stderr fence --force < <(down h5 && finish)
  assert_equal "$(cat power/h5)" off
}

@test "a watcher that hears less than half of the hosts is not believed" {
  run -4 --separate-stderr fence < <(down h1 '.hosts_silent=3|.hosts_watched=5' && finish)
  assert_equal "$(cat power/h1)" on
  run -0 --separate-stderr fence < <(down h1 '.hosts_silent=2|.hosts_watched=5' && finish)
}

@test "a host that dies for the fourth time within the window is left to a person" {
  for _ in 1 2 3; do
    run -0 --separate-stderr fence < <(down h3 && finish)
    run -0 --separate-stderr fence unfence h3
  done
  run -4 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 refused"
  assert_equal "$(cat power/h3)" on
  assert_regex "$stderr" 'fenced 3 times'
  sleep 1.1
  run -0 --separate-stderr fence --loop-window 1s < <(down h3 && finish)
}

@test "a line that cannot be read switches nothing off, and the next host is fenced all the same" {
  run -2 --separate-stderr fence < <(down h1 | sed 's/"verdict"/"host":"h2","verdict"/' && down h2 'del(.host)' && down h3 '.host=3' && down h4 | head -c 60 && echo && down h5 && finish)
  assert_equal "$(results)" "h5 fenced"
  assert_equal "$(cat power/* | grep -c off)" 1
  assert_equal "$(grep -c 'stdin: line' <<<"$stderr")" 4
  assert_equal "$(jq -r 'select(.kind=="end").skipped' <<<"$output")" 4
}

@test "a stream without end: what it said is done, and that the watcher died is said" {
  run -2 --separate-stderr fence < <(down h3)
  assert_equal "$(results)" "h3 fenced"
  assert_regex "$stderr" "nobody watches"
}

@test "self: waited for until a host that fences itself must have done so" {
  only '{"kind":"fence_method","host":"h3","level":1,"agent":"self"}'
  local fields='.self_fence_ms=1000|.watchdog=true|.silent_ms=500'
  run -0 --separate-stderr fence --takeover 2s < <(down h3 "$fields" && finish)
  assert_equal "$(field h3 .method)" self
  assert [ "$(field h3 .elapsed_ms)" -ge 1450 ]
  assert_regex "$(field h3 .evidence)" 'not read back'
  assert_equal "$(field h3 '[.power_before,.power_after]|@tsv')" $'\t'
}

@test "self: refused without its time, without a watchdog, too close to the takeover, or with a channel left" {
  only '{"kind":"fence_method","host":"h3","level":1,"agent":"self"}'
  local filter
  for filter in '.watchdog=true' '.self_fence_ms=1000' '.self_fence_ms=1600|.watchdog=true' '.self_fence_ms=1000|.watchdog=true|.store="unknown"'; do
    run -1 --separate-stderr fence --takeover 2s < <(down h3 "$filter" && finish)
    assert_equal "$(results)" "h3 failed"
  done
  run -0 --separate-stderr fence --takeover 2s --trust-self-fence < <(down h3 '.self_fence_ms=1000' && finish)
}

@test "self: a sign of life ends the wait" {
  only '{"kind":"fence_method","host":"h3","level":1,"agent":"self"}'
  run -0 --separate-stderr fence --takeover 3s < <(down h3 '.self_fence_ms=1000|.watchdog=true|.silent_ms=0' && sleep 1 && down h3 '.kind="host_up"|.verdict="alive"' && finish)
  assert_equal "$(results)" "h3 withdrawn"
  assert_regex "$(field h3 .reason)" 'it is up again'
}

@test "self: a host that lives again is not fenced, in whatever bad state it is" {
  only '{"kind":"fence_method","host":"h3","level":1,"agent":"self"}'
  local life
  for life in '.kind="host_suspect"|.verdict="suspect"|.net="alive"' '.kind="host_isolated"|.verdict="isolated"|.store="alive"' \
    '.kind="hypervisor_down"|.verdict="hypervisor_dead"|.net="alive"' '.kind="host_maintenance"|.verdict="maintenance"' \
    '.kind="host_partitioned"|.verdict="partitioned"|.peers_reached=2'; do
    run -0 --separate-stderr fence --takeover 3s < <(down h3 '.self_fence_ms=1000|.watchdog=true|.silent_ms=1500' && sleep 0.3 && down h3 "$life" && finish)
    assert_equal "$(jq -r 'select(.kind=="host_fenced").host' <<<"$output")" ''
    assert_regex "$(jq -r 'select(.kind=="host_not_fenced" and .outcome=="withdrawn").reason' <<<"$output")" 'it is up again'
  done
  # That it is still silent is no sign of life.
  run -0 --separate-stderr fence --takeover 2s < <(down h3 '.self_fence_ms=1000|.watchdog=true|.silent_ms=1500' && down h3 '.kind="host_suspect"|.verdict="suspect"' && finish)
}

# until_said FILE TEXT: waits until an agent was given that.
until_said() {
  local deadline=$((SECONDS + 10))
  until grep -qs "$2" "said/$1"; do ((SECONDS < deadline)) || return 1; sleep 0.05; done
}
up() { down "$1" '.kind="host_up"|.verdict="alive"|.net="alive"|.store="alive"|.libvirt="answers"'; }

@test "a host that is up again while a delay is waited for is not switched off" {
  only "$(method h3 ok '"delay_ms":30000')"
  local from=$SECONDS
  run -0 --separate-stderr fence < <(down h3 && sleep 0.5 && up h3 && finish)
  assert [ $((SECONDS - from)) -lt 10 ]
  assert_equal "$(results)" "h3 withdrawn"
  assert_equal "$(field h3 .reason)" 'it is up again since the record was written'
  assert_equal "$(cat power/h3) $(mark h3) $(commands h3)" "on none 0"
  rackline-records --check <<<"$output"
}

@test "a host that is up again during a slow reading is not switched off" {
  # shellcheck disable=SC2016 # the agent expands it
  agent sleepy 'sleep 1'
  only "$(method h3 sleepy)"
  run -0 --separate-stderr fence < <(down h3 && until_said h3.sleepy status && up h3 && finish)
  assert_equal "$(results)" "h3 withdrawn"
  assert_equal "$(field h3 '[.power_after,.attempts]|@tsv')" $'on\t0'
  assert_equal "$(commands h3)" 0
}

@test "a host that writes to the storage again is not switched off" {
  # shellcheck disable=SC2016 # the agent expands it
  agent sleepy 'sleep 1'
  only "$(method h3 sleepy)"
  run -0 --separate-stderr fence < <(down h3 && until_said h3.sleepy status && down h3 '.kind="host_isolated"|.verdict="isolated"|.store="alive"' && finish)
  assert_equal "$(results)" $'h3 left\nh3 withdrawn'
  assert_equal "$(commands h3)" 0
}

@test "no further attempt and no next level once a host is up again" {
  only "$(method h3 endless '"timeout_ms":2000' h3)" "$(method h3 ok '' pdu | jq -c '.level=2')"
  echo on >power/pdu
  run -0 --separate-stderr fence --deadline 20s < <(down h3 && until_said h3.endless status && up h3 && finish)
  assert_equal "$(results)" "h3 withdrawn"
  assert_equal "$(cat power/h3 power/pdu | sort -u)" on
  assert_equal "$(commands h3) $(commands pdu)" "0 0"
}

@test "a fencing that failed is repeated while its host stays down" {
  # shellcheck disable=SC2016 # the agent expands it
  agent ill '[ -e well ] || exit 1'
  only "$(method h3 ill '"timeout_ms":1500')"
  # shellcheck disable=SC2094 # the file is a mark of the agent's health
  run -0 --separate-stderr fence --deadline 2s < <(down h3 && sleep 3 && touch well && sleep 9 && finish)
  assert_equal "$(results)" $'h3 failed\nh3 fenced'
  assert_equal "$(jq -r 'select(.outcome=="failed").retry_ms' <<<"$output")" 5000
  assert_regex "$stderr" 'h3 is NOT fenced, a person is needed: .*'$'\n''.*tried again in 5s'
  rackline-records --check <<<"$output"
}

@test "a fencing that failed is not repeated without anybody who watches, nor where that is not wanted" {
  only "$(method h3 garbage '"timeout_ms":500')"
  run -1 --separate-stderr fence --deadline 1s < <(down h3 && sleep 3 && finish)
  assert_equal "$(results)" $'h3 failed\nh3 failed'
  assert_regex "$stderr" 'not tried again: nobody watches any more'
  run -1 --separate-stderr fence --deadline 1s --retry-for 0 < <(down h3 && sleep 2 && finish)
  assert_equal "$(results)" 'h3 failed'
}

@test "a fenced host that shows life: a person is called, and the record is handed on" {
  run -0 --separate-stderr fence < <(down h3 && finish)
  run -4 --separate-stderr fence < <(down h3 '.kind="fence_contradicted"|.verdict="alive"|.net="alive"' && down h3 && finish)
  assert_equal "$(jq -r .kind <<<"$output" | head -1)" fence_contradicted
  assert_regex "$stderr" 'h3 is marked as fenced and shows life, a person is needed: .*Pull its plug'
  # That its power reads off proves nothing any more.
  assert_equal "$(results)" 'h3 refused'
}

@test "a password goes in by stdin alone, and is nowhere else" {
  local secret='s3cr3t"of us' file
  echo "$secret" >password && chmod 600 password
  only "$(method h3 complainer '"timeout_ms":500,"password_file":"'"$PWD/password"'"')" "$(method h4 ok '"password_file":"'"$PWD/password"'"')"
  run -1 --separate-stderr fence -v < <(down h3 && down h4 && finish)
  assert grep -qFx "password=$secret" said/stdin
  assert_regex "$(field h3 .reason)" 'cannot log in as admin with \*\*\*'
  for file in said/argv state.db <(echo "$output") <(echo "$stderr"); do
    run ! grep -qaF -e "$secret" -e 's3cr3t' "$file"
  done
}

@test "a password that others could read, or that stands in the inventory, is refused and not shown" {
  echo hidden-secret >password && chmod 640 password
  only "$(method h3 ok '"timeout_ms":500,"password_file":"'"$PWD/password"'"')"
  run -1 --separate-stderr fence < <(down h3 && finish)
  assert_regex "$(field h3 .reason)" 'others than its owner'
  assert_equal "$(cat power/h3)" on
  only "$(method h3 ok | jq -c '.options+=["password=hidden-secret"]')"
  run -2 --separate-stderr fence < <(down h3 && finish)
  refute_regex "$output$stderr" hidden-secret
}

@test "the agents of IPMI never get the password itself, since they would show it to everybody" {
  mkdir bin && agent ok '' && cp agents/ok bin/fence_ipmilan
  echo hidden-secret >password && chmod 600 password
  echo '{"kind":"host","host":"h1","uri":"test:///default","bmc":"ipmi://10.0.0.1:6230"}' >inventory
  PATH=$PWD/bin:$PATH run --separate-stderr fence status --bmc-user admin --bmc-password-file password
  assert grep -qFx ip=10.0.0.1 said/stdin
  assert grep -qFx ipport=6230 said/stdin
  assert grep -qFx username=admin said/stdin
  assert grep -qFx "ipmitool_timeout=2 -f '$PWD/password'" said/stdin
  run ! grep -q hidden-secret said/stdin
}

@test "an inventory that cannot be meant is refused" {
  only "$(method h9 ok)"
  run -2 --separate-stderr fence < <(finish)
  assert_regex "$stderr" 'no host of that name'
  echo '{"kind":"host","host":"h1","uri":"test:///default","bmc":"10.0.0.1"}' >inventory
  run -2 --separate-stderr fence < <(finish)
  assert_regex "$stderr" 'ipmi://'
  { host h1 && method h1 ok && echo '{"kind":"fence_method","host":"h1","level":1,"agent":"self"}'; } >inventory
  run -2 --separate-stderr fence < <(finish)
  assert_regex "$stderr" 'self shares'
}

@test "a host without any method needs a person" {
  only
  run -1 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 failed"
  assert_regex "$stderr" 'confirm-manual h3'
}

@test "a dry run reads the power, switches nothing and marks nothing" {
  run -0 --separate-stderr fence -n < <(down h3 && finish)
  assert_equal "$(field h3 '[.planned,.verified,.power_after]|@tsv')" $'true\tfalse\ton'
  assert_equal "$(cat power/h3) $(mark h3) $(commands h3)" "on none 0"
  assert_equal "$(jq -r 'select(.kind=="end")|[.done,.planned]|@tsv' <<<"$output")" $'\t1'
}

@test "a dry run while the cluster is disarmed says what would be done and what holds it back" {
  failover disarm --reason 'new switches'
  run -4 --separate-stderr fence -n < <(down h3 && finish)
  assert_equal "$(results)" "h3 refused"
  assert_equal "$(field h3 .planned)" true
  assert_regex "$(field h3 .reason)" '^the cluster is disarmed since .*: new switches; without that it would be fenced: its power reads on$'
  assert_regex "$stderr" 'h3 is not fenced: the cluster is disarmed'
  assert_equal "$(cat power/h3) $(mark h3) $(commands h3)" "on none 0"
}

@test "the table of a dry run says planned and never done" {
  run -0 --separate-stderr fence -n -o table < <(down h3 && finish)
  assert_regex "$output" 'PLANNED'
  assert_regex "$output" '(^|[^a-z])h3 .* yes'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  fence < <(down h3 && finish) >/dev/null
  run -0 --separate-stderr fence unfence -n -o table h3
  assert_regex "$output" 'h3 +planned'
  refute_regex "${output,,}" '(^|[^a-z])done([^a-z]|$)'
  assert_equal "$(cat power/h3)" off
}

@test "the lock is waited for, and a busy one is told" {
  fence status >/dev/null # makes the store
  exec 8>state.db.fence.lock
  flock 8
  run -5 --separate-stderr fence --max-age 8s < <(down h3 && finish)
  assert_equal "$(results)" "h3 refused"
  assert_equal "$(cat power/h3)" on
  assert_regex "$stderr" "h3 is NOT fenced, a person is needed: another fence is at work"
  exec 8>&-
  # Switching on another host takes as long as its controller wants, and death is told only once.
  flock state.db.fence.lock sleep 15 &
  run -0 --separate-stderr fence < <(down h3 && finish)
}

@test "two that watch the same host: one switches it off, both say so" {
  only "$(method h3 slow)"
  fence < <(down h3 && finish) >first &
  background=$!
  run -0 --separate-stderr fence < <(down h3 && finish)
  wait "$background"
  assert_equal "$(jq -r 'select(.kind=="host_fenced").id' first <(echo "$output") | sort -u | wc -l)" 1
  assert_equal "$(commands h3)" 1
}

@test "an idle standby does not hold the lock" {
  mkfifo feed
  fence <feed >standby &
  background=$!
  exec 7>feed
  run -0 --separate-stderr fence < <(down h3 && finish)
  { down h4 && finish; } >&7
  exec 7>&-
  wait "$background"
  output=$(<standby)
  assert_equal "$(results)" "h4 fenced"
}

@test "TERM: the host in hand is finished, and the end says interrupted" {
  only "$(method h3 slow)"
  mkfifo feed
  fence <feed >out 2>err &
  background=$!
  exec 7>feed
  down h3 >&7
  local deadline=$((SECONDS + 10))
  until grep -qs off said/h3.slow; do ((SECONDS < deadline)) || fail "it was not begun"; done
  kill -TERM "$background"
  local status=0
  wait "$background" || status=$?
  assert_equal $status 143
  exec 7>&-
  output=$(<out)
  assert_equal "$(results)" "h3 fenced"
  assert_equal "$(jq -r 'select(.kind=="end").outcome' out)" interrupted
}

# interrupted HOST: a fence that was killed after its first command. Between it and the agent stands the agent's keeper.
interrupted() {
  # shellcheck disable=SC2016 # the agent expands it
  agent ok 'if [ "$action" = off ] && [ ! -e said/killed ]; then touch said/killed; [ -e said/first ] && echo off >"power/$plug"; kill -KILL $(ps -o ppid= -p $PPID); exit; fi'
  fence < <(down "$1" && finish) >/dev/null 2>&1 || true
  assert_exists said/killed
}

@test "killed after it was switched off: the next one proves it and marks it, and switches nothing" {
  touch said/first
  interrupted h3
  assert_equal "$(mark h3)" none
  run -0 --separate-stderr fence --resume
  assert_equal "$(results)" "h3 fenced"
  assert_equal "$(mark h3) $(commands h3)" "fenced 1"
  run -0 --separate-stderr fence --resume
  assert_equal "$(results)" ""
}

@test "killed before it was off: the next one says so and does not fence by itself" {
  interrupted h3
  run -1 --separate-stderr fence < <(finish)
  assert_equal "$(results)" "h3 failed"
  assert_equal "$(cat power/h3) $(mark h3) $(commands h3)" "on none 1"
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 fenced"
}

@test "a person confirms: by the exact name, unless the power reads on" {
  echo off >power/h3
  run -4 --separate-stderr fence --confirm-manual h3 <<<h2
  run -4 --separate-stderr fence --confirm-manual h3 </dev/null
  assert_equal "$(mark h3)" none
  run -0 --separate-stderr fence --confirm-manual h3 <<<h3
  assert_equal "$(field h3 '[.method,.verified]|@tsv')" $'manual\ttrue'
  assert_regex "$(field h3 .evidence)" "confirmed by a person: $(id -un)"
  assert_equal "$(mark h3)" fenced
  run -4 --separate-stderr fence --confirm-manual h4 <<<h4
  assert_equal "$(mark h4)" none
  run -0 --separate-stderr fence --confirm-manual h4 --force <<<h4
  assert_equal "$(mark h4)" fenced
  run -2 --separate-stderr fence --confirm-manual h9 <<<h9
}

@test "a person's word is not taken against a host that answers, unless by force" {
  only
  sed -i 's|"uri":"[^"]*no.h3"|"uri":"test:///default"|' inventory
  run -4 --separate-stderr fence --confirm-manual h3 <<<h3
  assert_equal "$(results)" "h3 refused"
  assert_regex "$(field h3 .reason)" '^h3 answers: its libvirtd runs test; it is not off .--force.$'
  assert_equal "$(mark h3)" none
  run -0 --separate-stderr fence --confirm-manual h3 --force <<<h3
  assert_regex "$(field h3 .evidence)" 'by force, although it answered: its libvirtd runs test'
  # A kernel that refuses runs.
  sed -i 's|"uri":"[^"]*no.h4"|"uri":"qemu+tcp://127.0.0.1:1/system"|' inventory
  run -4 --separate-stderr fence --confirm-manual h4 <<<h4
  assert_equal "$(mark h4)" none
}

@test "a person gets the lock from a pipeline that tries again and again" {
  # shellcheck disable=SC2016 # the agent expands it
  agent deaf 'sleep 1000'
  only "$(method h3 deaf '"timeout_ms":3000')" "$(method h4 ok)"
  mkfifo feed
  fence <feed >out 2>err &
  background=$!
  exec 7>feed
  down h3 >&7
  until_said h3.deaf status
  run -0 --separate-stderr timeout 60 fence --confirm-manual h3 --deadline 4s <<<h3
  assert_equal "$(results)" "h3 fenced"
  assert_equal "$(grep -c 'waiting for its lock' <<<"$stderr")" 1
  finish >&7
  exec 7>&-
  wait "$background" || true
  background=''
  assert_equal "$(mark h3)" fenced
}

@test "a host that was told to be up is not fenced by an older word, nor by the same one again" {
  # shellcheck disable=SC2016 # the agent expands it
  agent sleepy 'sleep 1'
  only "$(method h3 sleepy)"
  local word
  word=$(down h3)
  run -0 --separate-stderr fence < <(up h3 && down h3 '.time=(now-20|todateiso8601)' && finish)
  assert_equal "$(results) $(cat power/h3)" "h3 withdrawn on"
  run -0 --separate-stderr fence < <(echo "$word" && until_said h3.sleepy status && up h3 && sleep 2 && echo "$word" && finish)
  assert_equal "$(results) $(cat power/h3)" $'h3 withdrawn\nh3 withdrawn on'
  run -0 --separate-stderr fence < <(up h3 && sleep 1.1 && down h3 && finish)
  assert_equal "$(results) $(cat power/h3)" "h3 fenced off"
}

@test "a host_up that cannot be read spares its host" {
  # shellcheck disable=SC2016 # the agent expands it
  agent sleepy 'sleep 1'
  only "$(method h3 sleepy)"
  local broken
  for broken in "$(up h3 | jq -c '.silent_ms="x"')" "$(up h3 | jq -c '.time="x"')" "$(up h3 | sed 's/"alive"/"al\xffive"/')" "$(up h3 | head -c 70)" "$(up h3 | tail -c 150)"; do
    rm -f said/h3.*
    run -2 --separate-stderr fence < <(down h3 && until_said h3.sleepy status && echo "$broken" && finish)
    output=$(jq -Rc 'fromjson? // empty' <<<"$output") # what is broken is handed on as it is
    assert_equal "$(results) $(commands h3)" "h3 withdrawn 0"
  done
}

@test "evidence that is not that of a dead host is refused, and a person is called" {
  local odd
  for odd in '.net="alive"' '.libvirt="answers"' '.peers_reached=3' '.store="ALIVE"'; do
    run -4 --separate-stderr fence < <(down h3 "$odd" && finish)
    assert_equal "$(results) $(cat power/h3)" "h3 refused on"
    assert_regex "$stderr" 'h3 is NOT fenced, a person is needed'
  done
  run -4 --separate-stderr fence < <(down h3 '.planned=true' && finish)
  assert_equal "$(results) $(cat power/h3)" "h3 refused on"
}

# torn KEY: somebody has written half of it.
torn() { sqlite3 state.db "INSERT OR REPLACE INTO entry VALUES ('$1','torn',(SELECT last+1 FROM revision)); UPDATE revision SET last=last+1"; }

@test "torn entries of others do not stop a fencing, and one of the host is a person's business" {
  fence status >/dev/null
  torn fence/zzz && torn journal/fence/x
  run -0 --separate-stderr fence < <(down h3 && finish)
  assert_equal "$(results)" "h3 fenced"
  assert_regex "$stderr" 'fence/zzz'
  assert_regex "$stderr" 'journal/fence/x'
  torn fence/h4
  run -1 --separate-stderr fence --retry-for 0 < <(down h4 && finish)
  assert_equal "$(results) $(cat power/h4)" "h4 failed on"
  run -0 --separate-stderr fence status h4
  assert_regex "$(jq -r .reason <<<"$output")" 'fence/h4'
  echo off >power/h4
  run -0 --separate-stderr fence --confirm-manual h4 <<<h4
  assert_equal "$(mark h4)" fenced
}

@test "unfence: on, read back, returning; with a host that is not fenced there is nothing to do" {
  run -0 --separate-stderr fence unfence h3
  assert_equal "$(jq -r 'select(.kind=="host_unfenced").outcome' <<<"$output")" already
  run -0 --separate-stderr fence < <(down h3 && finish)
  only "$(method h3 liar '"timeout_ms":800')"
  run -1 --separate-stderr fence unfence h3
  assert_equal "$(jq -r 'select(.kind=="host_unfenced").outcome' <<<"$output")" failed
  only "$(method h3 ok)"
  run -0 --separate-stderr fence unfence -v h3
  assert_equal "$(jq -r 'select(.kind=="host_unfenced")|[.outcome,.power_after]|@tsv' <<<"$output")" $'done\ton'
  assert_regex "$stderr" 'failover clear h3'
  run -0 --separate-stderr fence unfence h3
  assert_equal "$(jq -r 'select(.kind=="host_unfenced").outcome' <<<"$output")" already
}

@test "whoever switches and marks by hand at a terminal is told in a line, and nobody else" {
  local verb
  terminal() { script -qec "$* >>records" /dev/null </dev/null | tr -d '\r'; }
  echo off >power/h3
  assert_equal "$(terminal 'fence --resume')" 'fence: nothing was left open'
  assert_equal "$(terminal 'echo h3 | fence -n --confirm-manual h3')" 'fence: h3 would be marked as fenced'
  assert_equal "$(terminal 'echo h3 | fence --confirm-manual h3')" 'fence: h3 is marked as fenced'
  assert_equal "$(terminal 'echo h3 | fence --confirm-manual h3')" 'fence: h3 was marked as fenced already'
  assert_equal "$(terminal 'fence -n unfence h3')" 'fence: h3 would be marked as returning and switched on'
  for verb in 'fence unfence h3' 'fence unfence h3'; do
    assert_equal "$(terminal "$verb")" 'fence: h3 is on and takes no virtual servers yet; when it is in order: failover clear h3'
  done
  assert_equal "$(terminal 'fence unfence h4')" 'fence: h4: it is not fenced: nothing was done'
  assert_equal "$(terminal 'fence -q unfence h4')" ''
  run -0 --separate-stderr fence unfence h4
  assert_equal "$stderr" ''
}

@test "status: what can be read, and what cannot" {
  only "$(method h1 ok)" "$(method h2 garbage)" "$(method h3 ok)"
  echo off >power/h3
  run -3 --separate-stderr fence status h1 h2 h3
  assert_equal "$(jq -r 'select(.kind=="host_power")|[.host,.power]|@tsv' <<<"$output")" $'h1\ton\nh2\t\nh3\toff'
  run -2 --separate-stderr fence status h9
  run -0 --separate-stderr fence -o table status h1 h3
  assert_output --regexp 'HOST +POWER'
}

@test "a store that cannot be written: nobody is told that the host is fenced" {
  run -3 --separate-stderr fence --store "sqlite:$PWD/no/such/state.db" < <(down h3 && finish)
  assert_equal "$(results)" ""
  assert_equal "$(cat power/h3)" on
}

@test "a stdout that cannot be written is told, and nothing is begun of which nobody would learn" {
  # bats takes the output, so a shell has to give it away.
  run -3 bash -c 'fence >/dev/full' < <(down h4 && finish)
  assert_output --partial 'No space left'
  assert_equal "$(cat power/h4)" on
}

@test "options that make no sense are refused" {
  run -2 fence --isolated perhaps < <(finish)
  run -2 fence --deadline 0 < <(finish)
  run -2 fence --max-age 60 < <(finish)
  run -2 fence unfence < <(finish)
}

@test "each record that cannot be read is named, and many are not folded into a count" {
  local i
  { for i in {1..8}; do down "h$i" '.silent_ms = "three"'; done && finish; } >stream
  run --separate-stderr fence <stream
  assert_failure
  assert_equal "$(grep -c 'silent_ms' <<<"$stderr")" 8
  assert_equal "$(commands h1)" 0
}
