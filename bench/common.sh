# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the benchmarks: figures are medians over alternating rounds, and ratios come from one run on one machine.

PATH=${RACKLINE_BUILD:-$PWD/build}/bin:$PATH
scratch=$(mktemp -d "${TMPDIR:-/tmp}/rackline-bench.XXXXXX")
at_exit=()
cleanup() {
  local command
  for command in "${at_exit[@]}"; do $command >/dev/null 2>&1 || true; done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT

heading() { printf '\n%s\n' "$*"; }
row() { printf '  %-52s %12s %s\n' "$@"; }
median() { sort -g | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
maximum() { sort -g | tail -1; }
calc() { awk "BEGIN {printf \"%.${2:-3}f\", $1}"; }

# Seconds that a command took; its output goes to the file $scratch/out.
seconds() {
  local from=$EPOCHREALTIME
  "$@" >"$scratch/out" 2>"$scratch/err" || true
  calc "$EPOCHREALTIME - $from" 4
}

# Peak memory of a command in MiB.
peak_mib() {
  command time -f %M -o "$scratch/peak" "$@" >/dev/null 2>&1 || true
  calc "$(tail -1 "$scratch/peak") / 1024" 1
}
