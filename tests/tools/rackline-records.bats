# SPDX-License-Identifier: Apache-2.0
# What every program promises about streams, statuses, configuration and signals, shown on the smallest of them.
# shellcheck disable=SC2154 # stderr and stderr_lines are set by run
load ../helper

time='"time":"2026-11-22T12:00:00Z","tool":"t"'
move='{"kind":"vm_move",'$time',"id":"1","vm":"db1","from":"h1","to":"h2","stage":1,"reason":"r"}'
end='{"kind":"end",'$time',"outcome":"ok"}'

setup() { cd "$BATS_TEST_TMPDIR" || return; }

check() { # reads standard input; stdout is what was counted and the end record, stderr the messages
  timeout 60 rackline-records --check -o json "$@"
}

says() { jq -e "$1" <<<"$output" >/dev/null || fail "$output: not $1"; }

@test "a sound stream: status 0, an end record, nothing on stderr" {
  run -0 --separate-stderr check <<<"$move"$'\n'"$end"
  says '.kind == "end" and .tool == "rackline-records" and .outcome == "ok" and .records == 1'
  says '(.time | fromdate) > 1600000000'
  assert_equal "$stderr" ''
}

@test "a stream without its end was cut off: status 1, and why" {
  run -1 --separate-stderr check <<<"$move"
  says '.outcome == "failed" and .records == 1'
  assert_equal "$stderr" "rackline-records: check the stream: no end record: its producer died, or it was cut off"
  run -1 check </dev/null
  run -1 check <<<"$end"$'\n'"${move:0:30}"
}

@test "broken lines are told with number and reason, left out and counted" {
  run -1 --separate-stderr check <<END
$move
{"kind":"vm_move",$time}

{"kind":"unknown","x":
$move}
{"kind":"vm_move",$time,"id":"1","id":"2","vm":"db1","from":"h1","to":"h2","stage":1,"reason":"r"}
{"kind":"host","host":"h1","uri":7}
$end
END
  says '.skipped == 5'
  assert_equal "${#stderr_lines[@]}" 5
  local line=("${stderr_lines[@]#rackline-records: read records: stdin: line }")
  assert_equal "${line[0]}" '2: no field "vm"'
  assert_regex "${line[1]}" '^4: broken record'
  assert_regex "${line[2]}" '^5: broken record'
  assert_equal "${line[3]}" '6: field "id" is given twice'
  assert_equal "${line[4]}" '7: field "uri": expected a string'
}

@test "blank lines, CRLF, any order, unknown fields, unknown kinds and a missing last newline are no mistakes" {
  printf '\r\n%s\r\n\n   \n{"x":[{}],"outcome":"ok","tool":"t","kind":"end","time":"2026-11-22T12:00:00Z"}' "$move" >stream
  run -0 --separate-stderr check stream
  assert_equal "$stderr" ''
  run -0 --separate-stderr check <<<'{"kind":"from_tomorrow"}'$'\n'"$end"
  assert_equal "$stderr" ''
  says '.records == 1'
  run -0 --separate-stderr check -v <<<'{"kind":"from_tomorrow"}'$'\n'"$end"
  assert_regex "$stderr" 'line 1: unknown kind "from_tomorrow"'
}

@test "numbers as jq writes them" {
  local number
  for number in 1e10 10000000000 1.0E3 9007199254740993; do
    run -0 check <<<'{"kind":"vm_request","vm":"a","memory_bytes":'"$number"'}'$'\n'"$end"
  done
  for number in 1.5 1e300 [1] true 99999999999999999999; do
    run -1 check <<<'{"kind":"vm_request","vm":"a","memory_bytes":'"$number"'}'$'\n'"$end"
  done
}

@test "bytes that are no UTF-8 are a broken record" {
  run -1 --separate-stderr check < <(printf '{"kind":"host","host":"h\xff","uri":"u"}\n%s\n' "$end")
  says '.skipped == 1'
  run -0 check <<<'{"kind":"host","host":"hä","uri":"u"}'$'\n'"$end"
}

