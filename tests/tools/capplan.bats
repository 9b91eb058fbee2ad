# SPDX-License-Identifier: Apache-2.0
# capplan: what it makes of streams, files and options. That plans are safe at every instant is shown by the unit tests.
# shellcheck disable=SC2154 # stderr comes from run --separate-stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

T='"time":"2026-11-22T12:00:00Z","tool":"test"'

# host NAME CPU% [FIELDS], vm NAME HOST CPUS [FIELDS]: samples of a host of 10 CPUs and 64 GiB, of a server of 4 GiB.
host() { echo "{\"kind\":\"host_sample\",$T,\"host\":\"$1\",\"state\":\"up\",\"cpus\":10,\"cpu_percent\":$2,\"memory_bytes\":68719476736${3:+,$3}}"; }
vm() { echo "{\"kind\":\"vm_sample\",$T,\"vm\":\"$1\",\"host\":\"$2\",\"state\":\"running\",\"uuid\":\"u-$1\",\"domain_id\":7,\"vcpus\":2,\"cpu_cores\":$3,\"memory_bytes\":4294967296${4:+,$4}}"; }
round_end() { echo "{\"kind\":\"round_end\",$T,\"round\":${1:-1}}"; }
end() { echo "{\"kind\":\"end\",$T,\"outcome\":\"${1:-ok}\"}"; }

# A cluster of three where h1 is too busy; the argument is its load.
cluster() {
  local i
  host h1 "${1:-90}" && host h2 20 && host h3 25
  for i in {1..8}; do vm "a$i" h1 1; done
  for i in {1..4}; do vm "b$i" h2 0.5; done
  for i in {1..4}; do vm "c$i" h3 0.5; done
}
one_round() { cluster "$@" && round_end && end; }

moves() { jq -rc 'select(.kind == "vm_move") | [.vm, .from, .to] | @tsv' <<<"$output"; }

@test "a busy host is relieved, every record is valid and the last one is end" {
  one_round >facts
  run -0 capplan balance <facts
  assert_equal "$(moves | cut -f2 | sort -u)" h1
  assert_equal "$(jq -r 'select(.kind == "vm_move").reason' <<<"$output" | cut -d ';' -f 1 | sort -u)" 'h1 cpu 90% > 75%'
  # What is expected, of the target as well.
  assert_equal "$(jq -r 'select(.kind == "vm_move") | select(.reason | test("; then h1 cpu [0-9.]+% memory [0-9.]+%, " + .to + " cpu ") | not)' <<<"$output")" ''
  assert_equal "$(jq -rs '.[-1] | [.kind, .outcome] | @tsv' <<<"$output")" $'end\tok'
  assert_equal "$(jq -rs '.[-1] | .score_after < .score_before' <<<"$output")" true
  # What end still has of it is what plan_summary says.
  assert_equal "$(jq -rs '.[-2] | .kind == "plan_summary" and .rounds == 1 and .moves > 0 and .score_after < .score_before' <<<"$output")" true
  assert_equal "$(jq -cs '.[-2:] | map([.rounds, .moves, .score_before, .score_after, .lower_bound]) | unique | length' <<<"$output")" 1
  capplan balance <facts >plan
  run -0 rackline-records --check <plan
}

@test "balance is the default, and the same input gives the same bytes" {
  one_round >facts
  capplan <facts >one
  capplan balance <facts >other
  run -0 cmp one other
  capplan --seed 5 <facts >one
  capplan --seed 5 <facts >other
  run -0 cmp one other
}

@test "planning again on the result gives an empty plan" {
  one_round >facts
  capplan --force <facts >plan
  # Each move takes its CPU along: 10% of a host for each CPU that it keeps busy.
  jq -c --slurpfile plan plan '
    ([$plan[] | select(.kind == "vm_move")]) as $moves
    | if .kind == "vm_sample" then .vm as $vm | ([$moves[] | select(.vm == $vm)] | last) as $m
        | if $m then .host = $m.to else . end
      elif .kind == "host_sample" then .host as $h
        | .cpu_percent += 10 * (([$moves[] | select(.to == $h)] | length) - ([$moves[] | select(.from == $h)] | length))
      else . end' facts >after
  run -0 capplan <after
  assert_equal "$(moves)" ''
  assert_output --partial '"kind":"no_beneficial_move"'
}

@test "below the threshold there is one no_beneficial_move, with the reason" {
  run -0 capplan < <(one_round 70)
  assert_equal "$(jq -r '.kind' <<<"$output" | tr '\n' ' ')" 'no_beneficial_move plan_summary end '
  assert_output --partial 'no host is above 75% cpu or 90% memory'
  run -0 capplan --cpu-threshold 60 < <(one_round 70)
  assert_output --partial '"reason":"h1 cpu 70% > 60%;'
}

@test "check answers by its exit status" {
  run -1 capplan check < <(one_round)
  assert_equal "$(jq -rc 'select(.kind == "balance_check") | [.balanced, .hosts, .vms, .hosts_over]' <<<"$output")" '[false,3,16,1]'
  assert_equal "$(jq -rs '.[-1].outcome' <<<"$output")" ok
  run -0 capplan check < <(one_round 50)
}

@test "figures that no machine has are unknown in a sample, and refused in a request" {
  local request
  for request in '"memory_bytes":-966367641600' '"memory_bytes":1,"vcpus":-900' '"memory_bytes":1,"cpu_cores":1e300' \
    '"memory_bytes":1,"vcpus":9000000000000000000' '"vcpus":1'; do
    run -2 --separate-stderr capplan place < <(echo "{\"kind\":\"vm_request\",$T,\"vm\":\"n\",$request}" && one_round)
    refute_output --partial vm_place
  done
  run -0 capplan place < <(echo "{\"kind\":\"vm_request\",$T,\"vm\":\"n\",\"memory_bytes\":1073741824}" &&
    cluster 50 && vm odd h3 0.5 | sed 's/"vcpus":2/"vcpus":-900/' && round_end && end)
  assert_equal "$(jq -r 'select(.kind == "vm_place").host' <<<"$output")" h2
  local bad
  for bad in --cpu-overcommit --imbalance --margin --min-gain; do
    run -2 --separate-stderr capplan "$bad" nan < <(one_round)
    assert_regex "$stderr" 'expected a number'
  done
  run -2 capplan --max-moves 0 < <(one_round)
}

