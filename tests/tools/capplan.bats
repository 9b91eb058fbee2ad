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
  assert_equal "$(jq -r 'select(.kind == "vm_move").reason' <<<"$output" | sort -u)" 'h1 cpu 90% > 75%'
  assert_equal "$(jq -rs '.[-1] | [.kind, .outcome] | @tsv' <<<"$output")" $'end\tok'
  assert_equal "$(jq -rs '.[-1] | .score_after < .score_before' <<<"$output")" true
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
  assert_equal "$(jq -r '.kind' <<<"$output" | tr '\n' ' ')" 'no_beneficial_move end '
  assert_output --partial 'no host is above 75% cpu or 90% memory'
  run -0 capplan --cpu-threshold 60 < <(one_round 70)
  assert_output --partial '"reason":"h1 cpu 70% > 60%"'
}

@test "check answers by its exit status" {
  run -1 capplan check < <(one_round)
  assert_equal "$(jq -rc 'select(.kind == "balance_check") | [.balanced, .hosts, .vms, .hosts_over]' <<<"$output")" '[false,3,16,1]'
  assert_equal "$(jq -rs '.[-1].outcome' <<<"$output")" ok
  run -0 capplan check < <(one_round 50)
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
  assert_equal "$(jq -r .kind <<<"$output" | uniq | tr '\n' ' ')" 'vm_move round_end end '
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
  assert_equal "$(jq -r '.outcome' <<<"$output")" refused
  [[ $stderr == *'5 of 16 virtual servers would move'*'--force'* ]]
  run -0 capplan --rules rules --force <facts
  assert_equal "$(moves | wc -l)" 5
  run -0 capplan --rules rules --max-moves 2 <facts
  assert_equal "$(moves | wc -l)" 2
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
}

@test "evacuate: several hosts need --force, unknown ones are an error, silent ones cannot be moved from" {
  one_round 50 >facts
  run -4 capplan evacuate h1 h2 <facts
  run -0 capplan evacuate --force h1 h2 < <(sed 's/"memory_bytes":4294967296/"memory_bytes":2147483648/' facts)
  assert_equal "$(moves | cut -f3 | sort -u)" h3
  run -2 capplan evacuate h9 <facts
  run -2 capplan evacuate <facts
  run -3 capplan evacuate h4 < <(host h4 0 | sed 's/"up"/"timeout"/' && cat facts)
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

@test "kinds that it does not know pass through unchanged" {
  line='{"kind":"weather","time":"2026-11-22T12:00:00Z","tool":"x","degrees":  21.50}'
  run -0 capplan < <(echo "$line" && one_round)
  assert_line "$line"
}

@test "an empty stream has nothing to do" {
  run -0 capplan < <(end)
  assert_output --partial '"kind":"no_beneficial_move"'
  run -0 capplan check < <(end)
  run -2 capplan </dev/null
}

@test "silent on stderr when all is well" {
  one_round >facts
  run -0 --separate-stderr capplan <facts
  assert_equal "$stderr" ''
}

@test "a table shows the same moves" {
  run -0 capplan -o table < <(one_round)
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
