#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# capplan balance --objective ganeti beside hbal, which judges both: our moves are applied to the cluster's text, and
# hbal prints its own initial score of that. hbal knows no N+1 for shared storage, so that this compares with
# --spare ignore; what a spare host costs is in a row of its own. hbal needs minutes for the larger clusters:
#     bench/ganeti.sh [--cached]    results of earlier runs of hbal on the same cluster are taken from $TMPDIR
#     DATA=DIR                      where saved clusters of Ganeti are
#     LIMIT=SECONDS                 when hbal is given up, 600 if not set
#     SIZES="20x400 ..."            hosts x servers of the generated clusters
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh
command -v hbal >/dev/null || { echo "hbal is not installed: apt-get install ganeti-htools" >&2 && exit 1; }

cached=false
[ "${1:-}" != --cached ] || cached=true
limit=${LIMIT:-600}
data=${DATA:-../shared/data/ganeti-htools}
cache=${TMPDIR:-/tmp}/rackline-hbal
mkdir -p "$cache"

# A cluster whose servers lie unevenly, on hosts of different size: generate HOSTS SERVERS SEED.
generate() {
  awk -v hosts="$1" -v servers="$2" -v seed="$3" 'BEGIN {
    srand(seed)
    split("512 1024 2048 4096 8192", sizes, " ")
    split("1 1 2 2 4 8", vcpus, " ")
    for (i = 0; i < servers; i++) {
      memory[i] = sizes[1 + int(rand() * 5)]
      cpus[i] = vcpus[1 + int(rand() * 6)]
      one = int(rand() * hosts)
      other = int(rand() * hosts)
      where[i] = one < other ? one : other
      used[where[i]] += memory[i]
    }
    print "group-01|uuid-01|preferred||\n"
    for (h = 0; h < hosts; h++) {
      size = h % 5 == 4 ? 393216 : 262144
      printf "node-%04d|%d|512|%d|0|0|%d|N|uuid-01|1\n", h, size, size - 512 - used[h], h % 5 == 4 ? 48 : 32
    }
    print ""
    for (i = 0; i < servers; i++)
      printf "inst-%05d|%d|0|%d|running|Y|node-%04d||ext||1\n", i, memory[i], cpus[i], where[i]
    print "\n\n|128,1,1024,1,1,1|128,1,1024,1,1,1;32768,8,1048576,16,8,12|diskless,sharedfile,rbd,ext|16.0|32.0"
  }'
}

# The cluster with the moves of a plan done: apply CLUSTER PLAN.
apply() {
  jq -r 'select(.kind == "vm_move") | [.vm, .to] | @tsv' "$2" >"$scratch/moves"
  awk -F'|' -v OFS='|' '
    FILENAME == ARGV[1] { split($0, move, "\t"); to[move[1]] = move[2]; next }
    FNR == 1 { pass++; section = 0 }
    /^$/ {
      section++
      if (pass == 2) print
      next
    }
    pass == 1 && section == 2 && $1 in to { free[$7] += $2; free[to[$1]] -= $2 }
    pass == 2 && section == 1 { $4 += free[$1] }
    pass == 2 && section == 2 && $1 in to { $7 = to[$1] }
    pass == 2' "$scratch/moves" "$1" "$1"
}

hbal_of() { # CLUSTER: its steps, score and seconds; "- - SECONDS" when it did not end in time
  local group saved
  group=$(head -1 "$1" | cut -d'|' -f1)
  saved=$cache/$(sha256sum <"$1" | cut -c1-16)-$limit
  if ! $cached || [ ! -s "$saved" ]; then
    local took
    took=$(seconds timeout "$limit" hbal -t "$1" -G "$group")
    awk -v took="$took" '
      /^Initial score|score .*initial/ { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9(]*[0-9.]+[.,)]*$/) score = $i }
      /score improved/ { score = $NF }
      /^Solution length=/ { sub(/.*=/, ""); steps = $0 }
      /Nothing to do/ { steps = 0 }
      END { gsub(/[^0-9.]/, "", score); print steps == "" ? "- -" : steps " " score, took }' "$scratch/out" >"$saved"
  fi
  cat "$saved"
}
judge() { # CLUSTER: the score that hbal sees in it
  hbal -t "$1" -G "$(head -1 "$1" | cut -d'|' -f1)" -l 0 | awk '
    /^Initial score/ { score = $NF }
    /initial score/ { score = $NF }
    END { gsub(/[^0-9.]/, "", score); print score }'
}
plan() { # CLUSTER OPTIONS...: sets took, moves; the plan is in $scratch/plan
  local cluster=$1
  shift
  # shellcheck disable=SC2016 # expanded there
  took=$(seconds bash -c 'capwatch --from ganeti "$0" -o json | capplan --objective ganeti --force -o json "$@"' "$cluster" "$@")
  cp "$scratch/out" "$scratch/plan"
  moves=$(jq -s '[.[] | select(.kind == "vm_move")] | length' "$scratch/plan")
}
least() { # of three runs
  local cluster=$1
  shift
  for _ in 1 2 3; do
    plan "$cluster" "$@"
    echo "$took"
  done | sort -g | head -1
}
legal() { # no node of the applied cluster has less memory than none
  awk -F'|' '/^$/ { section++; next } section == 1 && $4 < 0 { bad = 1 } END { exit bad }' "$1"
}