@test "headroom with N+1 is none where N+1 does not hold as it is" {
  local i
  run -1 capplan headroom --memory 1GiB < <(host h1 10 && for i in {1..9}; do vm "a$i" h1 0.1; done && round_end && end)
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint, .spare]' <<<"$output")" '[0,"spare",true]'
  run -0 capplan headroom --memory 1GiB --spare ignore < <(host h1 10 && for i in {1..9}; do vm "a$i" h1 0.1; done && round_end && end)
}

@test "a check of hosts of which nothing is known is no yes" {
  local unknown
  unknown() { cluster 50 | jq -c 'if .kind == "host_sample" then .cpu_percent = null else . end' && round_end && end; }
  run -3 --separate-stderr capplan check < <(unknown)
  refute_output --partial balance_check
  assert_regex "$stderr" 'no host can be judged; 3 left out: h1: its CPU load is unknown'
  run -0 capplan balance < <(unknown)
  assert_output --partial 'no host can be judged'
  # One of them: the others are judged, and it is named.
  run -0 capplan check < <(cluster 50 | jq -c 'if .host == "h3" and .kind == "host_sample" then .cpu_percent = null else . end' && round_end && end)
  assert_regex "$(jq -r 'select(.kind == "balance_check").reason' <<<"$output")" '1 left out: h3: its CPU load is unknown'
}

@test "by the score of hbal, check says what balance would do, and explain says that it cannot" {
  run -1 capplan check --objective ganeti < <(one_round)
  assert_equal "$(jq -rc 'select(.kind == "balance_check") | [.balanced, .hosts, .vms]' <<<"$output")" '[false,3,16]'
  capplan balance --objective ganeti --force < <(one_round) >plan
  assert_equal "$(jq -c 'select(.kind == "balance_check").score' <<<"$output")" "$(jq -c 'select(.kind == "end").score_before' plan)"
  run -2 --separate-stderr capplan explain h1 --objective ganeti < <(one_round)
}

@test "a stream without its end is refused, and nothing is decided on half a round" {
  run -2 capplan < <(cluster)
  assert_equal "$(moves)" ''
  assert_output --partial 'no end record'
  run -2 capplan evacuate h1 < <(cluster && round_end)
  assert_equal "$(moves)" ''
  run -2 capplan check < <(cluster && round_end && host h1 90)
  refute_output --partial balance_check
}

@test "an interrupted stream counts as far as its rounds are whole" {
  run -1 capplan check < <(cluster && round_end && host h1 10 && end interrupted)
  assert_output --partial '"hosts":3'
  run -2 capplan check < <(cluster && end interrupted)
}

@test "a failed producer is no producer" {
  run -2 capplan evacuate h1 < <(cluster && round_end && end failed)
  assert_output --partial 'ended with outcome failed'
}

@test "the end of the stream ends a round that has no round_end" {
  run -0 capplan < <(cluster && end)
  assert [ -n "$(moves)" ]
}

@test "a spike moves nothing: the threshold must be passed for as many rounds as --hold says" {
  run -0 capplan --hold 3 < <(cluster 90 && round_end 1 && cluster 50 && round_end 2 && cluster 90 && round_end 3 && end)
  assert_equal "$(moves)" ''
  assert_output --partial '1 of 3 rounds'
  run -0 capplan --hold 3 < <(cluster 90 && round_end 1 && cluster 90 && round_end 2 && cluster 90 && round_end 3 && end)
  assert [ -n "$(moves)" ]
  # One plan, closed by its round, in spite of three rounds.
  assert_equal "$(jq -r .kind <<<"$output" | uniq | tr '\n' ' ')" 'vm_move round_end plan_summary end '
}

@test "what has moved lately stays" {
  one_round >facts
  local i
  for i in {1..8}; do
    echo "{\"kind\":\"vm_moved\",\"time\":\"2026-11-22T11:45:00Z\",\"tool\":\"migrate\",\"id\":\"x$i\",\"vm\":\"a$i\",\"from\":\"h2\",\"to\":\"h1\",\"outcome\":\"done\"}"
  done >moved
  echo '{"kind":"vm_moved","time":"2026-11' >>moved # cut off by a crash
  run -0 --separate-stderr capplan --history moved <facts
  assert_equal "$(moves)" ''
  assert_output --partial '"kind":"no_beneficial_move"'
  run -0 --separate-stderr capplan --history moved --cooldown 10m <facts
  assert [ -n "$(moves)" ]
  run -0 --separate-stderr capplan --history moved evacuate h1 <facts
  assert_equal "$(moves | wc -l)" 8
}

@test "an unreachable host, and one without figures, takes no part" {
  run -0 capplan < <(cluster | grep -v '"host":"h2"' && host h2 0 | sed 's/"up"/"unreachable"/' && end)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -0 capplan < <(cluster | sed '/"host":"h2"/s/"cpu_percent":20/"cpu_percent":null/' && end)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
}

@test "a sample that cannot be read leaves its host out" {
  run -0 --separate-stderr capplan < <(cluster && vm b5 h2 0.5 | sed 's/"vcpus":2/"vcpus":"two"/' && end | tee /dev/null)
  assert_equal "$(moves | grep -c h2)" 0
  assert_equal "$(jq -rs '.[-1].skipped' <<<"$output")" 1
  [[ $stderr == *'line 20: field "vcpus": expected an integer'* ]]
}

