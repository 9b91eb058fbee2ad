# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One BMC per host: OpenIPMI's simulator on UDP 623 at its own address, in its own network namespace. It lives apart from the
# host, so the host's death does not touch it.

bmc_up() { # HOST
  local h=$1 n=${1#h} d=$STATE/hosts/$1/bmc
  mkdir -p "$d/state"
  echo ok >"$d/mode"
  echo default >"$d/boot"
  cat >"$d/lan.conf" <<END
name "$h"
set_working_mc 0x20
  startlan 1
    addr $BMC_NET.$((10 + n)) 623
    priv_limit admin
    allowed_auths_admin md5
    guid $(printf '72616b6c000040008000%012d' "$n")
  endlan
  chassis_control "$LAB_HOME/lib/bmc-chassis $LAB_HOME/lab $BASE $BUILD $LAB $h"
  user 1 true "" "" user 10 none
  user 2 true "admin" "$(<"$STATE/bmc-password")" admin 10 md5
END
  chmod 600 "$d/lan.conf"
  cat >"$d/sim.emu" <<END
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
END
  spawn infra "$d/pid" "$d/log" unshare --net -- "$LAB_HOME/lib/bmc-init" "$d" "$BMC_NET.$((10 + n))"
  living "$d/pid" || fail "the BMC of $h did not start: $d/log"
  wait_until 5 own_network "$PID" || fail "the BMC of $h has no network namespace"
  living "$d/pid"
  port_commands "$h.bmc" bmc "$PID" eth0 "52:54:00:79:00:$(printf %02x "$n")" | in_switch ip -batch -
}

bmc_command() { # HOST ok|deaf|liar
  [ $# = 2 ] || usage_error "bmc HOST ok|deaf|liar"
  need_lab
  host_number "$1"
  local d=$STATE/hosts/$1/bmc half
  [[ $2 =~ ^(ok|deaf|liar)$ ]] || usage_error "a BMC is ok, deaf or liar, not $2"
  living "$d/pid" || fail_with 3 "the BMC of $1 is not running: $d/log"
  # Deaf: it drops what comes from everywhere (no route back, so the kernel refuses the sender), with no answer of any kind. A
  # stopped simulator would instead act on the queued commands when it is let go.
  for half in $BMC_NET.0/25 $BMC_NET.128/25; do
    if [ "$2" = deaf ]; then
      nsenter -t "$PID" -n -- ip route replace blackhole "$half"
    else
      nsenter -t "$PID" -n -- ip route delete blackhole "$half" 2>/dev/null || true
    fi
  done
  echo "$2" >"$d/mode"
}
