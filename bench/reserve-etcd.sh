#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As reserve-stress, on an etcd of three members whose leader is killed in the middle, read afterwards by plain SQL; then
# how many transactions a second, beside etcd's own rate of the very same transactions: one after the other by
# compare-and-swap, as any ledger needs them, and blindly and all at once, as its own benchmark does.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh
# shellcheck source=tests/reserve.bash
. tests/reserve.bash
# shellcheck source=tests/etcd.bash
. tests/etcd.bash

seconds=${1:-60}
processes=${2:-64}
load=${RACKLINE_BUILD:-$PWD/build}/bench/reserve-load
export BATS_TEST_TMPDIR=$scratch ETCDCTL_API=3
at_exit+=(etcd_stop)
etcd_start
endpoints=${ETCD_URL#etcd://}

pools() { # PREFIX CPUS
  local store=$ETCD_URL/$1
  reserve --store "$store" pool add rack --capacity cpu="$2",memory=8TiB
  reserve --store "$store" pool add web --parent rack --capacity cpu=$(($2 * 3 / 10)),memory=1TiB
  reserve --store "$store" pool add db --parent rack --capacity cpu=$(($2 * 3 / 10)),memory=1TiB --never-lent cpu=10
}
leader() { # the number of the member that leads
  local n status
  for n in 0 1 2; do
    status=$(curl -s --noproxy '*' -X POST -d '{}' "http://127.0.0.1:${etcd_clients[n]}/v3/maintenance/status")
    if jq -e '.header.member_id == .leader' <<<"$status" >/dev/null; then echo "$n"; fi
  done
}
to_sqlite() { # PREFIX FILE: the entries, as the other kind of store has them
  sqlite3 "$2" 'CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL)'
  etcdctl --endpoints "$endpoints" get --prefix "$1/kv/" -w json |
    jq -r '.kvs[] | [(.key | @base64d | sub("^[^/]*/kv/"; "")), (.value | @base64d)] | @csv' |
    sqlite3 -csv "$2" '.import /dev/stdin entry'
}

heading "$processes processes on one ledger in etcd for $seconds s, ten of them killed each second, the leader after half"
pools small 300 >"$scratch/out"
(sleep $((seconds / 2)) && kill -KILL "${etcd_pids[$(leader)]}") &
killed=$("$load" ledger "$ETCD_URL/small" "$scratch/small.log" "$processes" "$seconds" 10)
{ wait $!; } 2>/dev/null # the shell tells of the member that was killed
to_sqlite small "$scratch/small.db"
row "transactions, processes killed" "$(grep -vc '^error' "$scratch/small.log"), $killed" ""
row "gave up, because it was not their turn in time" "$(grep -c '^error' "$scratch/small.log" || true)" ""
row "instants at which more is granted than there is" "$(over_granted "$scratch/small.db" | wc -l)" "(target 0)"
row "acknowledged, and not in the ledger" "$(grep -v '^error' "$scratch/small.log" | tr ' ' '\n' | grep . | not_in_ledger "$scratch/small.db" | wc -l)" "(target 0)"
reserve --store "$ETCD_URL/small" check >"$scratch/out"
row "reserve check" "$(jq -r 'select(.kind == "ledger_check") | if .sound then "sound" else "faults" end' "$scratch/out")" ""
for n in 0 1 2; do kill -0 "${etcd_pids[n]}" 2>/dev/null || etcd_member $n; done
until [ "$(leader)" ]; do sleep 0.2; done

heading "Transactions a second by $processes processes on three members, in three rounds"
pools large 20000 >"$scratch/out"
each=$((seconds / 6 + 1))
for round in 1 2 3; do
  "$load" ledger "$ETCD_URL/large" "$scratch/ledger.$round" "$processes" $each 0 >"$scratch/out"
  for peer in swap etcd; do
    "$load" $peer "$ETCD_URL" "$scratch/$peer.$round" "$processes" $each "$scratch/ledger.$round.transactions" >"$scratch/out"
  done
  for what in ledger swap etcd; do
    calc "$(grep -vc '^error' "$scratch/$what.$round") / $each" 1 >>"$scratch/$what.rates" && echo >>"$scratch/$what.rates"
  done
done
ours=$(median <"$scratch/ledger.rates") swap=$(median <"$scratch/swap.rates") blind=$(median <"$scratch/etcd.rates")
row "reserve: claim, extend, borrow, release" "$ours" "transactions/s"
row "etcd alone, by compare-and-swap" "$swap" "transactions/s"
row "etcd alone, blindly and all at once" "$blind" "transactions/s"
row "ratio to compare-and-swap (target at least 0.5)" "$(calc "$ours / $swap" 2)" ""
row "ratio to blind writes" "$(calc "$ours / $blind" 2)" ""
to_sqlite large "$scratch/large.db"
[ -z "$(over_granted "$scratch/large.db")" ]
