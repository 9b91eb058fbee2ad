# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Tests side by side. A job is a .bats file, the unit tests of a folder of lib/ ("unit tests fence"), or a command. Its
# output is kept in a file, and printed when it ends. Read by ./run, which says where the build is ($build_dir).

passed=0 failed=0 skipped=0 # counts of what ran, for the last line

jobs=() weights=()    # what is to run, and what it weighs
declare -A running=() # process id: number of the job
declare -A began=()   # number of the job: seconds
scratch='' labs='' bats_options=()

# What may run at once. Two cores bear a practice cluster and one file beside it, or four files that mostly wait.
room=$((2 * $(nproc) > 4 ? 2 * $(nproc) : 4))
alone=(tests/alone)

jobs_begin() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/rackline.XXXXXX")
  labs=$(mktemp -d /var/tmp/rackline-tests.XXXXXX) # much, and /tmp may be memory
  trap jobs_end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if ! tests/alone true 2>/dev/null; then
    say "without root, or without namespaces: one file after the other"
    alone=() room=0
  fi
}

jobs_end() {
  trap '' INT TERM
  local pid lab
  {
    for pid in "${!running[@]}"; do kill -KILL -- "-$pid" || kill -KILL "$pid" || true; done
    wait
  } 2>/dev/null
  for lab in "$labs"/*/; do
    lab=${lab%/}
    [ ! -e "$lab/token" ] || RACKLINE_LAB_DIR=$labs QUIET=1 lab/lab --lab "${lab##*/}" down || true
  done
  # what was killed may still be on its way out
  rm -rf "$scratch" "$labs" 2>/dev/null || { sleep 1 && rm -rf "$scratch" "$labs"; } || true
}

uses_lab() { [[ $1 = *.bats ]] && grep -qE 'lab/lab|^load \.\./(migrate|fence)$' "$1"; }