@test "rules come from --rules and from the stream, and a broken one is an error" {
  one_round 50 >facts
  echo '{"kind":"placement_rule","rule":"pin","vms":["a1"],"hosts":["h3"]}' >rules
  run -0 capplan --rules rules <facts
  assert_equal "$(moves)" $'a1\th1\th3'
  assert_output --partial 'a1 on h1: pinned to h3'
  run -0 capplan < <(cat rules facts)
  assert_equal "$(moves)" $'a1\th1\th3'
  for rule in '"rule":"together","vms":["a1"]' '"rule":"pin","vms":["a1"]' '"rule":"pin"'; do
    echo "{\"kind\":\"placement_rule\",$rule}" >rules
    run -2 capplan --rules rules <facts
    run -2 capplan < <(cat rules facts)
    assert_equal "$(moves)" ''
  done
}

@test "affinity leaves together, what is to stay leaves only what is emptied, and a soft rule gives way" {
  one_round 90 >facts
  {
    echo '{"kind":"placement_rule","rule":"affinity","vms":["a1","a2"]}'
    echo '{"kind":"placement_rule","rule":"stay","vms":["a3","a4","a5","a6","a7","a8"]}'
    echo '{"kind":"placement_rule","rule":"pin","vms":["a8"],"hosts":["h1"],"soft":true}'
  } >rules
  run -0 --separate-stderr capplan --rules rules <facts
  assert_equal "$(moves)" ''
  run -0 --separate-stderr capplan --rules rules evacuate h1 <facts
  assert_equal "$(moves | wc -l)" 8
  assert_equal "$(jq -c 'select(.kind == "vm_move" and (.vm == "a1" or .vm == "a2")) | [.stage, .to]' <<<"$output" | sort -u | wc -l)" 1
  assert_regex "$stderr" 'soft pin of a8 to h1 is given up'
  echo '{"kind":"placement_rule","rule":"stay","vms":["a1"],"soft":true}' >rules
  run -2 --separate-stderr capplan --rules rules <facts
  assert_regex "$stderr" 'stay: it cannot be soft'
}

@test "two hundred complaints of one kind are three and a count, and all with -v" {
  local i
  cluster 50 >facts
  for i in {1..200}; do vm "d$i" h2 0.5 | sed 's/"vcpus":2/"vcpus":"two"/'; done >>facts
  end >>facts
  run -0 --separate-stderr capplan <facts
  assert_equal "$(wc -l <<<"$stderr")" 4
  assert_regex "$stderr" '197 more like this, the last of them: read records: stdin: line 219'
  run -0 --separate-stderr capplan -v <facts
  assert_equal "$(grep -c 'expected an integer' <<<"$stderr")" 200
}

@test "anti-affinity of the samples holds in the plan" {
  cluster 90 | sed -E '/"vm":"(a[1-8]|[bc]1)"/s/}$/,"anti_affinity":"db"}/' >facts
  end >>facts
  # Eight of the group on one host break it already; the two others have one each, so nobody can go there.
  run -0 capplan --force <facts
  assert_equal "$(moves)" ''
  assert_output --partial 'anti-affinity group db'
}

@test "a plan that has to move more than 30% of the fleet needs --force" {
  one_round 50 >facts
  echo '{"kind":"placement_rule","rule":"exclude","vms":["a1","a2","a3","a4","a5"],"hosts":["h1"]}' >rules
  run -4 --separate-stderr capplan --rules rules <facts
  assert_equal "$(moves)" ''
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" refused
  [[ $stderr == *'5 of 16 virtual servers would move'*'--force'* ]]
  run -0 capplan --rules rules --force <facts
  assert_equal "$(moves | wc -l)" 5
  run -0 capplan --rules rules --max-moves 2 <facts
  assert_equal "$(moves | wc -l)" 2
}

@test "what a round is refused for ends that round and not the stream" {
  local load
  echo '{"kind":"placement_rule","rule":"exclude","vms":["a1","a2","a3","a4","a5"],"hosts":["h1"]}' >rules
  rounds() { for load in "$@"; do cluster "$load" && round_end; done && end; }
  # Said for each round after the first, which only tells where things stand; the last one is the answer.
  run -4 --separate-stderr capplan --rules rules < <(rounds 50 50 50)
  assert_equal "$(grep -c 'virtual servers would move' <<<"$stderr")" 2
  assert_equal "$(jq -r 'select(.kind == "end") | [.outcome, .rounds] | @tsv' <<<"$output")" $'refused\t3'
  # Rules that contradict each other, as well.
  echo '{"kind":"placement_rule","rule":"pin","vms":["a1"],"hosts":["h9"]}' >never
  run -2 --separate-stderr capplan --rules never < <(rounds 50 50 50)
  assert_equal "$(grep -c 'contradictory rules' <<<"$stderr")" 2
  assert_equal "$(jq -r 'select(.kind == "end").outcome' <<<"$output")" failed
  # A later round that asks for less has its plan.
  {
    cluster 50 && round_end
    cluster 50 && round_end
    cluster 50 | sed '/"vm":"a[2-5]"/s/"host":"h1"/"host":"h2"/' && round_end
    end
  } >facts
  run -0 --separate-stderr capplan --rules rules <facts
  assert_equal "$(grep -c 'virtual servers would move' <<<"$stderr")" 1
  assert_equal "$(moves | cut -f1)" a1
  assert_equal "$(jq -rs '.[-1].outcome' <<<"$output")" ok
}

