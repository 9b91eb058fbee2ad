#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random recurrences over ten years, in zones of both hemispheres, beside Python's zoneinfo: how many differ, and how
# fast each is. Needs python3 and tzdata.
#
#     bench/recurrences.sh [COUNT [SEED]]      100000, 7
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

count=${1:-100000} seed=${2:-7}
build=${RACKLINE_BUILD:-$PWD/build}
python3 bench/recurrences.py make "$count" "$seed" >"$scratch/rules"
ours() { "$build/bench/recurrences" <"$scratch/rules"; }
python() { python3 bench/recurrences.py times <"$scratch/rules"; }

heading "$count recurrences"
mine=$(seconds ours) && mv "$scratch/out" "$scratch/ours"
theirs=$(seconds python) && mv "$scratch/out" "$scratch/python"
row "times in all" "$(tr ' ' '\n' <"$scratch/python" | grep -c -- -)"
row "recurrences whose times differ" "$(paste -d '|' "$scratch/ours" "$scratch/python" | awk -F '|' '$1 != $2' | wc -l)"
row "ours" "$(calc "$count / $mine" 0)" recurrences/s
row "Python's zoneinfo" "$(calc "$count / $theirs" 0)" recurrences/s
row "ratio, ours : zoneinfo" "$(calc "$theirs / $mine" 1)"
cmp "$scratch/ours" "$scratch/python"
