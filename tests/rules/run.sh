#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proof that every safety rule has a test which fails without it: takes each clause of each rule out, and runs the test
# that the table names for it. A patch that does not apply any more, or a test that passes all the same, is a failure.
# The tree itself is never touched: a patched copy of one file is compiled, and linked in the place of its original.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

usage() {
  cat <<'END'
usage: tests/rules/run.sh [--check | --share I/N] [PATTERN...]
  PATTERN   only those whose name matches the glob, such as '02-*' or 12-fence-intent
  --check   only whether each patch still applies, in seconds
  --share   only the Ith of N shares, of a build that is up to date; without it, a share for each processor
END
}

check=no share='' patterns=()
while [ $# -gt 0 ]; do
  case $1 in
  --check) check=yes ;;
  --share) share=${2:?} && shift ;;
  -h | --help) usage && exit ;;
  -*) usage >&2 && exit 2 ;;
  *) patterns+=("$1") ;;
  esac
  shift
done

rules=tests/rules
tree=$PWD
build=$PWD/build
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
passed=0 failed=0
alone=()
! tests/alone true 2>/dev/null || alone=(tests/alone)

ok() { passed=$((passed + 1)) && echo "ok rule $1"; }
not_ok() {
  failed=$((failed + 1))
  echo "not ok rule $1"
  if [ -s "$log" ]; then tail -n 30 "$log" | sed 's/^/# /'; fi
}