@test "evacuate empties a host, and what cannot go says why" {
  one_round 50 >facts
  run -0 capplan evacuate h1 <facts
  assert_equal "$(moves | cut -f1 | sort | tr '\n' ' ')" 'a1 a2 a3 a4 a5 a6 a7 a8 '
  assert_equal "$(jq -r 'select(.kind == "vm_move") | "\(.stage) \(.to)"' <<<"$output" | sort | uniq -c | awk '$1 > 2')" ''
  run -1 capplan evacuate h1 < <(sed '/"vm":"a1"/s/"memory_bytes":4294967296/"memory_bytes":66571993088/' facts)
  assert_equal "$(moves | wc -l)" 7
  assert_equal "$(jq -rc 'select(.kind == "vm_unplaced") | [.vm, .host]' <<<"$output")" '["a1","h1"]'
  assert_output --regexp '"reason":"h2: .*GiB of memory missing; h3: .*GiB of memory missing"'
  assert_equal "$(jq -rs '.[-1] | [.outcome, .moves, .unplaced] | @tsv' <<<"$output")" $'ok\t7\t1'
  assert_equal "$(jq -rs '.[-1].reason | startswith("1 of 8 virtual servers cannot leave h1: a1 (h2: ")' <<<"$output")" true
}

@test "evacuate: several hosts need --force, unknown ones are an error, silent ones cannot be moved from" {
  one_round 50 >facts
  run -4 capplan evacuate h1 h2 <facts
  run -0 capplan evacuate --force h1 h2 < <(sed 's/"memory_bytes":4294967296/"memory_bytes":2147483648/' facts)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -2 capplan evacuate h9 <facts
  run -2 capplan evacuate <facts
  run -3 capplan evacuate h4 < <(host h4 0 | sed 's/"up"/"timeout"/' && cat facts)
  run -3 capplan evacuate h1 < <(sed '/"host":"h1","state"/s/"up"/"timeout"/' facts)
  run -0 capplan evacuate h4 < <(host h4 0 && cat facts)
  assert_output --partial '"reason":"h4 is empty"'
}

@test "place answers every request" {
  request() { echo "{\"kind\":\"vm_request\",\"vm\":\"$1\",\"memory_bytes\":$2}"; }
  run -1 capplan place < <(request new 4294967296 && request huge 99999999999 && one_round 50)
  assert_equal "$(jq -rc 'select(.kind == "vm_place") | [.vm, .host]' <<<"$output")" '["new","h2"]'
  assert_equal "$(jq -rc 'select(.kind == "vm_unplaced") | .vm' <<<"$output")" huge
  run -0 capplan place < <(request a1 1 && one_round 50)
  assert_output --partial '"reason":"it is there already"'
}

# --- place by moving others, pack, headroom, rolling, explain ---

# Two hosts of 64 GiB with three servers of 16 GiB each and some small ones on h2, so that nothing of 20 GiB has a place.
tight() {
  local i
  host h1 30 && host h2 30 && host h3 30 '"drained":true'
  for i in 1 2 3; do vm "a$i" h1 0.5 | sed 's/4294967296/17179869184/'; done
  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do vm "b$i" h2 0.2; done
  end
}
big() { echo '{"kind":"vm_request","vm":"big","memory_bytes":21474836480}'; }

@test "place moves others to make room, says after which stage, and --no-moves does not" {
  run -1 capplan --spare ignore place --no-moves < <(big && tight)
  assert_equal "$(moves)" ''
  assert_output --regexp '"vm":"big".*"reason":"h1: 4.25GiB of memory missing; h2: 4.25GiB of memory missing; h3: drained"'
  run -0 capplan --spare ignore place < <(big && tight)
  assert [ -n "$(moves)" ]
  assert_output --regexp '"reason":"makes room on h[12] for big;'
  last=$(jq -s 'map(select(.kind == "vm_move").stage) | max' <<<"$output")
  assert_equal "$(jq 'select(.kind == "vm_place").after_stage' <<<"$output")" "$last"
  # What it says is so: memory of each host when all is done.
  target=$(jq -r 'select(.kind == "vm_place").host' <<<"$output")
  freed=$(jq -s --arg h "$target" 'map(select(.kind == "vm_move" and .from == $h).memory_bytes) | add' <<<"$output")
  assert [ "$freed" -ge $((4 * 1073741824)) ]
}

@test "pack frees hosts below the thresholds, and a second time nothing" {
  local i
  { host h1 10 && host h2 10 && host h3 10 && host h4 10
    for i in 1 2 3 4; do vm "a$i" "h$i" 1; done && end; } >facts
  run -0 capplan --force pack <facts
  # N+1 asks for two hosts.
  assert_equal "$(jq -rs 'map(select(.kind == "host_freed").host) | length' <<<"$output")" 2
  assert_equal "$(moves | wc -l)" 2
  assert_equal "$(jq -rs 'map(select(.kind == "host_freed")) | all(.after_stage >= 1 and .moves == 1)' <<<"$output")" true
  capplan --force pack <facts >plan
  run -0 rackline-records --check <plan
  jq -c --slurpfile plan plan 'if .kind == "vm_sample" then .vm as $v
    | .host = ([$plan[] | select(.kind == "vm_move" and .vm == $v).to] + [.host])[0] else . end' facts >after
  run -0 capplan --force pack <after
  assert_equal "$(moves)" ''
  assert_equal "$(jq -rs 'map(select(.kind == "host_freed").moves) | tostring' <<<"$output")" '[0,0]'
  run -0 capplan --force --spare ignore pack <facts
  assert_equal "$(jq -rs 'map(select(.kind == "host_freed").host) | length' <<<"$output")" 3
  # Not by moving more than --max-change.
  run -0 capplan pack <facts
  assert_equal "$(moves | wc -l)" 1
}

@test "headroom tells how many more fit, and what blocks the next one" {
  local i
  { host h1 10 && host h2 10 && for i in 1 2; do vm "a$i" "h$i" 1; done && end; } >facts
  run -0 capplan --spare ignore headroom --memory 8GiB --vcpus 2 <facts
  # 64 GiB less 256 MiB less 4 GiB: 7 on each.
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint]' <<<"$output")" '[14,"memory"]'
  assert_output --partial 'h1: 4.25GiB of memory missing'
  run -0 capplan headroom --memory 8GiB --vcpus 2 <facts
  # Either host has to take what is on both: 2 * 4 + n * 8 <= 63.75.
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint, .spare]' <<<"$output")" '[6,"spare",true]'
  run -1 capplan headroom --memory 8GiB --at-least 7 <facts
  run -0 capplan --spare ignore headroom --memory 1MiB --vcpus 20 <facts
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint]' <<<"$output")" '[6,"vcpus"]'
  run -0 capplan --spare ignore headroom --memory 1GiB --cpu 3 <facts
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint]' <<<"$output")" '[4,"cpu_load"]'
  run -1 capplan headroom --memory 100GiB <facts
  # The usual size, and that of a request.
  run -0 capplan --spare ignore headroom <facts
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .memory_bytes, .vcpus]' <<<"$output")" '[28,4294967296,2]'
  run -0 capplan --spare ignore headroom < <(big && cat facts)
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.vm, .fits]' <<<"$output")" '["big",4]'
  run -2 capplan headroom < <(end)
}

