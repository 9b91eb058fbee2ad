# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of heartbeat on the loopback: agents and watchers as processes, hosts of libvirt's test driver and
# ones that do not answer. After helper.bash.

setup() { begin; }

# A directory with a store, an inventory and the watchers' key.
begin() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory RACKLINE_HEARTBEAT_KEY_FILE=$PWD/key
  started=()
  slots=slots interval=200ms
  mkdir slots
  heartbeat key key
  port=20000 # nobody else's: tests/alone
  { host h1 && host h2 && host h3; } >inventory
}

teardown() {
  local pid
  for pid in "${started[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

host() { echo '{"kind":"host","host":"'"$1"'","uri":"'"${2:-test:///default}"'"}'; }

# A host of which the kernel accepts connections, and nothing else ever answers.
mute_host() { # NAME
  local line
  exec 7< <(exec socat -d -d TCP-LISTEN:0,bind=127.0.0.1 - 2>&1 >/dev/null)
  started+=("$!")
  read -r line <&7
  kill -STOP "$!"
  host "$1" "qemu+tcp://127.0.0.1:${line##*:}/system"
}

# The file with the key of a host.
key_of() { # HOST
  [ -e "$1.key" ] || heartbeat key --host "$1" "$1.key" >&2
  echo "$1.key"
}

agent() { # NAME [OPTIONS...]; its process id in $pid
  heartbeat beat --host "$1" --key-file "$(key_of "$1")" --watcher "127.0.0.1:$port" --uri test:///default \
    --interval "$interval" --slots "$slots" --qemu-run-dir "$PWD" "${@:2}" >>"beat-$1" 2>>"beat-$1.err" &
  pid=$!
  started+=("$pid")
}

watcher() { # [OPTIONS...]; its process id in $pid
  heartbeat watch --listen "127.0.0.1:$port" --slots "$slots" --interval "$interval" --suspect-after 800ms --dead-after 1500ms \
    --start-grace 2s "$@" >watched 2>watched.err &
  pid=$!
  started+=("$pid")
}

# The verdict that stands: that of the host's last record.
verdict() { jq -r --arg host "$1" 'select(.host == $host) | .kind' watched | tail -1; }

await() { # HOST KIND
  local deadline=$((SECONDS + 20))
  until [ "$(verdict "$1")" = "$2" ]; do
    ((SECONDS < deadline)) || fail "$1 is not $2: $(cat watched watched.err)"
    sleep 0.1
  done
}

all_up() {
  local h
  for h in h1 h2 h3; do agent "$h"; done
  watcher "$@"
  for h in h1 h2 h3; do await "$h" host_up; done
}
