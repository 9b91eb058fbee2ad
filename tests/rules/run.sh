#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proof that every safety rule has a test which fails without it: switches the clauses of each rule off, and runs the
# tests that the table names for it. A test that passes all the same is a failure.
# A clause carries a marker in the code (rewrite.awk has the forms). The tree is copied, each marked clause there is made
# one that the environment variable RULE_OFF can switch off, and the copy is built once, below build/rules. The programs
# that are installed carry comments and no switch. What is no clause, such as the order of two writes, is taken out by a
# patch: the file that it changes is compiled and linked in the place of the one of the copy.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

usage() {
  cat <<'END'
usage: tests/rules/run.sh [--check] [PATTERN...]
  PATTERN   only those whose name matches the glob, such as '02-*' or 12-fence-intent
  --check   only whether each rule of the table has its markers or its patch, in seconds
END
}

check=no one='' patterns=()
while [ $# -gt 0 ]; do
  case $1 in
  --check) check=yes ;;
  --one) one=${2:?} && shift ;; # of a copy that is built: what each process of the whole run does
  -h | --help) usage && exit ;;
  -*) usage >&2 && exit 2 ;;
  *) patterns+=("$1") ;;
  esac
  shift
done

rules=tests/rules
tree=$PWD
copy=$tree/build/rules/tree
build=$tree/build/rules/build
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

# The lines of the table that are wanted: name, test, and what goes, apart by tabs.
table() {
  sed -e '/^#/d' -e '/^$/d' -e 's/ *| */\t/g' "$rules/table" | while IFS=$'\t' read -r name test what; do
    if wanted "$name"; then printf '%s\t%s\t%s\n' "$name" "$test" "$what"; fi
  done
}

title() { # NAME TEST WHAT
  local rule=${1%%-*}
  echo "${rule#0}: $3 ($1, $2)"
}

# --- whether all is there ---

marked_files() { grep -rlF '@rule' lib tools | sort; }

# The file that the rule's patch changes, patched, in $scratch/tree; prints its name.
patched() { # NAME
  local patch=$tree/$rules/$1.patch file
  file=$(sed -n 's|^+++ b/||p' "$patch")
  rm -rf "$scratch/tree"
  mkdir -p "$scratch/tree/$(dirname "$file")"
  cp "$file" "$scratch/tree/$file" 2>"$log" || return
  (cd "$scratch/tree" && GIT_CEILING_DIRECTORIES=$scratch git apply -C1 "$patch") 2>"$log" || return
  ! cmp -s "$file" "$scratch/tree/$file" || return
  echo "$file"
}