@test "rolling makes groups whose servers find a place, partners apart" {
  local i
  for i in 1 2 3 4 5 6; do host "h$i" 10 && vm "a$i" "h$i" 0.5; done >facts
  end >>facts
  run -0 capplan rolling <facts
  assert_equal "$(jq -rs 'map(select(.kind == "service_group").hosts[]) | sort | join(" ")' <<<"$output")" 'h1 h2 h3 h4 h5 h6'
  assert_equal "$(jq -rs 'map(select(.kind == "service_group")) | length' <<<"$output")" 2
  run -0 capplan rolling --at-once 1 <facts
  assert_equal "$(jq -rs 'map(select(.kind == "service_group")) | length' <<<"$output")" 6
  # a1 and a2 are partners: their hosts are not away together.
  run -0 capplan rolling < <(sed -E '/"vm":"a[12]"/s/}$/,"anti_affinity":"db"}/' facts)
  assert_equal "$(jq -rs 'map(select(.kind == "service_group" and (.hosts | contains(["h1"])) and (.hosts | contains(["h2"])))) | length' <<<"$output")" 0
  # Each group can be evacuated as it is told, one after the other.
  run -0 capplan rolling h2 h3 <facts
  assert_equal "$(jq -rc 'select(.kind == "service_group").hosts' <<<"$output")" '["h2","h3"]'
  run -2 capplan rolling h9 <facts
  # Two hosts: no spare while one is away.
  { host h1 10 && host h2 10 && vm a h1 1 && vm b h2 1 && end; } >facts
  run -1 capplan rolling <facts
  assert_equal "$(jq -rc 'select(.kind == "host_unserviceable") | [.host, .constraint]' <<<"$output")" $'["h1","spare"]\n["h2","spare"]'
  run -0 capplan --spare ignore rolling <facts
  assert_equal "$(jq -rc 'select(.kind == "service_group").hosts' <<<"$output")" $'["h1"]\n["h2"]'
  run -1 capplan rolling < <(host h1 10 && host h2 10 '"drained":true' && vm a h1 1 && end)
  assert_equal "$(jq -rc 'select(.kind == "host_unserviceable") | [.host, .vm, .constraint]' <<<"$output")" '["h1","a","drained"]'
}

@test "explain says why a server moves, and what each other host has against it" {
  { cluster && host h4 5 '"drained":true' && host h5 1 | sed 's/68719476736/2147483648/' && end; } >facts
  capplan <facts >plan
  mover=$(jq -rs 'map(select(.kind == "vm_move"))[0].vm' plan)
  target=$(jq -rs 'map(select(.kind == "vm_move"))[0].to' plan)
  run -0 capplan explain "$mover" <facts
  assert_equal "$(jq -rs '.[0] | [.vm, .host, .target, .answer, (.reason | split(";")[0])] | @tsv' <<<"$output")" "$mover"$'\th1\t'"$target"$'\tmoves\th1 cpu 90% > 75%'
  assert_equal "$(jq -rc 'select(.target == "h4") | [.answer, .constraint]' <<<"$output")" '["forbidden","drained"]'
  assert_equal "$(jq -rc 'select(.target == "h5") | [.answer, .constraint]' <<<"$output")" '["forbidden","memory"]'
  run -0 capplan explain c1 <facts
  assert_equal "$(jq -rs '.[0].answer' <<<"$output")" stays
  assert_equal "$(jq -rc 'select(.target == "h1").answer' <<<"$output")" no_gain
  run -0 capplan explain h1 <facts
  assert_equal "$(jq -rs '.[0] | [.host, .answer] | @tsv' <<<"$output")" $'h1\tgives'
  assert_equal "$(jq -rs 'map(select(.vm != null)) | length' <<<"$output")" 8
  run -0 capplan explain h4 <facts
  assert_output --partial drained
  # Below the threshold a better place is known, and not needed.
  run -0 capplan explain a1 < <(one_round 70)
  assert_equal "$(jq -rs 'map(select(.target == "h2").answer)[0]' <<<"$output")" not_needed
  assert_output --partial 'no host is above 75% cpu'
  run -2 capplan explain nobody <facts
  run -2 capplan explain <facts
}

@test "a table has bars of before and after, within the width and without colour" {
  run -0 env COLUMNS=100 capplan -o table < <(one_round)
  assert_line --regexp '^HOST +CPU +MEMORY +VMS$'
  assert_line --regexp '^h1 +\[=+ *\|? *\] +90% -> +[0-9]+%.*8 -> [0-9]$'
  refute_output --partial $'\x1b'
  for columns in 100 80 50 30; do
    run -0 env COLUMNS=$columns capplan -o table --force pack < <(one_round 30)
    assert_equal "$(sed -n '/^HOST.*CPU/,/^end/p' <<<"$output" | grep -v '^end' | awk -v c=$columns 'length > c')" ''
  done
}

# --- rules ---

rules() { printf '{"kind":"placement_rule",%s}\n' "$@"; }

