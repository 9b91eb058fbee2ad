#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The ROADEF/EURO 2012 machine reassignment problem, set A, beside the best costs that are quoted: the lower of the
# literature's and of what the challenge's winner comes to in 30 s with two processes on two cores (its mean gap
# is 0.58 %). And one large instance of our own: reading and the first improvement, memory.
#
#     bench/roadef.sh [SECONDS [INSTANCE...]]      RACKLINE_JOBS=2: two instances at a time
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

budget=${1:-30}
[ $# = 0 ] || shift
data=${RACKLINE_DATA:-../shared/data}/roadef2012
if [ ! -d "$data" ]; then
  echo "skipped: there is no $data (RACKLINE_DATA names where it is)"
  exit 0
fi
declare -A best=([a1_1]=44306501 [a1_2]=777532896 [a1_3]=583005717 [a1_4]=252728589 [a1_5]=727578309
  [a2_1]=198 [a2_2]=762962585 [a2_3]=1235784877 [a2_4]=1681353943 [a2_5]=336170182)
[ $# -gt 0 ] || set -- a1_1 a1_2 a1_3 a1_4 a1_5 a2_1 a2_2 a2_3 a2_4 a2_5

search() { # INSTANCE
  roadef-bench --model "$data/model_$1.txt" --initial "$data/assignment_$1.txt" --budget "$budget" --seed 1 \
    --out "$scratch/$1.new" >"$scratch/$1.txt"
}
export -f search
export data budget scratch
printf '%s\n' "$@" | xargs -P "${RACKLINE_JOBS:-1}" -I{} bash -c 'search {}'

heading "ROADEF/EURO 2012, $budget s, one core each"
printf '  %-8s %14s %14s %14s %10s %6s\n' instance start ours best "gap, %" valid
for name in "$@"; do
  awk -v name="$name" -v best="${best[$name]}" '
    { value[$1] = $2 }
    END { printf "  %-8s %14.0f %14.0f %14.0f %10.3f %6s\n", name, value["start"], value["cost"], best,
            100 * (value["cost"] - best) / value["start"], value["valid"] }' "$scratch/$name.txt"
done | tee "$scratch/table"
row "mean gap, % (target 0.3 at 30 s, 0.15 at 300 s)" "$(awk '{ sum += $5 } END { printf "%.3f", sum / NR }' "$scratch/table")"

heading "1,000 machines, 50,000 processes"
roadef-generate --machines 1000 --processes 50000 --services 20000 --locations 50 --dependencies 40000 \
  --model "$scratch/model" --initial "$scratch/initial"
command time -f %M -o "$scratch/peak" roadef-bench --model "$scratch/model" --initial "$scratch/initial" \
  --budget "$budget" --seed 1 --out "$scratch/new" >"$scratch/out"
row "start" "$(awk '$1 == "start" { print $2 }' "$scratch/out")"
row "cost" "$(awk '$1 == "cost" { print $2 }' "$scratch/out")" "valid: $(awk '$1 == "valid" { print $2 }' "$scratch/out")"
row "until the first improvement (target 5)" "$(awk '$1 == "first" { print $3 }' "$scratch/out")" s
row "whole run" "$(awk '$1 == "seconds" { print $2 }' "$scratch/out")" "s of $budget"
row "memory (target 1024)" "$(calc "$(tail -1 "$scratch/peak") / 1024" 0)" MiB
