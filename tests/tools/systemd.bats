# SPDX-License-Identifier: Apache-2.0
# The command lines of the systemd units, run as systemd would; its own check of them is among the tests of the package.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

units=$REPO/packaging/systemd

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  mkdir bin state logs
  export LOGS_DIRECTORY=$PWD/logs STATE_DIRECTORY=$PWD/state
}

# What the unit gives to the shell.
script() { sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$units/$1" | sed -n "s/^ExecStart=[^ ]* -c '\\(.*\\)'\$/\\1/p"; }

# A program that waits, and on a signal takes its time to end in order.
patient() { # NAME
  cat >"bin/$1" <<END
#!/bin/bash
n=0
trap 'n=\$((n + 1)); echo "$1 \$n" >>"$PWD/said"' TERM
echo "$1 begins" >>"$PWD/said"
until [ \$n -gt 0 ]; do sleep 0.1; done
for i in 1 2 3 4 5; do sleep 0.1; done
END
  chmod +x "bin/$1"
}

@test "a service that is stopped is given the time to end in order what it has in hand" {
  local unit program deadline
  for program in heartbeat fence failover capwatch capplan migrate; do patient "$program"; done
  for unit in rackline-failover rackline-balance; do
    rm -f said
    PATH=$PWD/bin:$PATH setsid bash -c "$(script "$unit.service")" 3>&- &
    local main=$!
    deadline=$((SECONDS + 20))
    until [ "$(grep -c begins said 2>/dev/null)" = 3 ]; do
      ((SECONDS < deadline)) || fail "$unit does not begin: $(cat said)"
      sleep 0.1
    done
    # systemd signals all processes, and those that are left once more when the main one has ended.
    kill -TERM -- "-$main"
    local status=0
    wait "$main" || status=$?
    kill -TERM -- "-$main" 2>/dev/null || true
    assert_equal "$unit $status" "$unit 143"
    assert_equal "$(grep -c ' 1$' said)" 3
    run ! grep -q ' 2$' said
  done
}

@test "an agent that nobody has told where its watchers are does not begin, and says so" {
  run -2 --separate-stderr bash -c "$(script rackline-agent.service)"
  assert_regex "$stderr" 'neither --watcher nor --slots'
  assert grep -qx RestartPreventExitStatus=2 "$units/rackline-agent.service"
}

@test "services that hold keys are shut in: what they may write, call and open, and no core" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  local unit line
  for unit in rackline-agent rackline-failover; do
    for line in ProtectSystem=strict NoNewPrivileges=yes PrivateTmp=yes SystemCallFilter=@system-service LimitCORE=0; do
      grep -qx "$line" "$units/$unit.service" || fail "$unit has no $line"
    done
    # Where the slots are is for the admin to say; the usual places are open.
    grep -qx 'ReadWritePaths=.*-/srv .*-/var/lib/libvirt' "$units/$unit.service" || fail "$unit cannot write to the storage"
    run -0 systemd-analyze security --offline=yes --threshold=40 "$units/$unit.service"
  done
}
