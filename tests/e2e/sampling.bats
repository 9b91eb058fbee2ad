# SPDX-License-Identifier: Apache-2.0
# capwatch on real hypervisors, and on some that freeze or are cut off.
load ../helper

setup_file() {
  export LAB_NAME=sampling-$$
  lab up --sizes 2:2048,2:2048,4:3072 >&2
  lab vm create busy --host h1 --cpu 40 --group web --priority 7 >&2
  lab vm create idle --host h2 >&2
  lab vm create off --host h2 --no-start >&2
  lab vm wait busy idle --timeout 120 >&2
}

teardown_file() { lab down >&2; }

lab() { "$REPO/lab/lab" --lab "$LAB_NAME" "$@"; }
on_cluster() { timeout 120 "$REPO/lab/lab" --lab "$LAB_NAME" exec -- bash -o pipefail -c "PATH=$BUILD/bin:\$PATH; $1"; }
virsh_on() { on_cluster "virsh -q -c qemu+tcp://10.77.0.1${1#h}/system ${*:2}"; }

# sampled FILTER: of the records of the last run, one a line.
sampled() { jq -r "$1" <<<"$output"; }

# follow: rounds of capwatch in the background, read by next_state.
follow() {
  mkfifo "$BATS_TEST_TMPDIR/rounds"
  on_cluster "capwatch --interval 1s --window 500ms --timeout 2s" >"$BATS_TEST_TMPDIR/rounds" &
  exec 6<"$BATS_TEST_TMPDIR/rounds"
}

# until_state HOST STATE: reads rounds until the host is in that state, and fails after 40 s.
until_state() {
  local line end=$((SECONDS + 40))
  while read -r -t 10 line <&6 && [ $SECONDS -lt $end ]; do
    [ "$(jq -r 'select(.kind == "host_sample") | "\(.host) \(.state)"' <<<"$line")" != "$1 $2" ] || return 0
  done
  fail "host $1 was never $2"
}

@test "capacity and use are what libvirt and the guest say" {
  run -0 on_cluster 'capwatch --window 4s --timeout 40s'
  rackline-records --check <<<"$output"
  local host cpus kib
  for host in h1 h2 h3; do
    read -r cpus kib <<<"$(virsh_on $host nodeinfo | awk '/^CPU\(s\)/ { cpus = $2 } /^Memory size/ { kib = $3 } END { print cpus, kib }')"
    assert_equal "$(sampled "select(.kind == \"host_sample\" and .host == \"$host\") | \"\(.cpus) \(.memory_bytes / 1024)\"")" "$cpus $kib"
  done
  assert_equal "$(sampled 'select(.vm == "busy") | [.host, .state, .vcpus, .memory_bytes / 1048576, .anti_affinity, .priority] | join(" ")')" \
    "h1 running 1 $(virsh_on h1 dominfo busy | awk '/^Used memory/ { print $3 / 1024 }') web 7"
  assert_equal "$(sampled 'select(.vm == "busy").uuid')" "$(virsh_on h1 domuuid busy)"
  assert_equal "$(sampled 'select(.vm == "busy").domain_id')" "$(virsh_on h1 domid busy)"
  assert_equal "$(sampled 'select(.vm == "off") | [.host, .state, .domain_id, .cpu_cores] | map(tostring) | join(" ")')" "h2 shutoff null null"
  # It works 40 % of the time, and no machine is so slow that the idle one would need as much.
  jq -es 'map(select(.kind == "vm_sample")) | INDEX(.vm) | .busy.cpu_cores > .idle.cpu_cores and .busy.memory_used_bytes > 0
    and .busy.disk_write_bytes_per_second > 0 and .busy.disk_capacity_bytes > 0' <<<"$output"
  # What QEMU and the guest say of wanting more: waiting for a CPU, and memory and swap by the balloon.
  jq -es 'map(select(.kind == "vm_sample")) | INDEX(.vm) | .busy.cpu_steal_percent >= 0 and .busy.memory_usable_bytes > 0
    and .busy.swap_in_bytes_per_second >= 0 and .off.cpu_steal_percent == null' <<<"$output"
  jq -es 'map(select(.kind == "host_sample")) | all(.cpu_steal_percent >= 0 and .memory_ballooned_bytes == 0)' <<<"$output"
  jq -es 'map(select(.kind == "host_sample" and .host == "h1")) | all(.cpu_percent > 5 and .cpu_model != null
    and .memory_used_bytes + .memory_free_bytes == .memory_bytes and .disk_write_bytes_per_second > 0)' <<<"$output"
}

@test "a frozen libvirtd is a timeout, delays no other, and is sampled again when it thaws" {
  follow
  until_state h2 up
  lab freeze --libvirtd h2
  until_state h2 timeout
  until_state h1 up
  lab thaw --libvirtd h2
  until_state h2 up
}

@test "one round with a frozen libvirtd: the others answer as if it were not there" {
  lab freeze --libvirtd h2
  run -0 --separate-stderr on_cluster 'capwatch --window 500ms --timeout 6s'
  lab thaw --libvirtd h2
  assert_equal "$(sampled 'select(.kind == "host_sample") | "\(.host) \(.state)"' | tail -n 1)" "h2 timeout"
  jq -es 'map(select(.kind == "host_sample" and .host != "h2")) | length == 2 and all(.state == "up" and .elapsed_ms < 5000)' <<<"$output"
}

@test "a host whose link is cut is a timeout, and is sampled again when it is healed" {
  follow
  until_state h3 up
  lab cut h3
  until_state h3 timeout
  lab heal h3
  until_state h3 up
}

@test "a virtual server that hangs costs its host one round, not all of them" {
  local qemu
  qemu=$(lab exec --host h2 -- pgrep -f guest=idle)
  lab exec --host h2 -- kill -STOP "$qemu"
  follow
  until_state h2 timeout
  until_state h2 up
  lab exec --host h2 -- kill -CONT "$qemu"
}

@test "a virtual server that comes and goes while it is sampled breaks nothing" {
  on_cluster "for i in 1 2 3 4 5 6; do virsh -q -c qemu+tcp://10.77.0.12/system start off && virsh -q -c qemu+tcp://10.77.0.12/system destroy off; done" >&2 &
  local flapping=$!
  run -0 on_cluster 'capwatch --interval 200ms --window 100ms --count 15 --timeout 10s'
  wait $flapping
  rackline-records --check <<<"$output"
  assert_equal "$(sampled 'select(.kind == "host_sample").state' | sort -u)" up
}