compare() { # NAME CLUSTER
  local steps score seconds free ours
  read -r steps score seconds < <(hbal_of "$2")
  heading "$1: hbal's score $(judge "$2")"
  if [ "$steps" = - ]; then
    row "hbal" "given up" "after $limit s"
  else
    row "hbal" "$score" "in $steps moves, $seconds s"
  fi
  plan "$2" --spare ignore
  apply "$2" "$scratch/plan" >"$scratch/applied"
  legal "$scratch/applied" || echo "  NOT LEGAL: a node without memory"
  row "capplan, as judged by hbal" "$(judge "$scratch/applied")" "in $moves moves"
  free=$(least "$2" --spare ignore)
  row "capwatch | capplan, seconds" "$free" "$([ "$steps" = - ] && echo "> $(calc "$limit / $free" 0) times as fast" || echo "$(calc "$seconds / $free" 0) times as fast")"
  if [ "$steps" != - ] && [ "$steps" -gt 0 ]; then
    plan "$2" --spare ignore --max-moves "$steps"
    apply "$2" "$scratch/plan" >"$scratch/applied"
    ours=$(judge "$scratch/applied")
    row "capplan with at most hbal's moves" "$ours" "in $moves moves: $(awk "BEGIN {print $ours <= $score + 1e-8 ? \"no worse\" : \"WORSE\"}")"
  fi
  plan "$2"
  apply "$2" "$scratch/plan" >"$scratch/applied"
  row "capplan keeping spare for any host that fails" "$(judge "$scratch/applied")" "in $moves moves"
}

# Room for more of a size, without spare, as hspace asks for its global N+1 for many minutes. A node that the next
# instance would fill to its last byte is full for hspace, and not for capplan: that is all the difference there may be.
room() { # CLUSTER
  local size exact theirs ours
  awk -F'|' -v OFS='|' '/^$/ { section++ } section == 1 && NF > 5 { $5 = $6 = 99999999 } { print }' "$1" >"$scratch/room"
  for size in 1024,1 8192,4 16384,4 32768,4; do
    exact=$(awk -F'|' -v size="${size%,*}" '/^$/ { section++ } section == 1 && NF > 5 && $4 > 0 && $4 % size == 0 { n++ } END { print n + 0 }' "$scratch/room")
    theirs=$(hspace -t "$scratch/room" --machine-readable --no-capacity-checks --static-kvm-node-memory=0 --max-cpu=16 \
      --disk-template=ext --standard-alloc="1024,$size" | sed -n 's/^HTS_ALLOC_INSTANCES=//p')
    ours=$(capwatch --from ganeti "$scratch/room" --assume-cpu 0% |
      capplan headroom --spare ignore --memory-reserve 0 --memory "${size%,*}MiB" --vcpus "${size#*,}" |
      jq 'select(.kind == "headroom").fits')
    row "of ${size%,*} MiB and ${size#*,} virtual CPUs: hspace, capplan" "$theirs" \
      "$ours ($([ $((ours - theirs)) = "$exact" ] && echo "$exact nodes are filled exactly" || echo DIFFERENT))"
  done
}

# A shared-storage reading fits where no instance lies on local disks: those of DRBD and plain ones have disks that
# hbal moves or counts, files without instances have nothing to even out, and two groups are two clusters.
if [ -d "$data" ]; then
  for file in "$data"/*.data; do
    why=$(awk -F'|' '
      /^$/ { section++; next }
      section == 0 { groups++ }
      section == 2 { instances++; if ($9 !~ /^(ext|diskless|sharedfile|rbd|blockdev)$/) disks = $9 }
      END { print (groups > 1 ? "several groups" : !instances ? "no instances" : disks != "" ? "disks of type " disks : "") }' "$file")
    if [ -n "$why" ]; then
      left_out+="  $(basename "$file"): $why"$'\n'
    else
      compare "$(basename "$file" .data)" "$file"
    fi
  done
  heading "left out"
  printf '%s' "${left_out:-}"
else
  echo "$data is absent: no saved clusters" >&2
fi

for size in ${SIZES:-20x400 50x1000 100x2000}; do
  generate "${size%x*}" "${size#*x}" 1 >"$scratch/$size"
  compare "${size%x*} hosts, ${size#*x} servers" "$scratch/$size"
done

heading "How many more fit on 20 hosts with 400 servers"
generate 20 400 1 >"$scratch/20x400"
room "$scratch/20x400"

generate 400 8000 1 >"$scratch/400"
heading "400 hosts, 8,000 servers, without hbal: its score $(judge "$scratch/400")"
plan "$scratch/400" --spare ignore
apply "$scratch/400" "$scratch/plan" >"$scratch/applied"
row "capplan, as judged by hbal" "$(judge "$scratch/applied")" "in $moves moves, $took s"
