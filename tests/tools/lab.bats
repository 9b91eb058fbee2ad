# SPDX-License-Identifier: Apache-2.0
# The practice cluster itself: what the other tests take for granted. One lab serves all tests here, in the order of the file.
bats_require_minimum_version 1.5.0

setup_file() {
  export LAB_PROGRAM=$BATS_TEST_DIRNAME/../../lab/lab
  export RACKLINE_LAB=bats$$ RACKLINE_LAB_DIR=${RACKLINE_LAB_DIR:-/var/tmp/rackline-lab-bats$$}
  export STATE=$RACKLINE_LAB_DIR/$RACKLINE_LAB
  "$LAB_PROGRAM" prepare
  "$LAB_PROGRAM" up --hosts 3
  "$LAB_PROGRAM" vm create mover --host h1 --dirty-mb 8 --dirty-rate-mbps 10
  "$LAB_PROGRAM" vm create still --host h2 --disk nbd --group web --priority 7
}

teardown_file() {
  "$LAB_PROGRAM" down
}

setup() {
  bats_load_library bats-support
  bats_load_library bats-assert
}

lab() { "$LAB_PROGRAM" "$@"; }
bmc() { lab exec ipmitool -I lanplus -C 3 -H "10.79.0.1$1" -U admin -f "$STATE/bmc-password" "${@:2}"; }
virsh_on() { lab exec virsh -q -c "qemu+tcp://10.77.0.1$1/system" "${@:2}"; }

# What a lab could leave behind, apart from those that run anyway.
traces() {
  local p
  for p in /proc/[0-9]*; do
    grep -qs "$1" "$p/environ" "$p/cmdline" && echo "process ${p#/proc/}: $(tr '\0' ' ' <"$p/cmdline")"
  done | grep -v bats
  grep -h "$1" /proc/self/mountinfo || true
  [ ! -e "$2" ] || echo "directory $2"
  find /sys/fs/cgroup -maxdepth 2 -name "rackline-$3" 2>/dev/null
}

@test "up: a second time it says so and is content" {
  run --separate-stderr lab up
  assert_success
  assert_output ''
  # shellcheck disable=SC2154 # run sets it
  [[ $stderr == *"already up"* ]]
}

@test "inventory: one record per host" {
  run --separate-stderr lab inventory
  assert_success
  assert_equal "$(jq -r '[.kind,.tool,.host,.uri,.bmc,.shared_storage[0]]|join(" ")' <<<"$output" | tail -1)" \
    "host lab h3 qemu+tcp://10.77.0.13/system ipmi://10.79.0.13 /var/lib/libvirt/images"
  assert_equal "$(wc -l <<<"$output")" 3
}

@test "hosts: each is a machine of its own size" {
  run --separate-stderr virsh_on 1 nodeinfo
  assert_line --regexp '^CPU\(s\): +8$'
  assert_line --regexp '^Memory size: +16777216 KiB$'
  run --separate-stderr virsh_on 2 nodememstats
  assert_line --regexp '^total *: +8388608 KiB$'
}

@test "vm: runs, answers, and is known by its metadata" {
  lab vm wait mover still
  run --separate-stderr lab vm verify
  assert_success
  assert_line 'mover: ok on h1'
  assert_line 'still: ok on h2'
  run --separate-stderr virsh_on 2 metadata still urn:rackline:vm:1
  assert_output --partial 'anti_affinity="web"'
  run --separate-stderr lab vm list
  assert_line --regexp '^still +h2 +running +10\.78\.0\.11 +96 +1 +nbd$'
}

@test "figures: a busy guest is one busy CPU of its host's four" {
  lab vm load still --cpu 100
  sleep 2
  # under emulation a little more than the guest's own: QEMU's other threads
  run --separate-stderr virsh_on 2 nodecpustats --percent
  lab vm load still --cpu 0
  local usage
  usage=$(awk '/^usage:/ {print int($2)}' <<<"$output")
  assert [ "$usage" -ge 15 ]
  assert [ "$usage" -le 45 ]
}

@test "live migration of a guest that rewrites its memory: it answers all the time and nothing is damaged" {
  lab vm watch mover --seconds 8 >"$BATS_TEST_TMPDIR/watch" &
  sleep 1
  virsh_on 1 migrate --live --p2p --unsafe --persistent --undefinesource mover qemu+tcp://10.77.0.12/system
  wait $!
  run --separate-stderr jq -e '.restarts == 0 and .counter_went_back == 0 and .corrupt == 0 and .longest_gap_ms < 4000' "$BATS_TEST_TMPDIR/watch"
  assert_success
  run --separate-stderr lab vm verify mover
  assert_success
  assert_output 'mover: ok on h2'
}

