# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Control groups: what belongs to the lab. Everything that a lab starts lives below one group, so that `down` finds it all, even
# what was started a moment before its starter was killed and is recorded nowhere.
#
# The group's name holds a random token. The lab's own name would not do: groups are seen machine-wide, and a lab of the same
# name may run in a container or chroot that shares /sys with us.

readonly CGROUPS=/sys/fs/cgroup
# v1: the controllers that libvirt places a guest in, each a tree of its own. v2: one tree.
readonly CONTROLLERS="cpu cpuacct cpuset memory devices freezer blkio pids systemd"

cgroup_v2() { [ -e "$CGROUPS/cgroup.controllers" ]; }

# Sets TREES. Not printed, because a subshell for every question would be most of what bringing up a lab costs.
find_trees() {
  local c
  TREES=()
  if cgroup_v2; then
    TREES=("$CGROUPS")
  else
    for c in $CONTROLLERS; do [ -d "$CGROUPS/$c" ] && TREES+=("$CGROUPS/$c"); done
  fi
  return 0
}

# The tree by which we count and stop processes.
cgroup_main() { if cgroup_v2; then printf '%s' "$CGROUPS"; else printf '%s' "$CGROUPS/freezer"; fi; }

cgroup_name() { printf 'rackline-%s' "$(<"$STATE/token")"; }

cgroup_create() { # NAME (h1, infra)
  local tree group key value name
  name=$(cgroup_name)
  find_trees
  mkdir -p "${TREES[@]/%//$name/$1}"
  for tree in "${TREES[@]}"; do
    group=$tree/$name
    # A host is a machine of its own: its agent may be of the real-time class.
    if [ -e "$tree/cpu.rt_runtime_us" ]; then
      { echo 280000 >"$group/cpu.rt_runtime_us" && echo 40000 >"$group/$1/cpu.rt_runtime_us"; } 2>/dev/null || true
    fi
    if [ "${tree##*/}" = cpuset ]; then
      # a new cpuset is empty, and nothing can be put into an empty one
      for key in cpus mems; do
        read -r value <"$tree/cpuset.$key"
        echo "$value" >"$group/cpuset.$key"
        echo "$value" >"$group/$1/cpuset.$key"
      done
    elif cgroup_v2; then
      echo "+cpu +cpuset +io +memory +pids" >"$group/cgroup.subtree_control" 2>/dev/null || true
    fi
  done
}

# Moves the calling (sub)shell, and with it whatever it then starts.
cgroup_enter() { # NAME
  local tree name
  find_trees
  name=$(cgroup_name)
  for tree in "${TREES[@]}"; do
    # v2: a host's own processes stand in a leaf, because a group with children may hold no process
    if cgroup_v2 && [ -d "$tree/$name/$1/init" ]; then
      echo "$BASHPID" >"$tree/$name/$1/init/cgroup.procs"
    else
      echo "$BASHPID" >"$tree/$name/$1/cgroup.procs"
    fi
  done
}

# Every process in a group and below, one id per line.
cgroup_processes() { # [NAME]
  local top
  top=$(cgroup_main)/$(cgroup_name)${1:+/$1}
  [ -d "$top" ] || return 0
  find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un
}

cgroup_freeze() { # NAME
  if cgroup_v2; then
    echo 1 >"$(cgroup_main)/$(cgroup_name)/$1/cgroup.freeze"
  else
    echo FROZEN >"$(cgroup_main)/$(cgroup_name)/$1/freezer.state"
  fi
}

cgroup_thaw() { # NAME
  local group
  group=$(cgroup_main)/$(cgroup_name)/$1
  [ -d "$group" ] || return 0
  if cgroup_v2; then echo 0 >"$group/cgroup.freeze"; else echo THAWED >"$group/freezer.state"; fi
}

cgroup_frozen() { # NAME
  local group
  group=$(cgroup_main)/$(cgroup_name)/$1
  if cgroup_v2; then
    [ "$(cat "${group}cgroup.freeze" 2>/dev/null)" = 1 ]
  else
    [[ $(cat "$group/freezer.state" 2>/dev/null) =~ FROZEN|FREEZING ]]
  fi
}

# Kills all in a group and below. A frozen process dies only once it is thawed, so that comes after the signal.
cgroup_kill() { # [NAME]
  local pids group try
  for ((try = 0; try < 250; try++)); do
    pids=$(cgroup_processes "$@" | grep -vx 0 || true)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    group=$(cgroup_main)/$(cgroup_name)
    for group in "$group/"${1:-*}/; do
      if cgroup_v2; then
        echo 0 >"${group}cgroup.freeze" 2>/dev/null || true
      else
        echo THAWED >"${group}freezer.state" 2>/dev/null || true
      fi
    done
    pause 0.02
  done
  return 1
}

cgroup_remove_tree() { # DIRECTORY: its groups, deepest first; a group just emptied may be busy for a moment
  local try
  for ((try = 0; try < 50; try++)); do
    [ -d "$1" ] || return 0
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -d "$1" ] || return 0
    pause 0.02
  done
  return 1
}

cgroup_remove() { # [NAME]
  find_trees
  local tree left=0
  for tree in "${TREES[@]}"; do
    cgroup_remove_tree "$tree/$(cgroup_name)${1:+/$1}" || left=1
  done
  return $left
}

# Groups of labs that ended with their container. A living lab always has its switch in the group "infra", and the kernel
# refuses to remove a group with a process in it, even one that belongs to another pid namespace and that we do not see (v1
# leaves those out of cgroup.procs). The age spares a lab that is just being made.
cgroup_sweep() {
  local tree old name
  find_trees
  for tree in "${TREES[@]}"; do
    while read -r old; do
      name=${old##*/}
      if [ -d "$(cgroup_main)/$name/infra" ]; then rmdir "$(cgroup_main)/$name/infra" 2>/dev/null || continue; fi
      cgroup_remove_tree "$old" || true
    done < <(find "$tree" -maxdepth 1 -type d -name 'rackline-*' -mmin +5 2>/dev/null)
  done
}