@test "nothing moves live to another CPU model, unless a rule or --cpu-model says that it may" {
  one_round | sed -E '/"host":"h[13]","state"/s/}$/,"cpu_model":"EPYC"}/; /"host":"h2","state":"up","cpus"/s/}$/,"cpu_model":"Skylake"}/' >facts
  run -0 capplan --force <facts
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -0 capplan --force explain a1 <facts
  assert_output --partial 'another CPU model (Skylake instead of EPYC)'
  run -0 capplan --force --cpu-model any <facts
  assert_equal "$(moves | cut -f3 | grep -c h2)" "$(moves | cut -f3 | grep -c h2)"
  assert [ "$(moves | cut -f3 | grep -c h2)" -gt 0 ]
  run -0 capplan --force < <(rules '"rule":"compatible","vms":[],"hosts":["h1","h2"]' && cat facts)
  assert [ "$(moves | cut -f3 | grep -c h2)" -gt 0 ]
}

@test "rules that contradict each other are named, and no plan is made" {
  one_round >facts
  while IFS='@' read -r rule other words; do
    run -2 --separate-stderr capplan < <(rules "$rule" ${other:+"$other"} && cat facts)
    assert_equal "$(moves)" ''
    [[ $stderr == *"$words"* ]] || { echo "$stderr" && false; }
    assert_equal "$(jq -rs '.[-1].outcome' <<<"$output")" failed
  done <<'END'
"rule":"pin","vms":["a1"],"hosts":["h1"]@"rule":"exclude","vms":["a1"],"hosts":["h1"]@pin of a1 to h1 and exclude of a1 from h1 leave a1 no host
"rule":"pin","vms":["a1"],"hosts":["h1"]@"rule":"pin","vms":["a1","a2"],"hosts":["h2"]@pin of a1 to h1 and pin of a1, a2 to h2 leave a1 no host
"rule":"pin","vms":["a1","a2"],"hosts":["h2"]@"rule":"anti_affinity","vms":["a1","a2"]@anti_affinity of a1, a2 and pin of a1, a2 to h2: a1, a2 need different hosts, and are left h2
"rule":"exclude","vms":["a1"],"hosts":["h1","h2","h3"]@@exclude of a1 from h1, h2, h3 leaves a1 no host of the input
"rule":"pin","vms":["a1"],"hosts":["h9"]@@pin of a1 to h9 leaves a1 no host of the input, which has no h9
"rule":"depends","vms":["a1"],"on":["a2"]@"rule":"depends","vms":["a2"],"on":["a1"]@depends goes in a circle: a1 on a2 on a1
END
}

@test "more partners than hosts are a warning, and the rest is planned" {
  run -0 --separate-stderr capplan --force < <(rules '"rule":"anti_affinity","vms":["a1","b1","c1","c2"]' && one_round)
  [[ $stderr == *'anti_affinity of a1, b1, c1, c2: 4 virtual servers need 4 hosts, and there are 3'* ]]
  assert [ -n "$(moves)" ]
}

# --- input that cannot be ---

@test "zero capacity, an unknown host, a sample from the future: these take no part, and explain says so" {
  one_round >facts
  run -0 capplan --force < <(sed '/"host":"h2","state":"up","cpus"/s/"cpus":10/"cpus":0/' facts)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -0 capplan explain h2 < <(sed '/"host":"h2","state":"up","cpus"/s/"cpus":10/"cpus":0/' facts)
  assert_output --partial 'its sample says that it has no CPUs'
  run -0 capplan explain h2 < <(sed '/"host":"h2","state":"up","cpus"/s/"memory_bytes":68719476736/"memory_bytes":0/' facts)
  assert_output --partial 'its sample says that it has no memory'
  run -0 capplan explain h7 < <(vm stray h7 1 && cat facts)
  assert_equal "$(jq -rs '.[0] | [.host, .answer, .reason] | @tsv' <<<"$output")" $'h7\tleft_out\tthere is no sample of it'
  run -0 capplan explain h2 < <(sed '/"host":"h2","state":"up","cpus"/s/12:00:00Z/13:00:00Z/' facts)
  assert_output --partial 'its sample is from the future: 1h ahead'
}

@test "a clock that runs backwards decides nothing, and the next round is decided again" {
  shift_to() { sed "s/12:00:00Z/$1Z/"; }
  run -0 capplan --force < <(one_round 50 | grep -v '"end"' && one_round | shift_to 11:00:00)
  assert_equal "$(moves)" ''
  assert_output --partial 'the clock of the samples ran backwards, from 2026-11-22T12:00:00Z to 2026-11-22T11:00:00Z'
  run -0 capplan --force < <(one_round 50 | grep -v '"end"' && one_round 50 | grep -v '"end"' | shift_to 11:00:00 && one_round | shift_to 11:01:00)
  assert [ -n "$(moves)" ]
}

@test "more required than the whole cluster has is told" {
  { host h1 10 && host h2 10 && for i in {1..20}; do vm "a$i" h1 0.1 && vm "b$i" h2 0.1; done && end; } >facts
  run -0 capplan <facts
  assert_equal "$(moves)" ''
  assert_output --partial 'all virtual servers need 160GiB of memory, and the hosts that may take any have 128GiB'
}

# --- what others say ---

@test "the cause of a fluctuation is carried into the plan" {
  f="{\"kind\":\"fluctuation\",$T,\"id\":\"f-h1\",\"object\":\"host\",\"host\":\"h1\",\"resource\":\"cpu\",\"direction\":\"above\",\"value\":90,\"unit\":\"percent\",\"threshold\":75,\"held_ms\":60000,\"reason\":\"h1 cpu\"}"
  run -0 capplan < <(echo "$f" && one_round)
  assert_equal "$(jq -r 'select(.kind == "vm_move").cause' <<<"$output" | sort -u)" f-h1
  assert_line "$f"
  run -0 capplan < <(echo "$f" && echo "$f" | sed 's/above/back/; s/f-h1/f-2/' && one_round)
  refute [ "$(jq -r 'select(.kind == "vm_move").cause' <<<"$output" | sort -u)" = f-h1 ]
}

