#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# capwatch on three real hosts with 12 virtual servers, with one of them frozen, and on 200 libvirt test-driver hosts
# with 4,000 virtual servers on one core; beside a loop of virsh that fetches the same statistics.
#
#     bench/sampling.sh [--scale]      only the 200 hosts, which need no lab
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

sample_real_hosts() {
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
}
[ "${1:-}" = --scale ] || sample_real_hosts

heading "200 test-driver hosts, 4,000 virtual servers, one core"
for h in {1..200}; do
  {
    echo '<node><cpu><mhz>3000</mhz><active>64</active></cpu><memory>536870912</memory>'
    for v in {1..20}; do
      printf '<domain type="test"><name>vm%d-%d</name><uuid>%08d-0000-4000-8000-%012d</uuid><memory>4194304</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>\n' "$h" "$v" "$h" "$v"
    done
    echo '</node>'
  } >"$scratch/h$h.xml"
  echo "{\"kind\":\"host\",\"host\":\"t$h\",\"uri\":\"test://$scratch/h$h.xml\"}"
done >"$scratch/inventory.jsonl"
one_core() { taskset -c 0 "$@"; }
scale() { one_core capwatch --inventory "$scratch/inventory.jsonl" --window 0; }
# Of the test driver a new process knows nothing: in both, reading the XML of the hosts is most of the time.
virsh_scale() {
  local h
  for h in {1..200}; do one_core virsh -q -c "test://$scratch/h$h.xml" 'nodeinfo; domstats'; done
}
for _ in 1 2 3; do seconds scale >>"$scratch/scale" && echo >>"$scratch/scale"; done
cp "$scratch/out" "$scratch/records"
virsh_seconds=$(seconds virsh_scale)
row "virtual servers seen" "$(grep -c '"kind":"vm_sample"' "$scratch/records")" ""
row "capwatch, one round from its start to its end" "$(median <"$scratch/scale")" s
row "virsh, host after host" "$virsh_seconds" s
row "ratio, capwatch : virsh" "$(calc "$(median <"$scratch/scale") / $virsh_seconds" 3)" ""

heading "The same followed: windows, a recording and metrics, one core"
following=(taskset -c 0 capwatch --inventory "$scratch/inventory.jsonl" --window 10ms --follow --interval 500ms
  --span 30s --record "$scratch/recording" --listen 127.0.0.1:0 --count)
"${following[@]}" 20 >"$scratch/followed"
row "rounds" "$(jq -s 'map(select(.kind == "round_end")) | length' "$scratch/followed")" ""
row "median of a later round" "$(jq -r 'select(.kind == "round_end" and .round > 1).elapsed_ms' "$scratch/followed" | median)" ms
row "peak memory after 20 rounds" "$(peak_mib "${following[@]}" 20)" MiB
row "peak memory after 100 rounds" "$(peak_mib "${following[@]}" 100)" MiB
rm -f "$scratch/recording"
"${following[@]}" 60 >/dev/null
replayed() { one_core capwatch --replay "$scratch/recording" --span 30s; }
row "records replayed" "$(wc -l <"$scratch/recording")" ""
row "  in" "$(seconds replayed)" s
