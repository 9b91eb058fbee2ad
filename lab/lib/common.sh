# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Where things are, who is alive, how to say that something went wrong.

say() { [ -n "${QUIET:-}" ] || printf 'lab: %s\n' "$*" >&2; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
fail_with() { local status=$1; shift; printf 'lab: %s\n' "$*" >&2; exit "$status"; }
usage_error() { printf 'lab: %s\nlab: see lab --help\n' "$*" >&2; exit 2; }

# Addresses are the same in every lab: each has a switch of its own, in a network namespace of its own.
readonly MANAGEMENT_NET=10.77.0 GUEST_NET=10.78.0 BMC_NET=10.79.0 STORAGE_NET=10.76.0
readonly MAX_HOSTS=8 IMAGES=/var/lib/libvirt/images

set_paths() {
  [[ $LAB =~ ^[a-z0-9][a-z0-9_-]{0,30}$ ]] || usage_error "a lab's name is of a-z, 0-9, - and _: $LAB"
  BASE=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}
  STATE=$BASE/$LAB
  REPO=$(cd "$LAB_HOME/.." && pwd)
  BUILD=${RACKLINE_BUILD_DIR:-$REPO/build}
  [ "$EUID" = 0 ] || fail "must be run as root: it makes namespaces and cgroups"
}

need_lab() {
  [ -e "$STATE/up" ] || fail_with 3 "lab \"$LAB\" is not up: lab up"
}

# A process is known by its id and its start time: an id alone may since belong to someone else.
start_time() {
  local stat
  # read, because bash 5.2 ends the shell when $(<FILE) finds no file, even where a failure is allowed
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) }
  # field 22 of stat(5), which is the 20th after the name; a zombie counts as gone
  # shellcheck disable=SC2086
  set -- $stat
  [ "$1" != Z ] && [ "$1" != X ] && printf '%s' "${20}"
}

record_process() { # FILE PID
  local started
  started=$(start_time "$2") || return 1
  printf '%s %s\n' "$2" "$started" >"$1.new" && mv "$1.new" "$1"
}

# Sets PID to the process that FILE records, if that very process still lives.
living() { # FILE
  local started
  PID=
  { read -r PID started <"$1"; } 2>/dev/null && [ -n "$started" ] && [ "$(start_time "$PID")" = "$started" ] && return 0
  PID=
  return 1
}

end_process() { # FILE
  if living "$1"; then kill -KILL "$PID" 2>/dev/null || true; fi
  rm -f "$1"
}

# A pause without a process: it waits for a line that never comes. There are hundreds of these in bringing up a lab.
exec {NOTHING}<> <(:)
pause() { read -r -t "$1" -u "$NOTHING" || true; }

# Waits until COMMAND succeeds, at most about SECONDS.
wait_until() { # SECONDS COMMAND...
  local until=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
  shift
  while ! "$@"; do
    [ "${EPOCHREALTIME/[.,]/}" -lt "$until" ] || return 1
    pause 0.03
  done
}

host_number() { # HOST: sets N
  [[ ${1:-} =~ ^h([1-8])$ ]] || usage_error "no such host: ${1:-} (they are called h1, h2, ...)"
  N=${BASH_REMATCH[1]}
  [ -d "$STATE/hosts/$1" ] || fail "lab \"$LAB\" has no host $1"
}

host_names() {
  local d
  for d in "$STATE"/hosts/h[1-8]; do
    [ -d "$d" ] && printf '%s\n' "${d##*/}"
  done
  return 0
}

host_uri() { printf 'qemu+tcp://%s.%d/system' "$MANAGEMENT_NET" $((10 + ${1#h})); }

helper() { printf '%s/%s' "$HELPERS" "$1"; }