@test "what is reserved is left alone, but for whom it is for" {
  r() { echo "{\"kind\":\"reservation\",$T,\"id\":\"r1\",\"pool\":\"p\",\"owner\":\"web\",\"state\":\"$1\",\"priority\":0,$2}"; }
  # h2 has 64 GiB, 16 in use: with 46 reserved there is no room for another 4 GiB.
  h2=$(r active '"memory_bytes":49392123904,"host":"h2"')
  run -0 capplan --force < <(one_round)
  assert_output --partial '"to":"h2"'
  run -0 capplan --force < <(echo "$h2" && one_round)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  assert_line "$h2"
  run -0 capplan --force explain a1 < <(echo "$h2" && one_round)
  assert_equal "$(jq -r 'select(.target == "h2").constraint' <<<"$output")" reservation
  assert_output --partial '(46GiB of memory is reserved for others)'
  # Over, planned only, or not yet: it holds nothing.
  for state in released pending ended; do
    run -0 capplan --force < <(r "$state" '"memory_bytes":49392123904,"host":"h2"' && one_round)
    assert_output --partial '"to":"h2"'
  done
  run -0 capplan --force < <(r active '"memory_bytes":49392123904,"host":"h2","until":"2026-11-22T11:00:00Z"' && one_round)
  assert_output --partial '"to":"h2"'
  # The one that it is for gets it, and what is reserved for a server that runs is used by it.
  request='{"kind":"vm_request","vm":"new","memory_bytes":42949672960}'
  hold='"memory_bytes":42949672960,"host":"h2","vm":"new"'
  run -0 capplan place < <(r active "$hold" && echo "$request" && one_round 50)
  assert_equal "$(jq -r 'select(.kind == "vm_place").host' <<<"$output")" h2
  run -0 capplan --force < <(r active '"memory_bytes":17179869184,"host":"h1","vm":"a1"' && one_round)
  assert_equal "$(moves | grep -c '^a1')" 0
  assert [ -n "$(moves)" ]
  # CPUs: half of h2 is reserved, so that it takes less than half of its threshold more.
  run -0 capplan --spare ignore headroom --memory 1GiB --vcpus 1 < <(r active '"cpu_cores":9.5,"host":"h2"' && host h2 20 && end)
  assert_equal "$(jq -c 'select(.kind == "headroom") | [.fits, .constraint]' <<<"$output")" '[4,"reservation"]'
  # One that cannot be read would be given away.
  run -2 capplan < <(r active '"memory_bytes":"much"' && one_round)
  assert_equal "$(moves)" ''
}

@test "the memory of a pool is kept on one of its hosts, in one piece" {
  r="{\"kind\":\"reservation\",$T,\"id\":\"r1\",\"pool\":\"p\",\"owner\":\"web\",\"state\":\"active\",\"priority\":0,\"memory_bytes\":42949672960,\"hosts\":[\"h1\",\"h2\"]}"
  { host h1 10 && host h2 10 && vm a h1 1 && end; } >facts
  run -0 capplan --spare ignore headroom --memory 4GiB < <(echo "$r" && cat facts)
  # h2 is the emptier one: 64 GiB - 256 MiB - 40 GiB are five, and h1 has fourteen beside a.
  assert_equal "$(jq -c 'select(.kind == "host_room") | [.host, .fits]' <<<"$output")" $'["h1",14]\n["h2",5]'
}

@test "nothing goes to a host of which heartbeat says that it is in maintenance" {
  m="{\"kind\":\"host_maintenance\",$T,\"id\":\"m\",\"host\":\"h2\",\"verdict\":\"maintenance\",\"net\":\"alive\",\"store\":\"alive\",\"libvirt\":\"answers\"}"
  run -0 capplan --force < <(echo "$m" && one_round)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -0 capplan explain h2 < <(echo "$m" && one_round)
  assert_output --partial 'heartbeat says maintenance'
  run -0 capplan --force < <(echo "$m" && echo "$m" | sed 's/host_maintenance/host_up/' && one_round)
  assert_output --partial '"to":"h2"'
}

@test "kinds that it does not know pass through unchanged" {
  line='{"kind":"weather","time":"2026-11-22T12:00:00Z","tool":"x","degrees":  21.50}'
  run -0 capplan < <(echo "$line" && one_round)
  assert_line "$line"
}

@test "an empty stream has nothing to do" {
  run -0 capplan < <(end)
  assert_output --partial '"kind":"no_beneficial_move"'
  run -3 capplan check < <(end)
  run -2 capplan </dev/null
}

@test "silent on stderr when all is well" {
  one_round >facts
  run -0 --separate-stderr capplan <facts
  assert_equal "$stderr" ''
}

@test "a table shows the same moves" {
  run -0 capplan -o table < <(one_round)
  assert_regex "${lines[-2]}" '^plan_summary  MOVES [0-9]+  BEFORE [0-9.]+  AFTER [0-9.]+  BOUND [0-9.]+$'
  assert_line --index -1 'end  OUTCOME ok'
  assert_line --regexp '^STAGE +VM +FROM +TO '
  assert_output --partial 'h1 cpu 90% > 75%'
}

@test "a filter dies silently when its reader is gone" {
  one_round >facts
  local i
  for i in {1..2000}; do echo '{"kind":"weather","time":"2026-11-22T12:00:00Z","tool":"x","text":"0123456789012345678901234567890123456789"}'; done >many
  run bash -c 'cat many facts | { capplan; echo "status $?" >&2; } | head -1'
  assert_line 'status 141'
  assert_equal "${#lines[@]}" 2
}

@test "memory does not grow with the number of rounds" {
  peak() { env time -f %M -o peak capplan check >/dev/null; cat peak; }
  cluster 50 >round && round_end >>round
  few=$({ for _ in {1..50}; do cat round; done && end; } | peak)
  many=$({ for _ in {1..2000}; do cat round; done && end; } | peak)
  assert [ "$many" -lt $((few + 1024)) ]
}

