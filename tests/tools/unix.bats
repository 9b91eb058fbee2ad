# SPDX-License-Identifier: Apache-2.0
# What holds for every program of a Unix machine: descriptors that are missing, an output that is full or closed, names that
# are links, and files of somebody else.
# shellcheck disable=SC2154,SC2016 # stderr is set by run; $ of an inner shell
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/s.db RACKLINE_AUDIT=$PWD/trail
  echo '{"kind":"host","host":"h1","uri":"test:///default"}' >inv
}
pool() { reserve pool add p --capacity cpu=9 >/dev/null; }
end='{"kind":"end","time":"2026-11-29T02:00:00Z","tool":"x","outcome":"ok"}'

# The commands that read stdin, one a line.
readers() {
  cat <<'END'
reserve claim - -o json
audit append
capplan balance -o json
capwatch --replay - -o json
capwatch --from csv -o json
rackline-records --check -o json
fence --inventory inv -o json
failover --inventory inv -o json
migrate --inventory inv -o json
capwatch --inventory - -o json
END
}

@test "a program without stdin says so and ends" {
  pool
  local command
  while read -r command; do
    # The shell opens files of its own under a number that is free.
    run -3 --separate-stderr bash -c "exec timeout 10 $command <&-"
    assert_regex "$stderr" 'Bad file descriptor'
  done < <(readers)
}

@test "a program without stdout says so, and writes into no file of its own" {
  pool
  run -3 --separate-stderr bash -c 'reserve claim p --owner o --amount cpu=1 -o json >&-'
  assert_regex "${stderr_lines[-1]}" 'reserve: write records: stdout: Bad file descriptor'
  assert_equal "$(reserve list -o json | jq -r 'select(.kind=="reservation") | .owner')" o
  run -3 bash -c 'rackline-records >&- 2>&-'
  run -3 bash -c 'reserve --version >&- 2>&-'
  run -0 reserve check
}

@test "a trail keeps no message of a program that was started without stdout and stderr" {
  echo "$end" | audit append >/dev/null
  printf '{"kind":"audit_record","time":"2026-11' >>trail
  echo "$end" | (exec 1>&- 2>&- && audit append) || assert_equal $? 3
  run -1 grep -c '^audit:' trail
  run -0 audit verify -o json
}

@test "an outcome that stdout does not take is told on stderr, in every form of output" {
  pool
  reserve claim p --owner o --amount cpu=1 >/dev/null
  local form
  for form in json table; do
    run -3 --separate-stderr bash -c "reserve claim p --owner $form --amount cpu=1 -o $form >/dev/full"
    assert_regex "$stderr" "reserve: not written: reservation .*POOL p .*OWNER $form .*OUTCOME granted"
    assert_equal "${stderr_lines[-1]}" 'reserve: write records: stdout: No space left on device'
    jq -nc --arg o "$form" '{kind:"reservation_request",id:("a"+$o,"b"+$o),pool:"p",owner:$o,amount:"cpu=1"}' >requests
    run -3 --separate-stderr bash -c "reserve claim - -o $form <requests >/dev/full"
    # It stops in order: the second one is granted and told, or neither.
    assert_equal "$(grep -oE 'not written: reservation  ID [ab]'"$form" <<<"$stderr" | grep -o '[ab]'"$form" | sort)" \
      "$(reserve list -o json | jq -r --arg form "$form" 'select(.kind == "reservation" and (.id | test("^[ab]" + $form + "$"))).id' | sort)"
    run -3 --separate-stderr bash -c "reserve list -o $form >/dev/full"
    assert_equal "$stderr" 'reserve: write records: stdout: No space left on device'
    for command in 'reserve pool list' 'reserve check' 'audit verify' 'capwatch --inventory inv' 'rackline hosts --inventory inv' \
      'fence status --inventory inv'; do
      echo "$end" | audit append >/dev/null
      run -3 --separate-stderr bash -c "$command -o $form >/dev/full"
    done
  done
}

@test "an output that has reached its limit of size is an error like any other" {
  run -3 bash -c '(ulimit -f 0 && capwatch --inventory inv -o json >out) 2>&1 | cat; exit "${PIPESTATUS[0]}"'
  assert_output --partial 'write records: stdout: File too large'
}

@test "a store has the same locks under each of its names" {
  pool
  ln -s s.db alias.db
  mkdir other && ln -s ../alias.db other/more.db
  exec 9>>s.db.reserve-apply.lock
  flock 9
  local name
  for name in s.db alias.db other/more.db; do
    run -5 reserve --store "sqlite:$name" apply --inventory inv
  done
  exec 9>&-
  assert_equal "$(find . -name '*.lock' -o -name '*.turn' | sort | tr '\n' ' ')" './s.db.reserve-apply.lock ./s.db.turn '
}

