# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded first by every .bats file (load ../helper): the programs under test in PATH, and nothing of the
# developer's own settings. RACKLINE_BUILD names another build directory than build/, and RACKLINE_LAB_DIR another
# place for practice clusters.

bats_require_minimum_version 1.8.0
# bats loads this file again for every test, so nothing here starts a process that need not be. What load.bash of these
# libraries starts cost more than most tests.
for file in "${BATS_LIB_PATH%%:*}"/bats-{support,assert,file}/src/*.bash; do
  # shellcheck source=/dev/null
  . "$file"
done

pushd "${BASH_SOURCE[0]%/*}/.." >/dev/null || exit 1
REPO=$PWD
cd "${RACKLINE_BUILD:-build}" || exit 1
BUILD=$PWD
popd >/dev/null || exit 1
for variable in "${!RACKLINE_@}" "${!XDG_@}" NO_COLOR MANPATH; do
  [ "$variable" = RACKLINE_LAB_DIR ] || unset "$variable"
done
export RACKLINE_BUILD=$BUILD
export REPO LC_ALL=C TZ=UTC TERM=dumb PATH=$BUILD/bin:$PATH
export HOME=${BATS_TEST_TMPDIR:-${BATS_FILE_TMPDIR:-$BATS_RUN_TMPDIR}}/home
mkdir -p "$HOME"

# The programs that are installed. bin/ may also hold helpers of the tests, which have no manual page.
programs() {
  local program
  for program in "$BUILD"/completions/bash/*; do
    basename "$program"
  done
}