@test "a line of 1 MB is a record, one of more than 16 MiB is not, and the next one is read" {
  long() { printf '{"kind":"host","uri":"u","host":"' && head -c "$1" /dev/zero | tr '\0' x && printf '"}\n%s\n' "$end"; }
  run -0 check < <(long 1000000)
  says '.records == 1'
  run -1 --separate-stderr check < <(long 17000000)
  says '.skipped == 1 and .outcome == "failed"'
  assert_regex "$stderr" 'line 1: longer than 16 MiB'
}

@test "memory does not grow with the stream" {
  yes "$move" | head -n 200000 >stream && echo "$end" >>stream
  (ulimit -v 400000 && check stream >/dev/null) || [ "$(grep -c SANITIZE:BOOL=ON "$BUILD/CMakeCache.txt")" = 1 ]
}

@test "one write per record" {
  command -v strace >/dev/null || skip "no strace"
  # A sanitizer cannot look for leaks in a process that is traced.
  ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=write -o trace timeout 60 rackline-records --check -o json <<<"$move"$'\n'"$end" >out
  assert_equal "$(grep -c 'write(1,' trace)" "$(wc -l <out)"
}

@test "a full disk: status 3 and one message" {
  run -3 --separate-stderr bash -c "timeout 60 rackline-records --check -o json >/dev/full" <<<"$move"$'\n'"$end"
  assert_equal "$stderr" "rackline-records: write records: stdout: No space left on device"
  for what in '' --schema --manual; do
    # shellcheck disable=SC2086 # nothing is meant to be no word
    run -3 --separate-stderr bash -c "timeout 60 rackline-records $what >/dev/full"
    assert_equal "$stderr" "rackline-records: write: stdout: No space left on device"
  done
}

@test "a reader that closes early ends it silently" {
  run -0 --separate-stderr bash -c "timeout 60 rackline-records --schema | head -n 1 >/dev/null; echo \${PIPESTATUS[0]}"
  assert_regex "$output" '^(0|141)$'
  assert_equal "$stderr" ''
  local gone status=0
  exec {gone}> >(exec true)
  wait $! # the pipe has no reader from here on
  check <<<"$end" 1>&"$gone" 2>err || status=$?
  exec {gone}>&-
  assert_equal "$status" 141
  assert_equal "$(cat err)" ''
}

@test "the exit table" {
  run -0 rackline-records --version
  run -0 rackline-records --help
  run -2 rackline-records --no-such-option
  run -2 rackline-records --che
  run -2 rackline-records --check --schema
  run -2 rackline-records --schema no_such_kind
  run -2 check /no/such/file
  assert_output --partial "read records: /no/such/file: No such file or directory"
  run -3 check /
  assert_output --partial "read records: /: Is a directory"
}

@test "wrong usage is one line and the way to the help" {
  run -2 --separate-stderr rackline-records --output xml
  assert_output ''
  assert_equal "${#stderr_lines[@]}" 2
  assert_regex "${stderr_lines[0]}" '^rackline-records: read the command line: .*expected one of json\|table'
  assert_equal "${stderr_lines[1]}" "Try 'rackline-records --help'."
}

@test "a terminal is no input" {
  run -2 timeout 20 script -qec 'rackline-records --check' /dev/null
  assert_output --partial "stdin: it is a terminal"
}

@test "flag before environment before ~/.config before /etc" {
  local etc=
  if [ -w /etc ] && [ ! -e /etc/rackline/config.toml ] && unshare -m true 2>/dev/null; then etc=yes; fi
  format() { "$@" <<<"$end" | tail -1 | head -c 1; } # { or e
  mkdir -p "$HOME/.config/rackline" xdg/rackline
  assert_equal "$(format rackline-records --check)" '{'
  echo 'output = "table"' >"$HOME/.config/rackline/config.toml"
  assert_equal "$(format rackline-records --check)" e
  assert_equal "$(format rackline-records --check -o json)" '{'
  printf '[rackline-records]\noutput = "json"\n' >xdg/rackline/config.toml
  assert_equal "$(format env XDG_CONFIG_HOME="$PWD/xdg" rackline-records --check)" '{'

  if [ -n "$etc" ]; then # in a mount namespace, so that the machine's own /etc stays as it is
    mkdir -p etc/rackline
    echo 'output = "table"' >etc/rackline/config.toml
    with_etc() {
      # shellcheck disable=SC2016 # expanded inside
      unshare -m bash -c 'mount --make-rprivate / && mount -t overlay -o "lowerdir=$1:/etc" overlay /etc && shift && exec "$@"' _ "$PWD/etc" "$@"
    }
    if with_etc true 2>/dev/null; then
      rm "$HOME/.config/rackline/config.toml"
      assert_equal "$(format with_etc rackline-records --check)" e
      echo 'output = "json"' >"$HOME/.config/rackline/config.toml"
      assert_equal "$(format with_etc rackline-records --check)" '{'
    fi
  fi
}