@test "a store or a trail that somebody else could change is refused" {
  [ "$EUID" = 0 ] || skip 'only root gives files away'
  mkdir -m 777 theirs
  ln -s "$PWD/target" theirs/link
  chown -h nobody theirs theirs/link
  run -4 --separate-stderr reserve --store "sqlite:$PWD/theirs/link" pool add p --capacity cpu=1
  assert_regex "$stderr" "open store: $PWD/theirs: it belongs to somebody else"
  run -4 --separate-stderr bash -c "echo '$end' | audit append --file theirs/link"
  assert_regex "$stderr" 'open the trail: theirs: it belongs to somebody else'
  assert_not_exists target
  echo "$end" | audit append >/dev/null
  pool
  local file
  for file in s.db s.db.turn; do
    chown nobody "$file"
    run -4 --separate-stderr reserve pool set p --capacity cpu=2
    assert_regex "$stderr" "$file: it belongs to somebody else"
    chown root "$file"
  done
  for file in trail trail.head; do
    chmod 666 "$file"
    run -4 --separate-stderr bash -c "echo '$end' | audit append"
    assert_regex "$stderr" "$file: others than its owner can write it"
    chmod 600 "$file"
  done
  run -0 audit verify
}

@test "a trail through a link is rotated and redacted where it is" {
  mkdir real && ln -s real/t link
  note() { echo "{\"kind\":\"note\",\"n\":$1,\"owner\":\"SECRET\"}"; }
  note 1 | audit append --file link >/dev/null
  run -0 audit redact --file link --line 1 --field record.owner --reason asked
  run -1 grep -q SECRET real/t
  run -0 audit rotate --file link
  [ -L link ]
  note 2 | audit append --file link >/dev/null
  note 3 | audit append --file real/t >/dev/null
  assert_equal "$(audit verify --file link -o json | jq -c 'select(.kind=="audit_verified") | [.outcome,.chain,.last,.hash]')" \
    "$(audit verify --file real/t -o json | jq -c 'select(.kind=="audit_verified") | [.outcome,.chain,.last,.hash]')"
  assert_equal "$(audit query --file link -o json | jq -c 'select(.record.n) | .record.n' | tr '\n' ' ')" '1 2 3 '
  assert_equal "$(ls)" $'home\ninv\nlink\nreal'
}

@test "nothing from outside drives the terminal" {
  pool
  local name
  for name in '\302\23331mRED' '\342\200\256gnp' '\033[31mRED' '\217x'; do
    # shellcheck disable=SC2059 # escapes
    reserve claim p --owner "$(printf "$name")" --amount cpu=0.1 >/dev/null 2>&1 || true
  done
  drives() { LC_ALL=C grep -c -P '\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|[\x00-\x08\x0b\x0e-\x1f]' || true; }
  assert_equal "$(reserve list -o table | drives)" 0
  assert_equal "$(script -qec 'reserve list -o json' /dev/null | drives)" 0
  printf '{"kind":"\\u001b]0;owned\\u0007"}\n{"kind":"\302\233"}\n' >odd
  assert_equal "$(rackline-records --check -v <odd 2>&1 >/dev/null | drives)" 0
  assert_equal "$(reserve pool add "$(printf '\033[2J')" --capacity cpu=1 2>&1 | drives)" 0
  assert_equal "$(reserve "$(printf '\033[2J')" 2>&1 | drives)" 0
}

@test "every program takes a configuration with a section of each program, and none with another" {
  mkdir -p "$HOME/.config/rackline"
  local config=$HOME/.config/rackline/config.toml program text
  for program in $(programs); do echo "[$program]"; done >"$config"
  for program in $(programs); do run -0 "$program" --help; done
  for text in 'output : "jsn"' 'garbage' '[reserve' '[resreve]' $'quiet = true\nquiet = true'; do
    echo "$text" >"$config"
    for program in $(programs); do
      run -2 --separate-stderr "$program" --help
      assert_regex "$stderr" "^$program: read the configuration: $config: line [0-9]+: "
    done
  done
}

@test "more descriptors than are usual are there for many hosts" {
  mkfifo hold
  (ulimit -Sn 256 && ulimit -Hn 4096 && exec capplan check <hold >/dev/null 2>&1) &
  local child=$!
  exec 9>hold
  until grep -q capplan "/proc/$child/cmdline"; do sleep 0.05; done
  sleep 0.5
  assert_regex "$(grep 'open files' "/proc/$child/limits")" ' 4096 +4096 '
  exec 9>&-
  wait "$child" || true
}
