#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers into build-fuzz/ and runs each for a fixed number of inputs, so that a run is the same everywhere
# however fast the machine is. The seeds are made here. A crashing input is left in build-fuzz/ under its name.
#
#     tests/fuzz/run.sh [RUNS]      (10000; ten times as many of the small ones)
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-10000}
build="build-fuzz"

[ -f $build/build.ninja ] || cmake -S tests/fuzz -B $build -G Ninja -DCMAKE_CXX_COMPILER=clang++ >/dev/null
ninja -C $build --quiet

# Seeds: of every kind a record with every field and one with the required fields only; what the reader allows or refuses
# about lines.
seeds=$build/seeds
rm -rf "$seeds" && mkdir -p "$seeds/records" "$seeds/units"
for programs in "${RACKLINE_BUILD:-build-sanitize}" build; do
  [ -x "$programs/bin/rackline-records" ] && break
done
schema=$("$programs/bin/rackline-records" --schema)
# shellcheck disable=SC2016 # jq's variables
value='def value: (.type | if type == "array" then .[0] else . end) as $type
  | if .const then .const
    elif .pattern then "2026-11-22T12:00:00Z"
    elif $type == "string" then "h1"
    elif $type == "integer" then 8589934592
    elif $type == "number" then 12.5
    elif $type == "boolean" then true
    else ["a", "b"] end;'
jq -c "$value"' .oneOf[] | [.properties | to_entries[] | {key, value: (.value | value)}] | from_entries' <<<"$schema" >"$seeds/records/all"
jq -c "$value"' .oneOf[] | .required as $r | [.properties | to_entries[] | select(.key as $k | $r | index($k)) | {key, value: (.value | value)}] | from_entries' \
  <<<"$schema" >"$seeds/records/required"
for stream in all required; do
  split -l 1 "$seeds/records/$stream" "$seeds/records/$stream."
  rm "$seeds/records/$stream"
done
printf '{"kind":"x"}\r\n\n  \n{"a":1,"kind":"e\\u006ed","time":null}{}\n[1]\n"\n{"kind":"end"' >"$seeds/records/odd"
printf '%s' '1.5GiB' >"$seeds/units/size"
printf '%s' '250ms' >"$seeds/units/duration"
printf '%s' '2026-11-22T12:00:00Z' >"$seeds/units/time"
jq -r '.oneOf[].properties | keys[] | "\"\\\"" + . + "\\\"\""' <<<"$schema" | sort -u >"$build/records.dict"
printf '"%s"\n' KiB MiB GiB TiB KB ms h d 1e 0x nan inf - . >"$build/units.dict"

export ASAN_OPTIONS=quarantine_size_mb=16
fuzz() { # FUZZER SEEDS LONGEST RUNS
  local log=$build/$1.log
  if ! "$build/$1" -runs="$4" -seed=1 -max_len="$3" -dict="$build/$2.dict" -artifact_prefix="$build/$1-" -print_final_stats=1 \
    -print_funcs=0 -rss_limit_mb=1024 -timeout=20 "$seeds/$2" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    return 1
  fi
  echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
}
mkdir -p "$seeds/messages"
printf 'RLHB\1\1%080d' 0 >"$seeds/messages/head"
printf '"RLHB"\n' >"$build/messages.dict"
mkdir -p "$seeds/marks"
printf 'rackline-fenced 1 0123456789abcdef 0123456789abcdef 00000000000000000100 f1 h1\n%064d\n' 0 >"$seeds/marks/mark"
printf '"rackline-fenced 1 "\n' >"$build/marks.dict"
mkdir -p "$seeds/lines"
printf '%s\n%s\n' '{"kind":"vm_moved","vm":"a"}' 'no record' |
  "$programs/bin/audit" append --file "$build/lines.trail" --actor a >/dev/null 2>&1 || true
