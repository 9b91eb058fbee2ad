# SPDX-License-Identifier: Apache-2.0
# roadef-bench: what is broken is refused, and whatever happens there is a valid assignment.
# shellcheck disable=SC2154 # stderr comes from run --separate-stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  roadef-generate --machines 20 --processes 300 --services 100 --dependencies 80 --model model --initial initial
}

valid() { roadef-bench --model model --initial initial --check --out "$1"; }

@test "the cost printed is that of the assignment written, and is lower than the start's" {
  run --separate-stderr roadef-bench --model model --initial initial --budget 0.5 --seed 3 --out new
  assert_success
  assert_equal "$stderr" ""
  [[ $(awk '$1 == "valid" { print $2 }' <<<"$output") == yes ]]
  cost=$(awk '$1 == "cost" { print $2 }' <<<"$output")
  start=$(awk '$1 == "start" { print $2 }' <<<"$output")
  ((cost < start))
  assert_equal "$(wc -l <new) $(wc -w <new)" "1 300"
  run valid new
  assert_success
  assert_line --regexp "^cost +$cost$"
}

@test "with no time at all the start is the answer" {
  run --separate-stderr roadef-bench --model model --initial initial --budget 0 --out new
  assert_success
  assert_equal "$(xargs <new)" "$(xargs <initial)"
}

@test "asked to stop it writes the best so far" {
  roadef-bench --model model --initial initial --budget 60 --out new >text &
  pid=$!
  # The start is written before the search begins.
  until [ -s new ]; do sleep 0.05; done
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  assert_equal "$status" 143
  grep -q '^valid  *yes$' text
  run valid new
  assert_success
}

@test "files that are broken, cut off or not there are refused, and nothing is written" {
  head -c 1000 model >"cut"
  run --separate-stderr roadef-bench --model cut --initial initial --budget 1 --out new
  assert_failure 2
  assert_regex "$stderr" "^roadef-bench: read: cut, number [0-9]+ \(.*\): "
  sed 's/^/x/' model >letters
  run --separate-stderr roadef-bench --model letters --initial initial --budget 1 --out new
  assert_failure 2
  assert_regex "$stderr" "number 1 \(count of resources\): no whole number"
  echo 1 2 3 >few
  run --separate-stderr roadef-bench --model model --initial few --budget 1 --out new
  assert_failure 2
  assert_regex "$stderr" "few, number 4 \(machine\): the file ends here"
  run --separate-stderr roadef-bench --model none --initial initial --budget 1 --out new
  assert_failure 2
  assert_regex "$stderr" "none: No such file"
  # All on one machine.
  sed 's/[0-9][0-9]*/0/g' initial >heap
  run --separate-stderr roadef-bench --model model --initial heap --budget 1 --out new
  assert_failure 2
  assert_regex "$stderr" "search from: heap: "
  assert_not_exist new
  run valid heap
  assert_failure 1
  assert_line --regexp '^valid +no$'
}

@test "where it cannot write it says so" {
  run --separate-stderr roadef-bench --model model --initial initial --budget 1 --out none/new
  assert_failure 3
  assert_regex "$stderr" "write: none/new.new: No such file"
}