wanted() { # NAME: whether it was asked for
  local pattern
  [ ${#patterns[@]} -gt 0 ] || return 0
  for pattern in "${patterns[@]}"; do
    # shellcheck disable=SC2053 # it is a glob
    [[ $1 = $pattern ]] && return 0
  done
  return 1
}

# The table's lines: name, test, and what goes, apart by tabs.
table() { sed -e '/^#/d' -e '/^$/d' -e 's/ *| */\t/g' "$rules/table"; }

# --- what is compiled ---

# The file that holds a unit test.
file_of_test() { # SUITE.NAME, as the table has it
  local suite=${1%%.*} name=${1#*.} source
  suite=${suite//\*/} name=${name//\*/} name=${name%%/*} # the instances of a parametrised test
  source=$(grep -lE "^TEST(_F|_P)?\($suite, $name\)" tests/unit/*_test.cc)
  basename "$source"
}
unit_of_test() { # SUITE.NAME: the program that has it
  local file
  file=$(file_of_test "$1")
  echo "unit-${file%%_*}"
}
object_of_test() { # SUITE.NAME: its object, below build/
  echo "tests/unit/CMakeFiles/$(unit_of_test "$1").dir/$(file_of_test "$1").o"
}

# Quick rather than fast code, and no symbols: it runs once. A patch need not be free of warnings. The headers that all
# share are compiled once for such code.
compile() { # OBJECT FILE: an object of build/ made anew, from this file
  local command headers own
  command=$(ninja -C "$build" -t commands "$1" 2>"$log" | tail -n 1)
  command="${command#*ccache } "
  command="${command% -c *} -U_FORTIFY_SOURCE -O0 -g0 -w"
  command=${command/ -o $1/} command=${command/ -MD/} command=${command/ -MT $1/} command=${command/ -MF $1.d/}
  if [[ $command =~ \ -include\ ([^ ]+) ]]; then
    headers=${BASH_REMATCH[1]} own=$scratch/$(cksum <<<"${BASH_REMATCH[1]}" | cut -d ' ' -f 1).h
    if [ ! -e "$own.gch" ]; then
      cp "$headers" "$own"
      (cd "$build" && bash -c "${command/ -include $headers/} -x c++-header -o $own.gch -c $own") >>"$log" 2>&1 || return
    fi
    command=${command/ -include $headers/ -include $own}
  fi
  command=${command/ -I/ -I$scratch/tree/lib -I} # first, for a patched header
  (cd "$build" && bash -c "$command -o $scratch/$(basename "$1") -c $2") >>"$log" 2>&1
}

# The objects, below build/, of the folder under test in which a patched header is compiled in.
users_of() { # HEADER UNIT
  local objects=lib/CMakeFiles/rackline_${2#unit-}.dir/
  ninja -C "$build" -t deps 2>"$log" | awk -v header="/$1" -v objects="$objects" '
    /^[^ ].*: #deps/ { object = $1; sub(/:$/, "", object); next }
    index(object, objects) == 1 && substr($1, length($1) - length(header) + 1) == header { print object }'
}

# Links a program of build/ to $scratch/bin/NAME. Objects in $scratch take the place of those of the same name.
link() { # TARGET OBJECT...: of its own objects only these; empty: all
  local target=$1 command before after own
  shift
  command=$(ninja -C "$build" -t commands "$target" 2>"$log" | tail -n 1)
  command=${command#: && } command=${command% && :}
  own=$*
  [ -n "$own" ] || own=$(grep -oE '[^ ]+\.cc\.o' <<<"$command" | tr '\n' ' ')
  local objects=("$scratch"/*.o) object
  for object in $own; do
    [ -e "$scratch/$(basename "$object")" ] || objects+=("$object")
  done
  before=$(sed -E 's/ [^ ]+\.cc\.o .*//' <<<"$command")
  after=$(sed -E 's/.* -o [^ ]+ //' <<<"$command")
  (cd "$build" && bash -c "$before -Wl,--strip-debug ${objects[*]} -o $scratch/bin/$target $after") >>"$log" 2>&1
}

# --- what is run ---

# Status 0 when all of the tests pass, 1 when each of them fails or they come to no end (which is what some rules are
# there for), 2 when only some fail, and 3 when there is no such test.
verdict() { # STATUS RAN GOOD
  if [ "$1" = 124 ] || [ "$1" = 137 ]; then return 1; fi
  if [ "${2:-0}" = 0 ]; then return 3; fi
  if [ "$1" = 0 ]; then return 0; fi
  if [ "${3:-0}" = 0 ]; then return 1; fi
  return 2
}

run_unit() { # PROGRAM FILTER
  local status=0
  # Alone, so that nothing that a rule would have ended outlives its test.
  "${alone[@]}" timeout -k 5 60 "$1" --gtest_filter="$2" --gtest_brief=1 >"$log" 2>&1 || status=$?
  if [ $status -ge 128 ]; then return 1; fi # it crashed
  verdict $status "$(sed -n 's/^\[==========\] \([0-9]*\) test.* ran.*/\1/p' "$log")" \
    "$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log")"
}

program_of() { # FILE.bats:NAME: the program under test; fence_bmc.bats is about fence
  local file=${1%%.bats:*}
  echo "${file%%_*}"
}

run_bats() { # FILE NAME
  local status=0 name=$2 letter regex=''
  while IFS= read -r -n 1 letter; do
    if [[ $letter = [a-zA-Z0-9' ',:] ]]; then regex+=$letter; else regex+="[$letter]"; fi
  done < <(printf %s "$name")
  RACKLINE_BUILD=$scratch timeout -k 5 60 "${alone[@]}" bats --tap --filter "^$regex\$" "tests/tools/$1" >"$log" 2>&1 </dev/null || status=$?
  verdict $status "$(grep -cE '^(not )?ok ' "$log")" "$(grep -cE '^ok ' "$log")"
}

fresh_programs() {
  rm -rf "${scratch:?}/bin" && mkdir "$scratch/bin"
  ln -s "$build"/bin/* "$scratch/bin"
}

without() { # NAME TEST WHAT
  local name=$1 test=$2 what=$3 patch=$tree/$rules/$1.patch file object status=0 rule=${1%%-*}
  local title="${rule#0}: $what ($name, $test)"
  : >"$log"
  file=$(sed -n 's|^+++ b/||p' "$patch")
  rm -rf "$scratch"/tree "$scratch"/*.o
  mkdir -p "$scratch/tree/$(dirname "$file")"
  if ! cp "$file" "$scratch/tree/$file" 2>"$log"; then
    not_ok "$title: the patch does not apply any more"
    return
  fi
  if ! (cd "$scratch/tree" && GIT_CEILING_DIRECTORIES=$scratch git apply -C1 "$patch" 2>"$log") || cmp -s "$file" "$scratch/tree/$file"; then
    not_ok "$title: the patch does not apply any more"
    return
  fi
  if [ $check = yes ]; then
    ok "$title: the patch applies"
    return
  fi
  case $file in
  lib/*.cc) object=lib/CMakeFiles/rackline_$(cut -d / -f 2 <<<"$file").dir/${file#lib/}.o ;;
  tools/*.cc) object=tools/CMakeFiles/$(basename "$file" .cc).dir/${file#tools/}.o ;;
  *.h) object=$(object_of_test "${test#unit:}") ;; # and what of the folder includes it, below
  esac
  case $test in
  unit:*)
    local names=() one units
    IFS=: read -ra names <<<"${test#unit:}"
    local source=$scratch/tree/$file
    case $file in *.h) source=$tree/tests/unit/$(basename "$object" .o) ;; esac
    mkdir -p "$scratch/bin"
    mapfile -t units < <(for one in "${names[@]}"; do unit_of_test "$one"; done | sort -u)
    compile "$object" "$source" || status=9
    case $file in *.h)
      while read -r one; do
        local user=${one#*.dir/}
        compile "$one" "$tree/lib/${user%.o}" || status=9
      done < <(users_of "$file" "${units[0]}")
      ;;
    esac
    for one in "${units[@]}"; do
      [ $status = 0 ] || break
      link "$one" || status=9
    done
    for one in "${units[@]}"; do
      [ $status -lt 2 ] || break
      status=0
      run_unit "$scratch/bin/$one" "${test#unit:}" || status=$?
      [ $status = 1 ] || break
    done
    ;;
  *)
    fresh_programs
    local program
    program=$(program_of "$test")
    rm "$scratch/bin/$program"
    if compile "$object" "$scratch/tree/$file" && link "$program"; then
      run_bats "${test%%:*}" "${test#*:}" || status=$?
    else
      status=9
    fi
    ;;
  esac
  case $status in
  0) not_ok "$title: the test passes without it" ;;
  1) ok "$title: fails without it" ;;
  2) not_ok "$title: some of the tests pass without it" ;;
  3) not_ok "$title: there is no such test" ;;
  *) not_ok "$title: it does not build without it" ;;
  esac
}

if [ $check = no ] && [ -z "$share" ]; then
  mapfile -t tests < <(table | while IFS=$'\t' read -r name test _; do if wanted "$name"; then echo "$test"; fi; done | sort -u)
  mapfile -t programs < <(for test in "${tests[@]}"; do
    case $test in unit:*) ;; *) program_of "$test" ;; esac
  done | sort -u)
  # "PROGRAM SUITE.NAME" of each unit test.
  mapfile -t homes < <(printf '%s\n' "${tests[@]}" | sed -n 's/^unit://p' | tr : '\n' | sort -u |
    while read -r name; do echo "$(unit_of_test "$name") $name"; done)
  mapfile -t units < <(printf '%s\n' "${homes[@]}" | cut -d ' ' -f 1 | sort -u | grep .)
  grep -q unit-base "$build/build.ninja" 2>/dev/null || cmake -S . -B "$build" -G Ninja -DRACKLINE_TESTS=ON >/dev/null
  ninja -C "$build" --quiet "${units[@]}" ${programs[@]:+"${programs[@]}" rackline-records} >&2
  # Only a test that passes with the rule says something by failing without it.
  for unit in "${units[@]}"; do
    filter=$(printf '%s\n' "${homes[@]}" | sed -n "s/^$unit //p" | paste -sd :)
    run_unit "$build/tests/$unit" "$filter" || not_ok "all: these do not pass with the rules in place"
  done
  fresh_programs
  for test in "${tests[@]}"; do
    case $test in unit:*) continue ;; esac
    run_bats "${test%%:*}" "${test#*:}" || not_ok "all: $test does not pass with the rules in place"
  done
fi

# All that is wanted, or the share of it; a share for each processor, side by side, where none is told.
count=0
if [ $check = yes ] || [ -n "$share" ]; then
  while IFS=$'\t' read -r name test what; do
    wanted "$name" || continue
    count=$((count + 1))
    if [ -z "$share" ] || [ $((count % ${share#*/})) = $((${share%/*} - 1)) ]; then without "$name" "$test" "$what" </dev/null; fi
  done < <(table)
else
  processors=$(nproc)
  for ((i = 1; i <= processors; i++)); do
    tests/rules/run.sh --share "$i/$processors" "${patterns[@]}" >"$scratch/share$i" &
  done
  # A share that dies has proven nothing of what was left of it.
  for ((i = 1; i <= processors; i++)); do wait -n || true; done
  for ((i = 1; i <= processors; i++)); do
    : >"$log"
    grep -E '^(ok|not ok|#) ' "$scratch/share$i" || true
    tail -n 1 "$scratch/share$i" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' || not_ok "share $i: it ended early"
    passed=$((passed + $(grep -c '^ok ' "$scratch/share$i" || true)))
    failed=$((failed + $(grep -c '^not ok ' "$scratch/share$i" || true)))
  done
fi
if [ -n "$share" ]; then
  echo "$passed passed, $failed failed"
  exit
fi
# A patch that the table does not know proves nothing.
for patch in "$rules"/*.patch; do
  name=$(basename "$patch" .patch)
  : >"$log"
  grep -qxF -- "$name" < <(table | cut -f 1) || not_ok "${name%%-*}: $name is not in the table"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
