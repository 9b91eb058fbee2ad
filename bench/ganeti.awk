# SPDX-License-Identifier: Apache-2.0
# A cluster in Ganeti's text format as a round of samples. Fields: htools(1), "text backend".
BEGIN { FS = "|"; section = 0; time = "2026-01-01T00:00:00Z" }
/^$/ { section++; next }
function head(kind) { return "{\"kind\":\"" kind "\",\"time\":\"" time "\",\"tool\":\"bench\"" }
section == 1 {
  nodes[++n] = $0
  next
}
section == 2 {
  if ($5 ~ /^ADMIN_down|^ADMIN_offline/) next
  printf "%s,\"vm\":\"%s\",\"host\":\"%s\",\"state\":\"running\",\"domain_id\":1,\"vcpus\":%d,\"memory_bytes\":%.0f%s}\n", \
    head("vm_sample"), $1, $7, $4, $2 * 1048576, exclusion($10)
  memory[$7] += $2
  count[$7]++
}
# Only for exclusion tags: an instance carries "service-group:dns", the cluster "htools:iextags:service-group".
function exclusion(tags,   i, k, parts) {
  k = split(tags, parts, ",")
  for (i = 1; i <= k; i++) if (prefix != "" && index(parts[i], prefix ":") == 1) return ",\"anti_affinity\":\"" parts[i] "\""
  return ""
}
END {
  for (i = 1; i <= n; i++) {
    split(nodes[i], f, "|")
    printf "%s,\"host\":\"%s\",\"state\":\"up\",\"cpus\":%d,\"memory_bytes\":%.0f,\"memory_reserve_bytes\":%.0f,\"vms_running\":%d,\"cpu_overcommit\":%s,\"drained\":%s}\n", \
      head("host_sample"), f[1], f[7], f[2] * 1048576, (f[2] - f[4] - memory[f[1]]) * 1048576, count[f[1]], ratio, f[8] == "Y" ? "true" : "false"
  }
  printf "%s,\"round\":1}\n%s,\"outcome\":\"ok\"}\n", head("round_end"), head("end")
}
