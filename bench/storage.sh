#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A week of recorded disks on 8 and 16 unequal simulated arrays, planned again every half hour: by lunbalance beside no
# moves, a scheduler that looks at room alone, a greedy rule that sees every load as it is, and one placement by who
# knows the week. bench/storage/world.h and rules.h say what is assumed.
#     bench/storage.sh [DIR]    a .csv for each disk; ../shared/data/disk-load if none is given. SEEDS=N, 5 if not set
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

disks=${1:-../shared/data/disk-load}
[ -e "$disks" ] || { echo "$disks is absent: nothing to play" >&2 && exit 0; }
for arrays in 8 16; do
  heading "$arrays arrays: sums over ${SEEDS:-5} seeds"
  for seed in $(seq "${SEEDS:-5}"); do
    "${RACKLINE_BUILD:-build}/bin/storage-bench" --disks "$disks" --arrays "$arrays" --seed "$seed"
  done | awk '
    $1 == "policy" { next }
    { if (!($1 in hours)) name[n++] = $1; hours[$1] += $2; moves[$1] += $5; returns[$1] += $6; bytes[$1] += $7 }
    END {
      printf "  %-8s %18s %8s %8s %12s\n", "", "overloaded hours", "moves", "returns", "GiB moved"
      for (i = 0; i < n; i++)
        printf "  %-8s %18.1f %8d %8d %12d\n", name[i], hours[name[i]], moves[name[i]], returns[name[i]], bytes[name[i]]
      printf "  ours / greedy: hours %.2f, bytes %.2f; ours / oracle: hours %.2f\n", hours["ours"] / hours["greedy"],
        bytes["ours"] / bytes["greedy"], hours["ours"] / hours["oracle"]
    }'
done
