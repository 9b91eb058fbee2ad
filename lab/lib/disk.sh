# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Disks of guests. As a file on the shared storage, QEMU's own lock keeps a second copy of the guest from starting. Over NBD
# nothing does: whoever may start a guest must know that it runs nowhere else. That is the point of having it.

readonly DISK_MIB=8 NBD_FIRST_PORT=10800

nbd_up() { # NAME INDEX
  spawn infra "$STATE/vms/$1/nbd.pid" "$STATE/vms/$1/nbd.log" "$LAB_HOME/lib/supervise" nsenter "--net=/proc/$(switch_pid)/ns/net" -- \
    qemu-nbd --persistent --shared=0 --cache=writeback --format=raw --export-name="$1" --bind="$STORAGE_NET.1" --port=$((NBD_FIRST_PORT + $2)) "$STATE/shared/$1.img"
}

switch_pid() { living "$STATE/switch.pid" && printf '%s' "$PID"; }

nbd_listens() { in_switch bash -c "exec 3<>/dev/tcp/$STORAGE_NET.1/$((NBD_FIRST_PORT + $1))" 2>/dev/null; }

nbd_down() { # NAME
  local -a children=()
  if living "$STATE/vms/$1/nbd.pid"; then
    kill -STOP "$PID" # or it would start the next one between the two signals
    read -r -a children <"/proc/$PID/task/$PID/children" || true
    [ ${#children[@]} = 0 ] || kill -KILL "${children[@]}" 2>/dev/null || true
    end_process "$STATE/vms/$1/nbd.pid"
  fi
}
