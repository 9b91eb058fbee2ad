#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Evens out the load, from cron:
#
#     */10 * * * * root /usr/share/doc/rackline/examples/balance.sh
#
# cron mails what this says, and it says something only if something is wrong. Two runs do not overlap: the second one
# leaves at once, as does one that finds a migrate started by hand (status 5).
set -uo pipefail
state=${STATE_DIRECTORY:-/var/lib/rackline}

mkdir -p "$state"
exec 9>"$state/balance.lock"
flock -n 9 || exit 0

# What was moved before logrotate(8) began a new file is still history. A host has to be above the threshold in three rounds on end, and what was moved lately stays where it is. A program that
# dies leaves a stream without its end, on which the next one does not act.
# shellcheck disable=SC2094 # lines are appended whole, and what is moved in this run is not yet history
capwatch --interval 20s --count 3 |
  capplan balance --hold 3 --history <(cat "$state/moved.jsonl.1" "$state/moved.jsonl" 2>/dev/null) |
  migrate >>"$state/moved.jsonl"
status=$?
[ $status = 5 ] && exit 0
exit $status
