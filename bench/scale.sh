#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Balancing as the cluster grows: 50, 500 and 5,000 hosts with 20 virtual servers each, of which a tenth is crowded.
#
#     bench/scale.sh [HOSTS...]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

[ $# -gt 0 ] || set -- 50 500 5000

# Hosts of 64 CPUs and 512 GiB; one in ten has 35 virtual servers, the others what is left.
cluster() { # HOSTS
  awk -v hosts="$1" 'BEGIN {
    srand(7)
    head = "\"time\":\"2026-11-22T12:05:00Z\",\"tool\":\"capwatch\","
    vms = 20 * hosts
    for (v = 0; v < vms; v++) {
      host = v % hosts
      if (rand() < 0.09) host = 10 * int(rand() * int((hosts + 9) / 10))
      cores = int(100 * (0.2 + rand() * rand() * 5)) / 100
      memory = 2 ^ (31 + int(rand() * 4))
      busy[host] += cores; promised[host] += memory; count[host]++
      if (promised[host] > 480 * 2 ^ 30) { host = v % hosts }
      line[v] = sprintf("{\"kind\":\"vm_sample\",%s\"vm\":\"vm%06d\",\"host\":\"h%05d\",\"state\":\"running\",\"uuid\":\"00000000-0000-4000-8000-%012d\",\"domain_id\":%d,\"vcpus\":4,\"cpu_cores\":%.2f,\"memory_bytes\":%.0f}", head, v, host, v, v + 1, cores, memory)
      load[host] += cores; running[host]++
    }
    for (h = 0; h < hosts; h++) {
      percent = 100 * load[h] / 64
      printf "{\"kind\":\"host_sample\",%s\"host\":\"h%05d\",\"state\":\"up\",\"cpus\":64,\"cpu_percent\":%.2f,\"memory_bytes\":%.0f,\"vms_running\":%d}\n", head, h, (percent > 100 ? 100 : percent), 512 * 2 ^ 30, running[h]
    }
    for (v = 0; v < vms; v++) print line[v]
    printf "{\"kind\":\"round_end\",%s\"round\":1,\"hosts\":%d,\"hosts_up\":%d,\"vms\":%d}\n", head, hosts, hosts, vms
    printf "{\"kind\":\"end\",%s\"outcome\":\"ok\"}\n", head
  }'
}

before=
for hosts in "$@"; do
  cluster "$hosts" >"$scratch/samples"
  heading "$hosts hosts, $((20 * hosts)) virtual servers"
  took=$(seconds bash -c "capplan balance --imbalance 0.02 --force <$scratch/samples")
  summary=$(grep '"kind":"plan_summary"' "$scratch/out" | tail -1)
  figure() { sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p" <<<"$summary"; }
  row "score before" "$(figure score_before)"
  row "score after (target: half)" "$(figure score_after)" "lower bound $(figure lower_bound)"
  row "moves" "$(figure moves)"
  row "time (target 30 s at 5000)" "$took" s
  [ -z "$before" ] || row "times the time before" "$(calc "$took / $before" 1)"
  before=$took
done