@test "BMC: power off and on, read back, and a liar and a deaf one" {
  run --separate-stderr bmc 3 chassis power status
  assert_output 'Chassis Power is on'
  lab bmc h3 liar
  bmc 3 chassis power off
  run --separate-stderr bmc 3 chassis power status
  assert_output 'Chassis Power is on'
  lab bmc h3 ok
  bmc 3 chassis power off
  run --separate-stderr bmc 3 chassis power status
  assert_output 'Chassis Power is off'
  assert_equal "$(lab status | awk '$1 == "h3" {print $3}')" off
  bmc 3 chassis power on
  run --separate-stderr bmc 3 chassis power status
  assert_output 'Chassis Power is on'
  lab bmc h3 deaf
  run --separate-stderr timeout 3 "$LAB_PROGRAM" exec ipmitool -I lanplus -C 3 -N 1 -R 1 -H 10.79.0.13 -U admin -f "$STATE/bmc-password" chassis power status
  assert_failure
  lab bmc h3 ok
  lab boot h3 # waits until its libvirtd answers
  virsh_on 3 hostname
}

@test "cut and heal, freeze and thaw: silent, then there again" {
  lab cut h3
  run timeout 2 "$LAB_PROGRAM" exec virsh -c qemu+tcp://10.77.0.13/system hostname
  assert_failure 124
  lab heal h3
  virsh_on 3 hostname
  lab freeze h3
  run timeout 2 "$LAB_PROGRAM" exec virsh -c qemu+tcp://10.77.0.13/system hostname
  assert_failure 124
  lab thaw h3
  virsh_on 3 hostname
  lab freeze --libvirtd h3
  run timeout 2 "$LAB_PROGRAM" exec virsh -c qemu+tcp://10.77.0.13/system hostname
  assert_failure 124
  lab thaw --libvirtd h3
  virsh_on 3 hostname
}

@test "cut --storage: what the guest does on its disk hangs, and goes on" {
  local before after
  lab cut --storage h2
  sleep 0.5
  before=$(lab vm ask mover | jq .count)
  sleep 1
  after=$(lab vm ask mover | jq .count)
  lab heal --storage h2
  assert_equal "$before" "$after"
  run --separate-stderr lab vm verify
  assert_success
}

@test "split brain: a file's lock refuses the second copy; over NBD the guests notice" {
  local vm
  for vm in mover still; do lab vm xml "$vm" | lab exec virsh -q -c qemu+tcp://10.77.0.13/system define /dev/stdin; done
  lab cut h2
  run virsh_on 3 start mover
  assert_failure
  assert_output --partial 'lock'
  virsh_on 3 start still
  lab vm wait still
  sleep 1
  lab heal h2
  run --separate-stderr lab vm verify still
  assert_failure 1
  assert_output --partial 'runs on h2 and h3'
  run grep -c 'split brain' "$STATE/shared/still.console"
  assert_success
  virsh_on 3 undefine mover
}

@test "kill and boot: a power failure" {
  lab kill h2
  assert_equal "$(lab status | awk '$1 == "h2" {print $3}')" off
  run --separate-stderr lab vm verify mover
  assert_failure 1
  assert_output 'mover: runs on no host'
  lab boot h2
  virsh_on 2 start mover
  lab vm wait mover
  run --separate-stderr lab vm verify mover
  assert_success
  assert_equal "$(lab vm ask mover | jq .boots)" 2
}

@test "two labs side by side, and down leaves nothing even after its starter was killed" {
  local token dir=$BATS_TEST_TMPDIR/labs pid
  export -n STATE
  RACKLINE_LAB_DIR=$dir "$LAB_PROGRAM" --lab other up --hosts 2 &
  pid=$!
  for _ in {1..200}; do [ -s "$dir/other/hosts/h1/init.pid" ] && break; sleep 0.05; done
  kill -KILL $pid
  wait $pid || true
  token=$(<"$dir/other/token")
  RACKLINE_LAB_DIR=$dir "$LAB_PROGRAM" --lab other down
  run traces "$dir" "$dir/other" "$token"
  assert_output ''
  RACKLINE_LAB_DIR=$dir "$LAB_PROGRAM" --lab other up --hosts 2
  token=$(<"$dir/other/token")
  run --separate-stderr env RACKLINE_LAB_DIR="$dir" "$LAB_PROGRAM" --lab other vm list
  refute_line --partial mover
  run --separate-stderr lab vm verify mover
  assert_success
  # whatever dies first
  kill -KILL "$(cut -d' ' -f1 "$dir/other/hosts/h1/unshare.pid")" "$(cut -d' ' -f1 "$dir/other/switch.pid")"
  RACKLINE_LAB_DIR=$dir "$LAB_PROGRAM" --lab other down
  run traces "$dir" "$dir/other" "$token"
  assert_output ''
  RACKLINE_LAB_DIR=$dir "$LAB_PROGRAM" --lab other down
}