# at MINUTES FILE: a round that many minutes after noon.
at() { sed -E "s/2026-11-22T12:00:00Z/2026-11-22T$(printf '%02d:%02d' $((12 + $1 / 60)) $(($1 % 60))):00Z/" "$2"; }

@test "the first round of a stream moves nothing, a load that stays is relieved, one spike is not" {
  cluster 90 >hot && round_end >>hot
  cluster 50 | sed '/"vm":"a/s/"cpu_cores":1/"cpu_cores":0.5/' >calm && round_end >>calm
  run -0 capplan < <(at 0 calm && at 5 hot && at 10 calm && at 15 calm && end)
  assert_equal "$(moves)" ''
  run -0 --separate-stderr capplan -v < <(at 0 calm && at 5 hot && end)
  assert_equal "$(moves)" ''
  [[ $stderr == *'h1 cpu 90% > 75%, seen above it too briefly so far'* ]]
  run -0 capplan < <(at 0 hot && at 5 hot && end)
  assert_equal "$(moves | cut -f2 | sort -u)" h1
  assert_output --partial 'h1 cpu 90% > 75%, expected to be above it'
  # The whole plan of the second round, before the stream ends.
  assert_equal "$(jq -r .kind <<<"$output" | uniq | tr '\n' ' ')" 'vm_move round_end plan_summary end '
}

@test "a single round is answered at once, one round of a stream that was cut off is not" {
  run -0 capplan < <(one_round)
  assert [ -n "$(moves)" ]
  run -2 capplan < <(cluster && round_end)
  assert_equal "$(moves)" ''
  run -0 capplan < <(cluster && round_end && host h1 10 && end interrupted)
  assert [ -n "$(moves)" ]
}

@test "in a stream, a dear move is not made" {
  cluster 90 >hot && round_end >>hot
  run -0 capplan --move-price 6h < <(at 0 hot && at 5 hot && at 10 hot && end)
  assert_equal "$(moves)" ''
  assert_output --partial 'no move is allowed and spares as much overload as it costs'
  run -0 capplan --horizon 1s < <(at 0 hot && at 5 hot && at 10 hot && end)
  assert_equal "$(moves)" ''
}

@test "a clock that stands still or runs backwards is no evidence" {
  cluster 50 | sed '/"vm":"a/s/"cpu_cores":1/"cpu_cores":0.5/' >calm && round_end >>calm
  cluster 90 >hot && round_end >>hot
  run -0 capplan < <(at 60 calm && at 30 hot && at 20 hot && end)
  assert_equal "$(moves)" ''
}

# A cluster in Ganeti's terms: 4 hosts, no load known.
promised() {
  local i
  for i in 1 2 3 4; do host "n$i" 0 | sed 's/"cpu_percent":0/"cpu_percent":null/'; done
  for i in {1..8}; do vm "p$i" n1 0 | sed 's/"cpu_cores":0/"cpu_cores":null/'; done
  round_end && end
}

@test "--objective ganeti evens out what is promised, without any load, and again there is nothing to do" {
  promised >facts
  run -0 capplan <facts
  assert_equal "$(moves)" ''
  run -0 capplan --objective ganeti --force <facts
  assert_equal "$(moves | cut -f3 | sort | uniq -c | awk '{print $1}' | tr '\n' ' ')" '2 2 2 '
  assert_equal "$(jq -rs '.[-1] | .score_before > 13 and .score_after < 0.001' <<<"$output")" true
  moves >done
  awk -F'\t' 'NR == FNR { to[$1] = $3; next } { for (v in to) if (index($0, "\"vm\":\"" v "\"")) sub(/"host":"n1"/, "\"host\":\"" to[v] "\""); print }' done facts >after
  run -0 capplan --objective ganeti --force <after
  assert_equal "$(moves)" ''
  # A part of the fleet without --force, and no more moves than are allowed.
  run -0 capplan --objective ganeti <facts
  assert_equal "$(moves | wc -l)" 2
  run -0 capplan --objective ganeti --force --max-moves 1 <facts
  assert_equal "$(moves | wc -l)" 1
}

@test "--objective ganeti says that the spare is lost while a move is under way" {
  local i
  {
    printf 'g|u|preferred||\n\n'
    for i in A:M B:N C:N D:N; do echo "node${i%:*}|4096|0|1096|200|200|4|${i#*:}|u|4"; done
    echo
    for i in A B D; do for n in 1 2 3; do echo "inst$i$n|1000|0|1|running|Y|node$i||ext||1"; done; done
    printf 'instC1|3000|0|3|running|Y|nodeC||ext||3\n\n\n|128,1,1024,1,1,1|128,1,1024,1,1,1;32768,8,1048576,16,8,12|ext|4.0|32.0\n'
  } >saved.data
  capwatch --from ganeti saved.data >facts
  run -0 capplan --objective ganeti --force <facts
  assert_equal "$(moves)" ''
  run -0 jq -r 'select(.kind == "no_beneficial_move").reason' <<<"$output"
  assert_output --partial 'N+1'
  run -0 capplan --objective ganeti --force --spare ignore <facts
  assert_equal "$(moves | wc -l)" 1
}

@test "--objective ganeti empties drained hosts" {
  promised | sed '/"host":"n1"/s/"state":"up"/"state":"up","drained":true/' >facts
  run -0 capplan --objective ganeti --force <facts
  assert_equal "$(moves | wc -l)" 8
  assert_output --partial '"reason":"n1 is drained"'
}

@test "weights are those of the objective, and nonsense is refused" {
  promised >facts
  run -0 capplan --objective ganeti --force --weight servers=0,cpu=0,memory=0,vcpus=0 <facts
  assert_equal "$(moves)" ''
  run -0 capplan --weight cpu=1,memory=0.5 <facts
  for weight in vcpus=1 cpu cpu=x cpu=-1 nothing=1; do
    run -2 --separate-stderr capplan --weight "$weight" <facts
    [[ $stderr == *'read the weights'* ]]
  done
  run -2 capplan --objective fame <facts
}
