#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A clean build of everything, tests and lab included, without a compiler cache.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

clean_build() { cmake -S . -B "$scratch/build" -G Ninja >/dev/null && CCACHE_DISABLE=1 ninja -C "$scratch/build" --quiet "$@"; }
heading "Clean build on $(nproc) cores (target at most 300 s)"
row "programs and lab" "$(seconds clean_build programs)" s
row "and the rest: unit tests" "$(seconds clean_build)" s