check_all() {
  local name test what place patch
  local -A marks=() known=()
  : >"$log"
  # shellcheck disable=SC2046 # names of files of ours
  awk -f "$rules/rewrite.awk" $(marked_files) >"$scratch/marks" 2>"$log" || not_ok "all: markers that are not understood"
  while IFS=$'\t' read -r name place; do marks[$name]+=" $place"; done <"$scratch/marks"
  while IFS=$'\t' read -r name test what; do
    : >"$log"
    known[$name]=yes
    patch=$rules/$name.patch
    if [ -n "${marks[$name]:-}" ] && [ -e "$patch" ]; then
      not_ok "$(title "$name" "$test" "$what"): it has a marker and a patch"
    elif [ -n "${marks[$name]:-}" ]; then
      ok "$(title "$name" "$test" "$what"): marked"
    elif [ ! -e "$patch" ]; then
      not_ok "$(title "$name" "$test" "$what"): it has neither a marker nor a patch"
    elif patched "$name" >/dev/null; then
      ok "$(title "$name" "$test" "$what"): the patch applies"
    else
      not_ok "$(title "$name" "$test" "$what"): the patch does not apply any more"
    fi
  done < <(table)
  : >"$log"
  # What the table does not know proves nothing.
  [ ${#patterns[@]} = 0 ] || return 0
  for name in "${!marks[@]}"; do
    [ -n "${known[$name]:-}" ] || not_ok "${name%%-*}: $name is not in the table:${marks[$name]}"
  done
  for patch in "$rules"/*.patch; do
    name=$(basename "$patch" .patch)
    [ -n "${known[$name]:-}" ] || not_ok "${name%%-*}: $name is not in the table"
  done
}

# --- the copy ---

sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); } # FOLDER

# What has not changed stays as it is, so that only what has is built anew.
copy_tree() {
  local fresh=$scratch/fresh folder file
  mkdir -p "$fresh/tests" "$copy"
  cp -r CMakeLists.txt cmake lib tools man completions bench packaging "$fresh"
  cp -r tests/unit "$fresh/tests"
  cp "$rules/rule_off.h" "$fresh/lib"
  # shellcheck disable=SC2046
  awk -v to="$fresh" -f "$rules/rewrite.awk" $(marked_files) >/dev/null
  sums "$fresh" >"$scratch/sums.new"
  sums "$copy" >"$scratch/sums.old"
  comm -13 "$scratch/sums.new" "$scratch/sums.old" | while read -r _ file; do rm "$copy/$file"; done
  comm -23 "$scratch/sums.new" "$scratch/sums.old" | while read -r _ file; do
    folder=$copy/$(dirname "$file")
    mkdir -p "$folder" && cp "$fresh/$file" "$folder"
  done
}

# Quick rather than fast code, and no symbols: most of it runs once.
build_copy() { # TARGET...
  local options=()
  command -v ccache >/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  if [ ! -e "$build/build.ninja" ]; then
    cmake -S "$copy" -B "$build" -G Ninja -DRACKLINE_TESTS=ON -DRACKLINE_LAB=OFF -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_FLAGS_DEBUG='-O0 -g0 -w' "${options[@]}" >/dev/null
  fi
  ninja -C "$build" -j "$(nproc)" --quiet "$@" >&2
}

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
object_of_test() { # SUITE.NAME: its object, below $build
  echo "tests/unit/CMakeFiles/$(unit_of_test "$1").dir/$(file_of_test "$1").o"
}
units_of() { # unit:SUITE.NAME[:...]: the programs that have these
  local names name
  IFS=: read -ra names <<<"${1#unit:}"
  for name in "${names[@]}"; do unit_of_test "$name"; done | sort -u
}
program_of() { # FILE.bats:NAME: the program under test; fence_bmc.bats is about fence
  local file=${1%%.bats:*}
  echo "${file%%_*}"
}

# --- what is taken out by a patch ---

compile() { # OBJECT FILE: an object of $build made anew, from this file
  local command
  command=$(ninja -C "$build" -t commands "$1" 2>"$log" | tail -n 1)
  command="${command#*ccache } "
  command="${command% -c *} "
  command=${command/ -o $1 / } command=${command/ -MD/} command=${command/ -MT $1/} command=${command/ -MF $1.d/}
  command=${command/ -I/ -I$scratch/tree/lib -I} # first, for a patched header
  (cd "$build" && bash -c "$command -o $scratch/$(basename "$1") -c $2") >>"$log" 2>&1
}

# The objects, below $build, of the folder under test in which a patched header is compiled in.
users_of() { # HEADER UNIT
  local objects=lib/CMakeFiles/rackline_${2#unit-}.dir/
  ninja -C "$build" -t deps 2>"$log" | awk -v header="/$1" -v objects="$objects" '
    /^[^ ].*: #deps/ { object = $1; sub(/:$/, "", object); next }
    index(object, objects) == 1 && substr($1, length($1) - length(header) + 1) == header { print object }'
}

# Links a program of $build to $scratch/bin/NAME. Objects in $scratch take the place of those of the same name.
link() { # TARGET
  local command before after own
  command=$(ninja -C "$build" -t commands "$1" 2>"$log" | tail -n 1)
  command=${command#: && } command=${command% && :}
  own=$(grep -oE '[^ ]+\.cc\.o' <<<"$command")
  local objects=("$scratch"/*.o) object
  for object in $own; do
    [ -e "$scratch/$(basename "$object")" ] || objects+=("$object")
  done
  before=$(sed -E 's/ [^ ]+\.cc\.o .*//' <<<"$command")
  after=$(sed -E 's/.* -o [^ ]+ //' <<<"$command")
  (cd "$build" && bash -c "$before ${objects[*]} -o $scratch/bin/$1 $after") >>"$log" 2>&1
}

# The programs of the test, without what the patch takes out, in $scratch/bin.
make_patched() { # NAME TEST
  local file object source user one
  file=$(patched "$1") || return
  source=$scratch/tree/$file
  mkdir "$scratch/bin"
  case $file in
  lib/*.cc) object=lib/CMakeFiles/rackline_$(cut -d / -f 2 <<<"$file").dir/${file#lib/}.o ;;
  tools/*.cc) object=tools/CMakeFiles/$(basename "$file" .cc).dir/${file#tools/}.o ;;
  *.h)
    object=$(object_of_test "${2#unit:}") source=$tree/tests/unit/$(basename "$object" .o)
    for user in $(users_of "$file" "$(units_of "$2" | head -n 1)"); do
      one=${user#*.dir/}
      compile "$user" "$copy/lib/${one%.o}" || return
    done
    ;;
  esac
  compile "$object" "$source" || return
  case $2 in
  unit:*) for one in $(units_of "$2"); do link "$one" || return; done ;;
  *)
    link "$(program_of "$2")" || return
    for one in "$build"/bin/*; do [ -e "$scratch/bin/$(basename "$one")" ] || ln -s "$one" "$scratch/bin"; done
    ;;
  esac
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

run_bats() { # BUILD FILE.bats:NAME
  local status=0 letter regex=''
  while IFS= read -r -n 1 letter; do
    if [[ $letter = [a-zA-Z0-9' ',:] ]]; then regex+=$letter; else regex+="[$letter]"; fi
  done < <(printf %s "${2#*:}")
  RACKLINE_BUILD=$1 timeout -k 5 60 "${alone[@]}" bats --tap --filter "^$regex\$" "tests/tools/${2%%:*}" >"$log" 2>&1 </dev/null || status=$?
  verdict $status "$(grep -cE '^(not )?ok ' "$log")" "$(grep -cE '^ok ' "$log")"
}

without() { # NAME TEST WHAT
  local units=$build/tests programs=$build status=0 unit
  : >"$log"
  if [ -e "$rules/$1.patch" ]; then
    units=$scratch/bin programs=$scratch
    make_patched "$1" "$2" || status=9
  else
    export RULE_OFF=$1
  fi
  if [ $status = 0 ]; then
    case $2 in
    unit:*)
      for unit in $(units_of "$2"); do
        status=0
        run_unit "$units/$unit" "${2#unit:}" || status=$?
        [ $status = 1 ] || break
      done
      ;;
    *) run_bats "$programs" "$2" || status=$? ;;
    esac
  fi
  case $status in
  0) not_ok "$(title "$@"): the test passes without it" ;;
  1) ok "$(title "$@"): fails without it" ;;
  2) not_ok "$(title "$@"): some of the tests pass without it" ;;
  3) not_ok "$(title "$@"): there is no such test" ;;
  *) not_ok "$(title "$@"): it does not build without it" ;;
  esac
}

if [ -n "$one" ]; then
  patterns=("$one")
  IFS=$'\t' read -r name test what < <(table)
  without "$name" "$test" "$what" >"$scratch/said" </dev/null
  cat "$scratch/said"
  exit
fi

check_all >"$scratch/checked"
if [ $check = yes ] || [ $failed -gt 0 ]; then
  if [ $check = yes ]; then cat "$scratch/checked"; else grep -v '^ok ' "$scratch/checked"; fi
  echo "$passed passed, $failed failed"
  [ $failed = 0 ] && [ $passed -gt 0 ] && exit
  exit 1
fi

passed=0
mapfile -t tests < <(table | cut -f 2 | sort -u)
mapfile -t programs < <(for test in "${tests[@]}"; do
  case $test in unit:*) ;; *) program_of "$test" ;; esac
done | sort -u)
# "PROGRAM SUITE.NAME" of each unit test.
mapfile -t homes < <(printf '%s\n' "${tests[@]}" | sed -n 's/^unit://p' | tr : '\n' | sort -u |
  while read -r name; do echo "$(unit_of_test "$name") $name"; done)
mapfile -t units < <(printf '%s\n' "${homes[@]}" | cut -d ' ' -f 1 | sort -u | grep .)
copy_tree
build_copy "${units[@]}" ${programs[@]:+programs}

# Only a test that passes with the rule says something by failing without it.
for unit in "${units[@]}"; do
  filter=$(printf '%s\n' "${homes[@]}" | sed -n "s/^$unit //p" | paste -sd :)
  run_unit "$build/tests/$unit" "$filter" || not_ok "all: these do not pass with the rules in place"
done
for test in "${tests[@]}"; do
  case $test in unit:*) continue ;; esac
  run_bats "$build" "$test" || not_ok "all: $test does not pass with the rules in place"
done

# One process for each processor, where each has a network of its own.
processors=1
[ ${#alone[@]} = 0 ] || processors=$(nproc)
mapfile -t names < <(table | cut -f 1)
printf '%s\n' "${names[@]}" | xargs -P "$processors" -n 1 tests/rules/run.sh --one | tee "$scratch/said" || true
: >"$log"
passed=$(grep -c '^ok rule ' "$scratch/said" || true)
failed=$((failed + $(grep -c '^not ok rule ' "$scratch/said" || true)))
# One that ended early has proven nothing.
for name in "${names[@]}"; do
  grep -qE "^(not )?ok rule .*\($name, " "$scratch/said" || not_ok "${name%%-*}: $name ended early"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ "$passed" -gt 0 ]
