# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of fence on a real cluster: what heartbeat would say, and the world as the lab tells it.

# Set whenever the file is loaded, since helper.bash takes everything of that name away.
RACKLINE_LAB=${BATS_TEST_FILENAME##*/}
RACKLINE_LAB=$(basename "$(dirname "$BATS_TEST_FILENAME")")-${RACKLINE_LAB%.bats}-${BATS_RUN_TMPDIR##*-}
export RACKLINE_LAB=${RACKLINE_LAB,,}

lab() { "$REPO/lab/lab" "$@"; }

# A command on the cluster's management machine.
on_cluster() { timeout 300 "$REPO/lab/lab" exec -- "$@"; }

# down HOST: what heartbeat says when it is dead.
down() {
  jq -nc --arg host "$1" --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '{kind:"host_down",time:$time,tool:"heartbeat",id:("d-"+$host),cause:("c-"+$host),
    host:$host,verdict:"dead",net:"silent",store:"silent",libvirt:"timeout",silent_ms:3000}'
}
finish() { echo '{"kind":"end","time":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'","tool":"heartbeat","outcome":"ok"}'; }

# A field of a host's result in $output, which bats sets.
# shellcheck disable=SC2154
result() { jq -r --arg host "$1" "select((.kind==\"host_fenced\" or .kind==\"host_not_fenced\") and .host==\$host) | $2" <<<"$output"; }
# shellcheck disable=SC2154
results() { jq -r 'select(.kind=="host_fenced" or .kind=="host_not_fenced") | [.host, .outcome // "fenced"] | join(" ")' <<<"$output" | sort; }

power() { lab status | awk -v host="$1" '$1 == host { print $3 }'; }
mark() { on_cluster fence status "$1" 2>/dev/null | jq -r 'select(.kind=="host_power") | .mark // "none"'; }

# All hosts on, all BMCs well, no marks and no journal: as it was in the beginning.
as_new() {
  local host
  # shellcheck disable=SC2016
  on_cluster bash -c 'rm -f "${RACKLINE_STORE#sqlite:}"*'
  for host in $(lab inventory | jq -r .host); do
    lab bmc "$host" ok >&2
    lab heal --bmc "$host" >&2
    lab thaw "$host" >&2 || true
    [ "$(power "$host")" != off ] || lab boot "$host" >&2
  done
}