# The unit tests of all folders, a job each.
unit_tests() { printf '%s\n' tests/unit/*_test.cc | sed 's|.*/||; s/_.*//; s/^/unit tests /' | sort -u; }

# What concerns a folder of lib/: its unit tests, and the .bats files that are called as it is or as tests/subjects says.
subject_tests() { # FOLDER
  local stem kind
  unit_tests | grep -x "unit tests $1" || true
  for stem in $(sed -n "s/^$1 //p" tests/subjects | grep . || echo "$1"); do
    for kind in tools e2e fault; do
      [ ! -e "tests/$kind/$stem.bats" ] || echo "tests/$kind/$stem.bats"
    done
  done
}

# The tests of these files with the tag "long": a minute and more, on a practice cluster, of what shorter ones show as well.
long_tests() { # FILE...
  local file
  for file; do sed -n '/^# bats test_tags=long$/ { n; s/^@test \(".*"\) {$/'"${file//\//\\/}"': \1/p }' "$file"; done
}

# Adds them in the order of tests/order, which says what they weigh; then those that it does not name.
add_jobs() { # JOB...
  local -A wanted=()
  local job weight
  for job; do wanted[$job]=1; done
  while read -r weight job; do
    [ -n "${wanted[$job]:-}" ] || continue
    unset "wanted[$job]"
    add_job "$weight" "$job"
  done < <(grep -v '^#' tests/order)
  for job; do
    [ -n "${wanted[$job]:-}" ] || continue
    if uses_lab "$job"; then add_job 3 "$job"; else add_job 1 "$job"; fi
  done
}

add_job() { # WEIGHT JOB
  if [ "$(id -u)" != 0 ] && uses_lab "$2"; then
    skipped=$((skipped + 1))
    echo "ok $2 # skip the practice cluster needs root"
  else
    weights+=("$1")
    jobs+=("$2")
  fi
}

start_job() { # NUMBER
  local job=${jobs[$1]} words=()
  case $job in
  *.bats)
    words=("${alone[@]}")
    case $job in tests/package/*) words+=(${alone[0]:+--network}) ;; esac # fetches packages
    words+=(bats --tap --print-output-on-failure --timing "${bats_options[@]}" "$job")
    ;;
  'unit tests '*)
    words=("${alone[@]}" timeout -k 5 900 "$build_dir/tests/unit-${job##* }" --gtest_brief=1
      --gtest_output="json:$scratch/$1.json")
    ;;
  *) read -ra words <<<"$job" ;;
  esac
  # A group of its own, to be killed as one; and it does not outlive us, however we end.
  TMPDIR=$scratch RACKLINE_BUILD=$PWD/$build_dir RACKLINE_LAB_DIR=$labs \
    setsid setpriv --pdeathsig KILL "${words[@]}" >"$scratch/$1.log" 2>&1 </dev/null &
  running[$!]=$1
  began[$1]=$SECONDS
}

not_ok() { # WORDS...: kept, for the end
  failed=$((failed + 1))
  echo "not ok $*"
  echo "not ok $*" >>"$scratch/failed"
}

count_bats() { # LOG FILE STATUS
  local planned ran bad
  bad=$(grep -cE '^not ok ' "$1" || true)
  ran=$(grep -cE '^(not )?ok ' "$1" || true)
  skipped=$((skipped + $(grep -cE '^ok .*# skip' "$1" || true)))
  passed=$((passed + $(grep -E '^ok ' "$1" | grep -vcE '# skip' || true)))
  failed=$((failed + bad))
  sed -nE "s|^(not ok .*)|\1 ($2)|p" "$1" >>"$scratch/failed"
  # A file that cannot be run, or that dies, leaves its plan unfulfilled.
  planned=$(sed -n 's/^1\.\.//p' "$1" | head -1)
  if [ "$ran" -lt "${planned:-1}" ] || { [ "$bad" = 0 ] && [ "$3" != 0 ]; }; then
    not_ok "$2: exit status $3 after $ran of ${planned:-unknown} tests"
  fi
}

count_unit() { # REPORT NAME STATUS
  local tests bad left
  if ! tests=$(jq -e .tests "$1" 2>/dev/null); then # it crashed before it could report
    not_ok "$2: exit status $3, and no report"
    return
  fi
  bad=$(jq .failures "$1")
  left=$(jq '[.testsuites[].testsuite[] | select(.result == "SKIPPED")] | length' "$1")
  failed=$((failed + bad)) skipped=$((skipped + left)) passed=$((passed + tests - bad - left))
  jq -r '.testsuites[].testsuite[] | select(.failures) | "not ok \(.classname).\(.name) (unit tests)"' "$1" >>"$scratch/failed"
}

finish_job() { # NUMBER STATUS
  local job=${jobs[$1]} log=$scratch/$1.log show=cat
  case $job in *.bats | 'unit tests '*) ;; *) show="grep -v ^ok" ;; esac
  if [ ${#jobs[@]} -gt 1 ]; then
    printf '\n# %s: %s s\n' "$job" $((SECONDS - began[$1]))
    $show "$log" || true
  fi
  case $job in
  *.bats) count_bats "$log" "$job" "$2" ;;
  'unit tests '*) count_unit "$scratch/$1.json" "$job" "$2" ;;
  *)
    if [ "$2" = 0 ]; then
      passed=$((passed + 1))
      echo "ok $job"
    else
      not_ok "$job"
    fi
    ;;
  esac
}

# Runs them all: each that fits beside those that run, the first ones first.
run_jobs() {
  local number pid used=0 status follower='' waiting=("${!jobs[@]}")
  while [ ${#waiting[@]} -gt 0 ] || [ ${#running[@]} -gt 0 ]; do
    for number in "${!waiting[@]}"; do
      [ $used = 0 ] || [ $((used + weights[number])) -le "$room" ] || continue
      unset "waiting[$number]"
      used=$((used + weights[number]))
      start_job "$number"
    done
    if [ ${#jobs[@]} = 1 ]; then # one alone is followed as it runs
      tail -n +1 -s 0.2 -f --pid="${!running[*]}" "$scratch/0.log" &
      follower=$!
    fi
    status=0
    wait -n -p pid "${!running[@]}" || status=$?
    [ -z "$follower" ] || wait "$follower"
    number=${running[$pid]}
    unset "running[$pid]"
    used=$((used - weights[number]))
    finish_job "$number" $status
  done
}

# What failed, once more, and the counts.
report() {
  echo
  if [ -s "$scratch/failed" ]; then cat "$scratch/failed"; fi
  if [ $skipped -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
  else
    echo "$passed passed, $failed failed"
  fi
  [ $failed = 0 ] && [ $passed -gt 0 ]
}
