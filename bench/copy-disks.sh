#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A local disk of 4 GiB moves with its server: migrate --copy-disks beside virsh migrate --copy-storage-all, on the same
# lab, in alternating rounds. The image on the target is compared with that on the source each time.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=bench/common.sh
. bench/common.sh

rounds=${1:-2} mib=${2:-4096}
export RACKLINE_LAB=bench-copy-$$
base=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab}/$RACKLINE_LAB/hosts
at_exit+=("lab/lab down")
lab() { lab/lab "$@"; }
on() { lab exec -- virsh -q -c "qemu+tcp://10.77.0.1$1/system" "${@:2}"; }

heading "A disk of $mib MiB moves with its server, $rounds rounds each"
lab up --hosts 2 >/dev/null 2>&1
lab vm create vm1 --host h1 --no-start >/dev/null
for h in 1 2; do
  lab exec --host h$h -- mkdir -p /var/lib/local
  on $h pool-create-as local dir --target /var/lib/local
done
head -c "${mib}M" /dev/urandom >"$base/h1/lib/local/data.img"
lab vm xml vm1 | sed "s|</devices>|<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/var/lib/local/data.img'/><target dev='vdb' bus='virtio'/></disk></devices>|" >"$scratch/vm1.xml"

ours() { lab exec -- migrate vm1 h2 --copy-disks; }
virsh_way() {
  lab exec -- virsh -c qemu+tcp://10.77.0.11/system migrate vm1 qemu+tcp://10.77.0.12/system --live --p2p --unsafe --persistent --undefinesource --copy-storage-all --migrate-disks vdb
}
for ((round = 1; round <= rounds; round++)); do
  for way in ours virsh_way; do
    on 1 define "$scratch/vm1.xml"
    on 1 start vm1
    lab vm wait vm1 --timeout 180
    seconds $way >>"$scratch/$way.s" && echo >>"$scratch/$way.s"
    [ "$(on 2 domstate vm1 | head -1)" = running ] || { cat "$scratch/out" "$scratch/err" && exit 1; }
    cmp "$base/h1/lib/local/data.img" "$base/h2/lib/local/data.img"
    on 2 destroy vm1
    on 2 undefine vm1
    rm "$base/h2/lib/local/data.img"
    on 2 pool-refresh local
  done
done
for way in ours virsh_way; do row "$way: wall time, median" "$(median <"$scratch/$way.s")" s; done
row "ratio of wall times (target at most 1.0)" "$(calc "$(median <"$scratch/ours.s") / $(median <"$scratch/virsh_way.s")" 2)" ""
