#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lib/README.md tells which folder may include which: the build's order and every include have to agree with it.
load ../helper

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || return
  mapfile -t floors < <(sed -n 's/^| `\([a-z]*\)` |.*/\1/p' lib/README.md)
}

@test "the picture of the house and the build have the same floors in the same order" {
  mapfile -t built < <(tr '\n' ' ' <lib/CMakeLists.txt | grep -oE 'rackline_library\( *[a-z]+' | grep -oE '[a-z]+$')
  assert_equal "${built[*]}" "${floors[*]}"
}

@test "no folder includes one that is above it" {
  local -A height=()
  local i
  for i in "${!floors[@]}"; do height[${floors[i]}]=$i; done
  while IFS=: read -r file include; do
    local from=${file#lib/} to=${include#\#include \"}
    from=${from%%/*} to=${to%%/*}
    [ "${height[$to]:-none}" != none ] || fail "$file includes $to, which is no folder of the house"
    [ "${height[$to]}" -le "${height[$from]}" ] || fail "$file includes $to, which stands above $from"
  done < <(grep -ErHo --include='*.h' --include='*.cc' '^#include "[a-z]+/' lib)
}

@test "only the frame knows CLI11" {
  run grep -rlE '#include <CLI/' lib tools
  for file in "${lines[@]}"; do
    [[ $file == lib/cli/* ]] || fail "$file includes CLI11"
  done
}

@test "only records, the store and readers of outside JSON know its library" {
  run grep -rlE '#include <nlohmann/|#include "store/json.h"' lib tools
  for file in "${lines[@]}"; do
    [[ $file =~ ^lib/(record|store)/ || $file == lib/bmc/reply.cc || $file == lib/audit/* ]] ||
      fail "$file includes nlohmann: describe the document (lib/store/describe.h)"
  done
}
