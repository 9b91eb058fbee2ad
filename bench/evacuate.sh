#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Evacuating a host of six virtual servers: migrate beside a loop of virsh migrate --live, on the same lab, in
# alternating rounds, to the same targets. Downtimes are the hypervisor's own figures of the finished jobs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

rounds=${1:-3}
export RACKLINE_LAB=bench-evacuate-$$
at_exit+=("lab/lab down")
lab() { lab/lab "$@"; }

heading "Evacuating a host of 6 virtual servers, $rounds rounds each"
lab up >/dev/null 2>&1
names=()
for i in {1..6}; do
  lab vm create "vm$i" --host h1 --dirty-mb 8 --dirty-rate-mbps 4 >/dev/null
  names+=("vm$i")
done
lab vm wait "${names[@]}" --timeout 180

plan() { lab exec -- bash -c "capwatch --window 1s | capplan evacuate $1 2>/dev/null"; }
downtimes() { # of the finished jobs, asked where the guests are now
  local vm host
  while read -r vm host; do
    lab exec -- virsh -c "qemu+tcp://10.77.0.1${host#h}/system" domjobinfo --completed "$vm" | awk '/^Total downtime/ {print $3}'
  done
}
virsh_loop() {
  local vm to
  while read -r vm to; do
    lab exec -- virsh -c qemu+tcp://10.77.0.11/system migrate "$vm" "qemu+tcp://10.77.0.1${to#h}/system" --live --p2p --unsafe --persistent --undefinesource
  done <"$scratch/targets"
}
ours() { lab exec -- bash -c "migrate <$scratch/plan"; }
home() { # everything back to h1
  jq -c 'if .kind == "vm_move" then .id += "-back" | .from as $f | .from = .to | .to = $f | .domain_id = null | .uuid = null else . end' <"$scratch/plan" >"$scratch/back"
  lab exec -- bash -c "migrate <$scratch/back" >"$scratch/back.out" || { cat "$scratch/back.out" && exit 1; }
}
for ((round = 1; round <= rounds; round++)); do
  for way in ours virsh_loop; do
    plan h1 >"$scratch/plan"
    jq -r 'select(.kind=="vm_move") | "\(.vm) \(.to)"' <"$scratch/plan" >"$scratch/targets"
    [ "$(wc -l <"$scratch/targets")" = 6 ] || { echo "the plan moves $(wc -l <"$scratch/targets") of 6" >&2 && exit 1; }
    seconds $way >>"$scratch/$way.s" && echo >>"$scratch/$way.s"
    downtimes <"$scratch/targets" >>"$scratch/$way.down"
    home
  done
done
lab vm verify >"$scratch/verify" || { cat "$scratch/verify" && exit 1; }
for way in ours virsh_loop; do
  row "$way: wall time, median" "$(median <"$scratch/$way.s")" s
  row "$way: longest downtime" "$(maximum <"$scratch/$way.down")" "ms (median $(median <"$scratch/$way.down"))"
done
row "ratio of wall times (target at most 0.7)" "$(calc "$(median <"$scratch/ours.s") / $(median <"$scratch/virsh_loop.s")" 2)" ""
