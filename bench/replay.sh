#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Days of real CPU usage on 100 simulated hosts, planned again every five minutes: capplan balance beside (a) a rule
# that knows only a threshold, (b) the imbalance above 0.3 for three rounds, one move a round, and (c) a difference of
# 20 points, one move, six hours of rest. bench/replay.cc says what each does and what is assumed of hosts and servers.
#     bench/replay.sh [FILE...]    files with a row for each server; all in ../shared/data/cpu-usage if none is given
# (b) comes twice: as published it asks of a move that it lowers the imbalance by a tenth, and among 100 hosts no single
# move does, so that it never moves; the comparison is with the rule without that margin.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

[ $# -gt 0 ] || set -- ../shared/data/cpu-usage/*.csv
[ -e "$1" ] || { echo "$1 is absent: nothing to replay" >&2 && exit 0; }
wins=0 worlds=0
for file in "$@"; do
  for load in ${LOADS:-35 40 45}; do
    heading "$(basename "$file" .csv), hosts of a mean load of $load %: means over ${SEEDS:-3} seeds and three placements"
    printf '  %-44s %8s %18s %16s %10s\n' "" "moves" "minutes above 75%" "above 100%" "imbalance"
    for placement in random even promised; do
      for seed in $(seq "${SEEDS:-3}"); do
        "${RACKLINE_BUILD:-build}/bench/replay" --load "$load" --placement "$placement" --seed "$seed" "$file" >"$scratch/world"
        cat "$scratch/world" >>"$scratch/all"
        worlds=$((worlds + 1))
        if awk -F'\t' '
          BEGIN { n = 0 }
          $1 == "capplan" { moves = $2; minutes = $3; next }
          $1 != "none" && $1 != "imbalance_margin" { m[n] = $2; o[n++] = $3 }
          END { for (i = 0; i < n; i++) if (moves >= m[i] || minutes >= o[i]) exit 1 }' "$scratch/world"; then
          wins=$((wins + 1))
        fi
      done
    done
    awk -F'\t' '
      { if (!($1 in count)) name[n++] = $1; count[$1]++; m[$1] += $2; o[$1] += $3; s[$1] += $4; i[$1] += $5 }
      END {
        label["none"] = "no moves at all"
        label["threshold"] = "(a) threshold only"
        label["imbalance"] = "(b) imbalance held, one move a round"
        label["imbalance_margin"] = "(b) as published, with a margin of 0.1"
        label["difference"] = "(c) difference, one move, rest of 6 h"
        label["capplan"] = "capplan balance"
        for (k = 0; k < n; k++) {
          r = name[k]
          printf "  %-44s %8.0f %18.0f %16.0f %10.3f\n", label[r], m[r] / count[r], o[r] / count[r], s[r] / count[r], i[r] / count[r]
        }
      }' "$scratch/all"
    rm "$scratch/all"
  done
done
heading "fewer moves and fewer minutes above 75 % than each of (a), (b), (c): $wins of $worlds worlds"
