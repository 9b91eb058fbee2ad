# SPDX-License-Identifier: Apache-2.0
# What the reservation ledger has granted, on real hypervisors: measured in the guests, read back from libvirt, found again
# when somebody has changed it, and undone.
load ../helper
load ../migrate

setup_file() {
  lab up --sizes 2:4096,2:4096 >&2
  lab inventory >"$RACKLINE_INVENTORY"
  local vm
  for vm in db n1 n2 n3; do lab vm create "$vm" --host h1 >&2; done
  lab vm wait db n1 n2 n3 --timeout 240 >&2
  on_cluster reserve pool add h1 --capacity cpu=2,memory=4GiB --host h1 >&2
}

teardown_file() { lab down >&2; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

work() { lab vm ask "$1" | jq .cpu_work; }

# share: how many times as much as a neighbour db gets done in 8 s while all burn.
share() {
  local before=() after=() vm
  for vm in db n1 n2 n3; do before+=("$(work $vm)"); done
  sleep 8
  for vm in db n1 n2 n3; do after+=("$(work $vm)"); done
  awk "BEGIN {printf \"%.2f\", 3 * (${after[0]} - ${before[0]}) / (${after[1]} + ${after[2]} + ${after[3]} - ${before[1]} - ${before[2]} - ${before[3]})}"
}

schedinfo() { on_cluster virsh -q -c "$(uri h1)" schedinfo "$1" | awk -v name="$2" '$1 == name {print $3}'; }
applied() { jq -r "select(.kind == \"reservation_applied\" and .setting == \"$1\").outcome" <<<"$output"; }

@test "a reserved virtual server keeps its CPU share while its neighbours burn, and loses it with its reservation" {
  local vm plain reserved weight
  for vm in db n1 n2 n3; do lab vm load $vm --cpu 100 >&2; done
  plain=$(share)
  weight=$(schedinfo db cpu_shares)
  on_cluster reserve claim h1 --owner shop --amount cpu=1.5 --vm db --id shop
  run -0 on_cluster reserve apply --timeout 20s
  rackline-records --check <<<"$output"
  assert_equal "$(applied cpu_shares)" applied
  assert [ "$(schedinfo db cpu_shares)" -ge $((weight * 4)) ]
  reserved=$(share)
  echo "db gets $plain times the work of a neighbour without, $reserved times with a reservation of 1.5 of 2 CPUs" >&3
  awk "BEGIN {exit !($plain < 1.7 && $reserved > 2 * $plain)}"

  # Somebody turns at it: found, told, and set again.
  on_cluster virsh -q -c "$(uri h1)" schedinfo db --live --set cpu_shares=77 >&2
  run -0 on_cluster reserve apply -n --timeout 20s
  assert_equal "$(applied cpu_shares)" drift
  assert_equal "$(schedinfo db cpu_shares)" 77
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied cpu_shares)" drift
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied cpu_shares)" already

  on_cluster reserve release shop
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied cpu_shares)" undone
  assert_equal "$(schedinfo db cpu_shares)" "$weight"
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied cpu_shares)" ""
  for vm in db n1 n2 n3; do lab vm load $vm --cpu 0 >&2; done
}

@test "limits become quotas of CPU and memory, where the host offers them, and are undone" {
  on_cluster reserve claim h1 --owner ci --amount cpu=0.1,memory=64MiB --limit cpu=0.5,memory=2GiB --vm n1 --id ci
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied vcpu_quota)" applied
  assert_equal "$(schedinfo n1 vcpu_quota)" 50000
  assert_equal "$(applied memory_limit)" applied
  assert_equal "$(applied memory_guarantee)" unsupported
  on_cluster reserve release ci
  run -0 on_cluster reserve apply --timeout 20s
  assert_equal "$(applied vcpu_quota)" undone
  assert [ "$(schedinfo n1 vcpu_quota)" -lt 0 ]
}

@test "one that runs nowhere is told; a host that does not answer is exit 3 and keeps nobody waiting" {
  on_cluster reserve claim h1 --owner ghost --amount cpu=0.1 --vm nowhere --id ghost
  run -1 --separate-stderr on_cluster reserve apply --timeout 20s
  assert_equal "$(jq -r 'select(.setting == "vm").reason' <<<"$output")" "it runs on no host"
  on_cluster reserve release ghost
  lab freeze --libvirtd h2
  run -3 --separate-stderr on_cluster reserve apply --timeout 2s
  lab thaw --libvirtd h2
}