@test "the inventory: flag before environment before the user's file" {
  hosts() { capwatch --list hosts "$@"; }
  inventory() { printf '{"kind":"host","host":"%s","uri":"test:///default"}\n' "$1"; }
  run -2 hosts
  assert_output --partial "there is none"
  mkdir -p "$HOME/.config/rackline"
  inventory user >"$HOME/.config/rackline/inventory.jsonl"
  assert_equal "$(hosts)" user
  inventory environment >env.jsonl
  assert_equal "$(RACKLINE_INVENTORY=env.jsonl hosts)" environment
  inventory flag >flag.jsonl
  assert_equal "$(RACKLINE_INVENTORY=env.jsonl hosts --inventory flag.jsonl)" flag
  assert_equal "$(inventory stdin | hosts --inventory -)" stdin
}

@test "a broken configuration is told with file and key" {
  mkdir -p "$HOME/.config/rackline"
  printf '[rackline-records]\ncolour = "red"\n' >"$HOME/.config/rackline/config.toml"
  run -2 --separate-stderr check <<<"$end"
  assert_equal "$stderr" "rackline-records: read the configuration: $HOME/.config/rackline/config.toml: rackline-records.colour: rackline-records has no option --colour (line 2)"
}

@test "a table shows the facts of the records" {
  echo "$move" >stream
  run -1 --separate-stderr check stream
  local records outcome
  records=$(jq 'select(.kind=="read_summary").records' <<<"$output") outcome=$(jq -r 'select(.kind=="end").outcome' <<<"$output")
  run -1 --separate-stderr timeout 60 rackline-records --check -o table stream
  assert_line --index 0 "read_summary  RECORDS $records"
  assert_regex "${lines[1]}" "^end  OUTCOME $outcome "
}

@test "a table on a terminal, bold unless NO_COLOR or TERM say otherwise" {
  echo '{"kind":"host","host":"h1","uri":"test:///default"}' >hosts
  on_terminal() { timeout 60 script -qec 'capwatch --inventory hosts --window 10ms' /dev/null </dev/null; }
  run -0 env TERM=xterm bash -c "$(declare -f on_terminal); on_terminal"
  assert_output --partial $'\e[1mHOST'
  run -0 env TERM=xterm NO_COLOR=1 bash -c "$(declare -f on_terminal); on_terminal"
  assert_output --partial HOST
  refute_output --partial $'\e[1m'
  run -0 env TERM=dumb bash -c "$(declare -f on_terminal); on_terminal"
  refute_output --partial $'\e[1m'
}

@test "silent under cron" {
  run -0 --separate-stderr env -i HOME="$HOME" PATH="$PATH" rackline-records --check -o json <<<"$end"
  assert_equal "$stderr" ''
}

@test "SIGINT and SIGTERM: an end record that says interrupted, status 128+n, and no complaint" {
  local signal status pipe
  for signal in INT TERM; do
    mkfifo "stream.$signal"
    # A job of a shell without job control ignores SIGINT, and rightly so: env gives it back.
    timeout 60 env --default-signal=INT rackline-records --check -o json "stream.$signal" >out 2>err &
    exec {pipe}>"stream.$signal" # returns when the program has opened its end
    echo "$move" >&"$pipe"
    # Within its wait for more: all that we gave it is read.
    until [ "$(cut -d' ' -f3 "/proc/$(pgrep -P $!)/stat")" = S ]; do :; done
    kill "-$signal" "$(pgrep -P $!)"
    status=0
    wait $! || status=$?
    exec {pipe}>&-
    assert_equal "$status" $((128 + $(kill -l $signal)))
    assert_equal "$(jq -r 'select(.kind == "end").outcome' out)" interrupted
    assert_equal "$(cat err)" ''
  done
}
