#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sixty-four processes that claim, extend, borrow and release at once, some of which are killed at random, on a ledger
# that is too small for all of them, read afterwards by plain SQL; then, on one with room for all, how many a second,
# beside SQLite's own rate of the very same transactions in the same file.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh
# shellcheck source=tests/reserve.bash
. tests/reserve.bash

seconds=${1:-60}
processes=${2:-64}
load=${RACKLINE_BUILD:-$PWD/build}/bench/reserve-load

# pools NAME CPUS: a rack and two parts of it that lend to each other.
pools() {
  local store=sqlite:$scratch/$1.db
  reserve --store "$store" pool add rack --capacity cpu="$2",memory=8TiB
  reserve --store "$store" pool add web --parent rack --capacity cpu=$(($2 * 3 / 10)),memory=1TiB
  reserve --store "$store" pool add db --parent rack --capacity cpu=$(($2 * 3 / 10)),memory=1TiB --never-lent cpu=10
}

heading "$processes processes on one ledger for $seconds s, ten of them killed each second"
pools small 300 >"$scratch/out"
killed=$("$load" ledger "sqlite:$scratch/small.db" "$scratch/small.log" "$processes" "$seconds" 10)
row "transactions, processes killed" "$(grep -vc '^error' "$scratch/small.log"), $killed" ""
row "gave up, because it was not their turn within 10 s" "$(grep -c '^error' "$scratch/small.log" || true)" ""
row "instants at which more is granted than there is" "$(over_granted "$scratch/small.db" | wc -l)" "(target 0)"
row "acknowledged, and not in the ledger" "$(grep -v '^error' "$scratch/small.log" | tr ' ' '\n' | grep . | not_in_ledger "sqlite:$scratch/small.db" | wc -l)" "(target 0)"
reserve --store "sqlite:$scratch/small.db" check >"$scratch/out"
row "reserve check" "$(jq -r 'select(.kind == "ledger_check") | if .sound then "sound" else "faults" end' "$scratch/out")" ""

heading "Durable transactions a second by $processes processes, in three rounds"
: >"$scratch/ours.rates" && : >"$scratch/peer.rates"
pools large 20000 >"$scratch/out"
sqlite3 "$scratch/large.db" 'CREATE TABLE peer (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID'
each=$((seconds / 6 + 1))
for round in 1 2 3; do
  "$load" ledger "sqlite:$scratch/large.db" "$scratch/ours.$round" "$processes" $each 0 >"$scratch/out"
  "$load" sqlite "$scratch/large.db" "$scratch/peer.$round" "$processes" $each "$scratch/ours.$round.transactions" >"$scratch/out"
  calc "$(wc -l <"$scratch/ours.$round") / $each" 1 >>"$scratch/ours.rates" && echo >>"$scratch/ours.rates"
  calc "$(wc -l <"$scratch/peer.$round") / $each" 1 >>"$scratch/peer.rates" && echo >>"$scratch/peer.rates"
done
ours=$(median <"$scratch/ours.rates")
peer=$(median <"$scratch/peer.rates")
row "reserve: claim, extend, borrow, release" "$ours" "transactions/s"
row "SQLite alone, the same transactions" "$peer" "transactions/s"
row "ratio (target at least 0.5)" "$(calc "$ours / $peer" 2)" ""
[ -z "$(over_granted "$scratch/large.db")" ]