"$programs/bin/audit" redact --file "$build/lines.trail" --line 1 --field record.vm --reason r >/dev/null
split -l 1 "$build/lines.trail" "$seeds/lines/line."
rm -f "$build"/lines.trail*
printf '"%s"\n' ',\"salt\":\"' ',\"salts\":[' '],\"text\":\"' ',\"root\":\"' '\",\"hash\":\"' '{\"redacted\":\"' >"$build/lines.dict"
mkdir -p "$seeds/words"
printf '%s' 'cpu=4,memory=1.5GiB,network=10Gbit,gpu=2' >"$seeds/words/amounts"
printf '%s' 'every weekday 8:30 to 18' >"$seeds/words/rule"
printf '%s' 'mon-thu,sun 22-6' >"$seeds/words/nights"
printf '%s' '2026-11-22 08:00' >"$seeds/words/time"
printf '%s' '{"id":"a","pool":"p","owner":"o","priority":0,"amounts":{"cpu":1000},"spans":[[1,2]],"made":1,"from":1}' >"$seeds/words/claim"
printf '%s' '{"name":"p","since":1,"resources":{"cpu":{"unit":"cores","capacity":1,"ratio":1000,"given":0}}}' >"$seeds/words/pool"
printf '"%s"\n' cpu= memory= KiB TiB Gbit N+1 weekdays daily mon- to 24:00 +2h T12:00:00Z '\"spans\":[[' '\"resources\":{' >"$build/words.dict"
fuzz reserve_words_fuzz words 256 "$((runs * 10))"
fuzz audit_line_fuzz lines 4096 "$runs"
mkdir -p "$seeds/clusters" "$seeds/recordings"
printf 'g1|u1|preferred||\n\nn1|4096|0|2048|10|10|8|M|u1|1|rack:a,hv:x\nn2|4096|0|4096|10|10|8|Y|u1\n\na|1024|10|2|running|Y|n1|n2|drbd|role:dns|1\nb|1|1|1|ADMIN_down|N|n2||ext||1\n\nhtools:iextags:role\nhtools:nlocation:rack\nhtools:migration:hv\n\n|1,1|2,2;3,3|ext|4.0|32.0\n' >"$seeds/clusters/ganeti"
printf 'time,host,vm,cpus,vcpus,memory_bytes,cpu_cores,state,migrating\n2026-11-25T12:00:00Z,h1,,8,,16GiB,,,\n2026-11-25T12:00:00Z,h1,"a ""b""",,2,1,0.5,running,true\r\n2026-11-25T12:05:00Z,h1,,8,,1,,up,\n' >"$seeds/clusters/csv"
printf '"%s"\n' htools: running drbd '|' GiB >"$build/clusters.dict"
for round in 1 2 3; do
  printf '{"kind":"host_sample","time":"2026-11-25T12:00:00Z","tool":"t","host":"h1","state":"up","cpus":8,"cpu_percent":9%d,"memory_bytes":9,"memory_used_bytes":8}\n{"kind":"vm_sample","time":"2026-11-25T12:00:00Z","tool":"t","vm":"a","host":"h1","state":"running","vcpus":2,"cpu_cores":1.9}\n{"kind":"round_end","time":"2026-11-25T12:0%d:00Z","tool":"t","round":%d}\n' "$round" "$round" "$round"
done >"$seeds/recordings/rounds"
cp "$build/records.dict" "$build/recordings.dict"
fuzz import_fuzz clusters 1024 "$((runs * 10))"
fuzz recording_fuzz recordings 2048 "$runs"
mkdir -p "$seeds/roadef"
printf '2 0 1 1 1 2 0 0 9 9 5 5 0 1 1 1 9 9 5 5 1 0 2 1 0 1 1 2 0 3 3 1 1 2 2 1 1 0 1 2 10 1 10 100' >"$seeds/roadef/small"
printf '" 1 "\n" 99999999999 "\n"-1"\n' >"$build/roadef.dict"
fuzz roadef_fuzz roadef 400 "$((runs * 10))"
mkdir -p "$seeds/controllers"
printf ' 72 61 63 6b 6c 69 6e 65 00 00 00 00 00 00 00 01\n' >"$seeds/controllers/guid"
printf '{"UUID":"72616b6c-0000-4000-8000-000000000001"}' >"$seeds/controllers/system"
printf '{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}' >"$seeds/controllers/systems"
printf 'redfish://[::ffff:10.0.0.1]:443' >"$seeds/controllers/address"
printf '"%s"\n' ipmi:// redfish:// @odata.id Members UUID '[::' 0x 010. >"$build/controllers.dict"
fuzz bmc_fuzz controllers 400 "$((runs * 10))"
mkdir -p "$seeds/targets" "$seeds/tgtadm"
printf '\160\0\5\0\0\0\0\12\0\0\0\0\44\0\0\0\0\0' >"$seeds/targets/fixed-sense"
printf '\162\6\52\3\0\0\0\0' >"$seeds/targets/sense"
printf '\0\203\0\14\1\3\0\10\60\0\0\1\0\0\0\1' >"$seeds/targets/naa"
printf '\0\0\0\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\10\0\0\0\0' >"$seeds/targets/extents"
printf '"\\x70\\x00"\n"\\x72"\n"\\x00\\x83"\n"\\x00\\xb2"\n' >"$build/targets.dict"
printf 'Target 1: iqn.2026-11.lab:a\n    I_T nexus information:\n        I_T nexus: 2\n            Initiator: iqn.b alias: none\n            Connection: 0\n                IP Address: 10.0.0.1\n    LUN information:\n        LUN: 1\n            Type: disk\n            Online: Yes\n            Backing store path: /a\n' >"$seeds/tgtadm/targets"
printf 'tgt lun sid rd_subm(sz,cmds) rd_done(sz,cmds) wr_subm(sz,cmds) wr_done(sz,cmds) errs\n1 1 2 3 4 3 4 5 6 5 6 0\n' >"$seeds/tgtadm/counters"
printf '8180:16:512:/a\n9f3a:4096:100:25\n' >"$seeds/tgtadm/files"
printf '"%s"\n' 'Target ' 'LUN: ' 'I_T nexus' ': ' '    ' '\x0a' Yes >"$build/tgtadm.dict"
fuzz iscsi_fuzz targets 512 "$((runs * 10))"
fuzz tgt_text_fuzz tgtadm 2048 "$runs"
fuzz fence_mark_fuzz marks 512 "$((runs * 10))"
fuzz message_fuzz messages 400 "$((runs * 10))"
fuzz units_fuzz units 64 "$((runs * 10))"
fuzz record_reader_fuzz records 1024 "$runs"
