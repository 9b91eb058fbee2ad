#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# capwatch on three real hosts with 12 virtual servers, with one of them frozen, and on 100 libvirt test-driver hosts
# with 5,000 virtual servers; beside a loop of virsh that fetches the same statistics.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

export RACKLINE_LAB=bench-sampling-$$
at_exit+=("lab/lab down")
lab() { lab/lab "$@"; }

heading "Sampling 3 real hosts with 12 virtual servers (one round, no window for rates)"
lab up >/dev/null 2>&1
names=()
for i in {1..12}; do
  lab vm create "vm$i" --host "h$((i % 3 + 1))" >/dev/null
  names+=("vm$i")
done
lab vm wait "${names[@]}" --timeout 180
virsh_loop() {
  # shellcheck disable=SC2016
  lab exec -- bash -c 'jq -r .uri "$RACKLINE_INVENTORY" | while read -r uri; do virsh -c "$uri" nodeinfo; virsh -c "$uri" nodememstats; virsh -c "$uri" domstats; done'
}
once() { lab exec -- capwatch --window 0; }
for _ in 1 2 3 4 5; do
  seconds once >>"$scratch/ours" && echo >>"$scratch/ours"
  seconds virsh_loop >>"$scratch/peer" && echo >>"$scratch/peer"
done
once >"$scratch/records"
row "virtual servers seen" "$(grep -c '"kind":"vm_sample"' "$scratch/records")" ""
row "capwatch" "$(median <"$scratch/ours")" s
row "virsh, host after host" "$(median <"$scratch/peer")" s
row "ratio, capwatch : virsh" "$(calc "$(median <"$scratch/ours") / $(median <"$scratch/peer")" 2)" ""

heading "The same with one host's libvirtd frozen, --timeout 2s"
lab freeze --libvirtd h3 >/dev/null
answered() { lab exec -- capwatch --window 0 --timeout 2s | jq -r 'select(.kind=="host_sample") | "  \(.host) \(.state) after \(.elapsed_ms) ms"'; }
row "whole round" "$(seconds answered)" s
cat "$scratch/out"
lab thaw --libvirtd h3 >/dev/null
lab down >/dev/null

heading "100 test-driver hosts, 5,000 virtual servers"
for h in {1..100}; do
  {
    echo '<node><cpu><mhz>3000</mhz><active>64</active></cpu><memory>536870912</memory>'
    for v in {1..50}; do
      printf '<domain type="test"><name>vm%d-%d</name><uuid>%08d-0000-4000-8000-%012d</uuid><memory>4194304</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>\n' "$h" "$v" "$h" "$v"
    done
    echo '</node>'
  } >"$scratch/h$h.xml"
  echo "{\"kind\":\"host\",\"host\":\"t$h\",\"uri\":\"test://$scratch/h$h.xml\"}"
done >"$scratch/inventory.jsonl"
scale() { capwatch --inventory "$scratch/inventory.jsonl" --window 0; }
for _ in 1 2 3; do seconds scale >>"$scratch/scale" && echo >>"$scratch/scale"; done
row "virtual servers seen" "$(grep -c '"kind":"vm_sample"' "$scratch/out")" ""
row "capwatch" "$(median <"$scratch/scale")" s
row "peak memory" "$(peak_mib capwatch --inventory "$scratch/inventory.jsonl" --window 0)" MiB
