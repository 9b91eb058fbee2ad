# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of failover on a real cluster: deaths, proofs, and the world as the hypervisors and the
# guests tell it. After helper.bash and migrate.bash.

# The file of the store that programs on the cluster use.
state() {
  local url
  url=$(on_cluster printenv RACKLINE_STORE) && echo "${url#sqlite:}"
}

# proof HOST ID: what fence leaves and writes once it has proven the host to be off: the mark, and the record.
proof() {
  sqlite3 "$(state)" ".timeout 5000" "BEGIN IMMEDIATE;
    UPDATE revision SET last = last + 1;
    INSERT OR REPLACE INTO entry VALUES ('fence/$1',
      '{\"id\":\"$2\",\"cause\":\"c-$2\",\"method\":\"manual\",\"time\":\"2026-11-22T12:00:00Z\",\"state\":\"fenced\"}',
      (SELECT last FROM revision)); COMMIT" >/dev/null
  echo '{"kind":"host_fenced","time":"2026-11-22T12:00:00Z","tool":"fence","id":"'"$2"'","cause":"c-'"$2"'","host":"'"$1"'","method":"manual","verified":true}'
}
finish() { echo '{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"fence","outcome":"ok"}'; }

marked() { sqlite3 "$(state)" "SELECT count(*) FROM entry WHERE key = 'fence/$1'"; }


# A field of the virtual server's last result in $output, which bats sets.
# shellcheck disable=SC2154
result() { jq -rs --arg vm "$1" "[.[]|select((.kind|startswith(\"vm_\")) and .vm==\$vm)]|last|$2" <<<"$output"; }

# A libvirtd that has just been started asks its QEMU what it can before it answers anybody: seconds, on a busy
# machine more than failover waits for a host.
warm() { on_cluster capwatch --window 0 --timeout 60s >/dev/null; }

boot() { lab boot "$1" >&2 && warm; }
