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
script() { sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$units/$1" | sed -n "s/^ExecStart=[^ ]* -c '\\(.*\\)'[^']*\$/\\1/p"; }

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
  local command
  command=$(sed -n 's/^ExecStart=//p' "$units/rackline-agent.service")
  run -2 --separate-stderr bash -c "$command"
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
    grep -qx 'ReadWritePaths=.*-/srv .*-/var/lib/libvirt.*' "$units/$unit.service" || fail "$unit cannot write to the storage"
    run -0 systemd-analyze security --offline=yes --threshold=30 "$units/$unit.service"
  done
}

@test "all units have one mode for the directory of the state, and tell a person when they fail" {
  run -0 sort -u <(grep -h ^StateDirectoryMode "$units"/*.service)
  assert_output StateDirectoryMode=0700
  run grep -LE '^OnFailure=rackline-failed@%n.service$' "$units"/*.service
  assert_output "$units/rackline-failed@.service
$units/rackline-person.service"
}

# A program of the administrator, in person.d: NAME, and what it does.
hook() { printf '#!/bin/sh\n%s\n' "$2" >"etc/person.d/$1" && chmod +x "etc/person.d/$1"; }

@test "when a person is needed each program in person.d gets the sentence, whatever the others do" {
  mkdir -p etc/person.d calls
  export RACKLINE_CALLS=$PWD/calls CONFIGURATION_DIRECTORY=$PWD/etc
  hook 10-broken 'exit 1'
  hook 20-mail "cat >>$PWD/mail"
  echo 'not executable' >etc/person.d/30-notes
  # A unit that fails calls as well.
  bash -c "$(script rackline-failed@.service)" failed rackline-balance.service
  echo 'h3 is NOT fenced, a person is needed' >calls/0123
  run -1 --separate-stderr sh -c "$(script rackline-person.service)"
  assert_equal "$(grep -c 'person.d/10-broken has failed' <<<"$stderr")" 2
  assert_equal "$(sort mail)" "h3 is NOT fenced, a person is needed
rackline-balance.service has failed, and a person is needed: systemctl status rackline-balance.service"
  assert [ -z "$(ls -A calls)" ]
  # Without any there is the journal.
  rm etc/person.d/* && echo again >calls/0124
  run -0 sh -c "$(script rackline-person.service)"
  assert [ -z "$(ls -A calls)" ]
}

@test "what was moved before the history was rotated is still history, and the new results are appended" {
  printf '#!/bin/sh\necho samples\n' >bin/capwatch
  # shellcheck disable=SC2016 # its own
  printf '#!/bin/bash\ncat "$3" >"%s/seen"; echo plan\n' "$PWD" >bin/capplan
  printf '#!/bin/sh\ncat >/dev/null; echo result\n' >bin/migrate
  chmod +x bin/*
  PATH=$PWD/bin:$PATH run -0 bash -c "$(script rackline-balance.service)"
  assert_equal "$(cat seen)" ''
  mv state/moved.jsonl state/moved.jsonl.1
  PATH=$PWD/bin:$PATH run -0 bash -c "$(script rackline-balance.service)"
  PATH=$PWD/bin:$PATH run -0 bash -c "$(script rackline-balance.service)"
  assert_equal "$(cat seen)" $'result\nresult'
  assert_equal "$(cat state/moved.jsonl)" $'result\nresult'
}

@test "reserve apply is repeated, and what is as it should be is not written down" {
  cat >bin/reserve <<'END'
#!/bin/sh
echo '{"kind":"reservation_applied","vm":"a","outcome":"already"}'
[ -z "$DRIFT" ] || echo '{"kind":"reservation_applied","vm":"b","outcome":"drift"}'
exit ${DRIFT:-0}
END
  chmod +x bin/reserve
  PATH=$PWD/bin:$PATH run -0 bash -c "$(script rackline-reserve.service)"
  assert_equal "$(cat logs/reserve.jsonl)" ''
  DRIFT=3 PATH=$PWD/bin:$PATH run -3 bash -c "$(script rackline-reserve.service)"
  assert_equal "$(jq -r .vm logs/reserve.jsonl)" b
}

@test "the rules for logrotate are sound, and a service that runs goes on in the new file" {
  command -v logrotate >/dev/null || skip "no logrotate"
  sed "s|/var/log/rackline|$PWD/logs|g; s|/var/lib/rackline|$PWD/state|" "$REPO/packaging/rackline.logrotate" >rules
  chmod 644 rules && chmod 700 logs state
  heartbeat key key && heartbeat key --key-file key --host h1 h1.key
  heartbeat beat --host h1 --watcher 127.0.0.1:1 --key-file h1.key --run-dir "$PWD" --self-fence 0 \
    --append "$PWD/logs/agent.jsonl" 3>&- 2>said &
  local agent=$!
  sleep 0.5
  echo before >>logs/agent.jsonl
  run -0 logrotate --force --state "$PWD/rotated" rules
  assert_output ''
  kill "$agent" && { wait "$agent" || true; }
  assert_equal "$(cat logs/agent.jsonl.1)" before
  assert_equal "$(jq -r .outcome logs/agent.jsonl)" interrupted
}
