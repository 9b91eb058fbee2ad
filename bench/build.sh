#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A clean build of everything, tests and lab included, without a compiler cache: seconds, and CPU seconds, which depend less
# on what else the machine does. bench/build.sh OTHER compares it with another checkout, in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
other=${1:+$(realpath "$1")}
# shellcheck source=bench/common.sh
. bench/common.sh

# Builds the TARGETs of a checkout, in addition to what is there, and prints the CPU seconds of its compilers and linkers.
build() { # CHECKOUT DIRECTORY [TARGET...]
  local TIMEFORMAT='%U %S'
  cmake -S "$1" -B "$2" -G Ninja >/dev/null
  { time CCACHE_DISABLE=1 ninja -C "$2" --quiet "${@:3}" >&2; } 2>&1 | awk 'END {printf "%.0f", $1 + $2}'
}

heading "Clean build on $(nproc) cores (target at most 300 s)"
began=$SECONDS
programs=$(build . "$scratch/build" programs)
row "programs and lab" $((SECONDS - began)) "s ($programs s of CPU)"
began=$SECONDS
rest=$(build . "$scratch/build")
row "and the rest: unit tests" $((SECONDS - began)) "s ($rest s of CPU)"
if [ -n "$other" ]; then
  before=$(build "$other" "$scratch/other" programs)
  row "programs and lab of $other" "$before" "s of CPU"
  row "ratio of CPU seconds, ours to theirs" "$(calc "$programs / $before" 2)" ""
fi
