#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Empties a host for maintenance, and brings back what was on it:
#
#     maintenance.sh begin h3
#     maintenance.sh end h3
#
# The host is marked as drained in the inventory, so that nothing is placed there meanwhile.
set -euo pipefail
inventory=${RACKLINE_INVENTORY:-/etc/rackline/inventory.jsonl}
state=${STATE_DIRECTORY:-/var/lib/rackline}

mark() { # HOST true|false
  jq -c --arg host "$1" --argjson drained "$2" 'if .host == $host then .drained = $drained else . end' "$inventory" \
    >"$inventory.new"
  mv "$inventory.new" "$inventory"
}

case ${1:-} in
begin)
  host=${2:?which host?}
  mkdir -p "$state"
  mark "$host" true
  # Beside the results on the terminal, a copy of what was moved.
  capwatch | capplan evacuate "$host" | migrate -o json | tee -a "$state/maintenance-$host.jsonl"
  ;;
end)
  host=${2:?which host?}
  moved=$state/maintenance-$host.jsonl
  mark "$host" false
  # The same moves the other way round: a plan is only a stream of records. Where a server is now is checked by migrate.
  jq -c 'select(.kind == "vm_moved" and .outcome == "done" and .planned != true)
         | {kind: "vm_move", time, tool: "maintenance.sh", id: (.id + "-back"), vm, from: .to, to: .from,
            stage: 1, memory_bytes, reason: "back after maintenance"}' "$moved" >"$moved.back"
  jq -nc '{kind: "end", time: (now | todate), tool: "maintenance.sh", outcome: "ok"}' >>"$moved.back"
  migrate <"$moved.back"
  rm "$moved" "$moved.back"
  ;;
*)
  echo "usage: maintenance.sh begin|end HOST" >&2
  exit 2
  ;;
esac
