#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A filter on a million records of 268 bytes: capplan check beside jq.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

count=${1:-1000000}
samples=$scratch/samples.jsonl
# A thousand records a round: 20 hosts, 979 virtual servers, and the round's end; every line 268 bytes with its end.
awk -v count="$count" 'BEGIN {
  head = "\"time\":\"2026-11-22T12:05:00Z\",\"tool\":\"capwatch\","
  for (i = 0; i < count; i++) {
    k = i % 1000
    if (k < 20)
      line = sprintf("{\"kind\":\"host_sample\",%s\"host\":\"h%02d\",\"state\":\"up\",\"cpus\":64,\"cpu_percent\":%d.5,\"vcpus_allocated\":98,\"memory_bytes\":549755813888,\"memory_used_bytes\":274877906944,\"memory_allocated_bytes\":210453397504", head, k, 40 + (k * 7 + i / 1000) % 20)
    else if (k < 999)
      line = sprintf("{\"kind\":\"vm_sample\",%s\"vm\":\"vm%04d\",\"host\":\"h%02d\",\"state\":\"running\",\"uuid\":\"00000000-0000-4000-8000-%012d\",\"domain_id\":%d,\"vcpus\":2,\"cpu_cores\":0.%03d,\"cpu_percent\":%d,\"memory_bytes\":4294967296", head, k, k % 20, k, k, i % 1000, i % 50)
    else
      line = sprintf("{\"kind\":\"round_end\",%s\"round\":%d,\"hosts\":20,\"hosts_up\":20,\"vms\":979", head, i / 1000 + 1)
    pad = 268 - 1 - 1 - length(line) - length(",\"note\":\"\"")
    line = line ",\"note\":\"" substr("................................................................................................................................................................", 1, pad) "\"}"
    print line
  }
  print "{\"kind\":\"end\"," head "\"outcome\":\"ok\"}"
}' >"$samples"
head -20000 "$samples" | sed 's/,"note":"\.*"}$/}/' >"$scratch/small.jsonl"
echo '{"kind":"end","time":"2026-11-22T12:05:00Z","tool":"capwatch","outcome":"ok"}' >>"$scratch/small.jsonl"

heading "A filter on $count records ($(stat -c %s "$samples") bytes)"
: >"$scratch/ours" && : >"$scratch/peer"
for _ in 1 2 3; do
  seconds bash -c "capplan check <$samples" >>"$scratch/ours" && echo >>"$scratch/ours"
  seconds bash -c "jq -c . <$samples" >>"$scratch/peer" && echo >>"$scratch/peer"
done
ours=$(grep . "$scratch/ours" | median)
peer=$(grep . "$scratch/peer" | median)
row "capplan check" "$(calc "$count / $ours" 0)" "records/s ($ours s)"
row "jq -c ." "$(calc "$count / $peer" 0)" "records/s ($peer s)"
row "ratio, capplan : jq (target at least 20)" "$(calc "$peer / $ours" 1)"
row "memory, capplan check, $count records" "$(peak_mib bash -c "exec capplan check <$samples")" MiB
row "memory, capplan check, 20000 records" "$(peak_mib bash -c "exec capplan check <$scratch/small.jsonl")" MiB
