#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# migrate on real hypervisors: what it did is read from libvirt and from the guests.

load ../helper
load ../migrate

setup_file() { up vm1 vm2; }

teardown_file() { lab down >&2; }

# Every test begins with both on h1.
setup() {
  cd "$BATS_TEST_TMPDIR" || return
  background='' small_disk=''
  local vm at
  for vm in vm1 vm2; do
    at=$(whereabouts "$vm")
    [ "$at" = h1 ] || plan "$at" h1 "$vm" | on_cluster migrate >&2
  done
}

teardown() {
  [ -z "$background" ] || kill -KILL "$background" 2>/dev/null || true
  [ -z "$small_disk" ] || umount -l "$small_disk"
}

# Runs migrate on the plan of the first argument, in the background, with its own process id in $background.
in_background() {
  on_cluster bash -c 'echo $$ >pid; exec migrate "$@"' migrate "${@:2}" <"$1" >out 2>err &
  local deadline=$((SECONDS + 30))
  until [ -s pid ]; do ((SECONDS < deadline)) || fail "migrate did not start"; done
  background=$(<pid)
  runner=$!
}

@test "two servers move at once and never stop counting; the figures are the hypervisor's" {
  plan h1 h2 vm1 vm2 >plan
  run -0 --separate-stderr on_cluster migrate <plan
  assert_equal "$stderr" ""
  assert_equal "$(field .outcome | sort -u)" done
  assert_equal "$(field .live | sort -u)" true
  assert_equal "$(whereabouts vm1) $(whereabouts vm2)" "h2 h2"
  assert [ "$(field '|select(.vm=="vm1").transferred_bytes')" -gt 1000000 ]
  assert [ "$(field '|select(.vm=="vm1").downtime_ms')" -gt 0 ]
  rackline-records --check <<<"$output"
  lab vm verify vm1 vm2
  run -0 --separate-stderr on_cluster migrate <plan
  assert_equal "$(field .outcome | sort -u)" already
}

@test "failover knows at once where a protected server went" {
  on_cluster failover protect vm1 --quiet --timeout 60s >&2 # a libvirtd answers its first question late
  run -0 --separate-stderr on_cluster migrate < <(plan h1 h2 vm1 vm2)
  run -0 --separate-stderr on_cluster failover list -o json
  assert_equal "$(jq -r 'select(.kind=="vm_protected" and .vm=="vm1").host' <<<"$output")" h2
  on_cluster failover unprotect vm1 --timeout 60s >&2
}

@test "a dry run looks and touches nothing" {
  run -0 --separate-stderr on_cluster migrate -n < <(plan h1 h2 vm1)
  assert_equal "$(field '|[.outcome,.planned]|@tsv')" $'planned\ttrue'
  assert_equal "$(whereabouts vm1)" h1
}

@test "what is transient stays transient" {
  local definition
  definition=$(on_cluster virsh -c "$(uri h1)" dumpxml --inactive --security-info vm2)
  on_cluster virsh -c "$(uri h1)" undefine vm2 >&2 # it runs on, and is gone when it stops
  run -0 --separate-stderr on_cluster migrate vm2 h2
  assert_equal "$(whereabouts vm2)" h2
  assert_regex "$(on_cluster virsh -c "$(uri h2)" dominfo vm2)" 'Persistent: *no'
  on_cluster virsh -c "$(uri h2)" define /dev/stdin <<<"$definition" >&2
}

@test "away it goes to a host that serves and has room, and the rules hold" {
  on_cluster heartbeat maintenance h2 on >&2
  run -0 --separate-stderr on_cluster migrate vm1 --away
  assert_equal "$(whereabouts vm1)" h3
  echo '{"kind":"placement_rule","rule":"exclude","vms":["vm2"],"hosts":["h3"]}' >rules
  run -4 --separate-stderr on_cluster migrate vm2 --away --rules rules
  assert_regex "$stderr" "h2: .*maintenance"
  assert_equal "$(whereabouts vm2)" h1
  on_cluster heartbeat maintenance h2 off >&2
  run -0 --separate-stderr on_cluster migrate vm2 --away --rules rules
  assert_equal "$(whereabouts vm2)" h2
  lab vm verify vm1 vm2
}

@test "a stopped server moves as a definition, autostart included" {
  lab vm create cold --host h1 --no-start >&2
  on_cluster virsh -c "$(uri h1)" autostart cold >&2
  run -0 --separate-stderr on_cluster migrate < <(plan h1 h2 cold)
  assert_equal "$(field .live)" false
  assert_equal "$(whereabouts cold)" "h2(off)"
  run on_cluster virsh -c "$(uri h2)" dominfo cold
  assert_output --regexp 'Autostart: +enable'
}

@test "snapshots go along with a stopped server, and a running one that has some is refused" {
  local h1 h2 vm1_disk=/var/lib/libvirt/images/snap.qcow2
  h1=$(uri h1) h2=$(uri h2)
  on_cluster virsh -c "$h1" pool-create-as images dir --target /var/lib/libvirt/images >&2
  on_cluster virsh -c "$h1" vol-create-as images snap.qcow2 1M --format qcow2 >&2
  on_cluster virsh -c "$h1" define /dev/stdin >&2 <<XML
<domain type='qemu'><name>snap</name><memory>1024</memory><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$vm1_disk'/><target dev='vda'/></disk>
</devices></domain>
XML
  on_cluster virsh -c "$h1" snapshot-create-as snap clean >&2
  on_cluster virsh -c "$h1" snapshot-create-as snap patched >&2
  on_cluster virsh -c "$h1" pool-refresh images >&2
  run -0 --separate-stderr on_cluster migrate snap h2
  assert_equal "$(whereabouts snap)" 'h2(off)'
  assert_equal "$(on_cluster virsh -c "$h2" snapshot-list snap --name --topological | paste -sd' ')" 'clean patched '
  assert_equal "$(on_cluster virsh -c "$h2" snapshot-current snap --name)" patched
  on_cluster virsh -c "$h2" snapshot-revert snap clean >&2
  on_cluster virsh -c "$h2" start snap --paused >&2
  run -4 --separate-stderr on_cluster migrate snap h1
  assert_output --partial "it has snapshots"
  on_cluster virsh -c "$h2" destroy snap >&2
  on_cluster virsh -c "$h2" undefine snap --snapshots-metadata >&2
  on_cluster virsh -c "$h1" pool-destroy images >&2
}

@test "a stopped server moves only where all files that its disk rests on are known and shared" {
  local h1
  h1=$(uri h1)
  on_cluster virsh -c "$h1" pool-create-as here dir --target "$BATS_TEST_TMPDIR" >&2
  on_cluster virsh -c "$h1" vol-create-as here base.img 1M --format raw >&2
  on_cluster virsh -c "$h1" pool-create-as images dir --target /var/lib/libvirt/images >&2
  on_cluster virsh -c "$h1" vol-create-as images thin.qcow2 1M --format qcow2 --backing-vol "$BATS_TEST_TMPDIR/base.img" --backing-vol-format raw >&2
  on_cluster virsh -c "$h1" vol-create-as images whole.qcow2 1M --format qcow2 >&2
  local vm
  for vm in thin whole; do
    on_cluster virsh -c "$h1" define /dev/stdin >&2 <<XML
<domain type='qemu'><name>$vm</name><memory>1024</memory><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/libvirt/images/$vm.qcow2'/><target dev='vda'/></disk>
</devices></domain>
XML
  done
  run -4 --separate-stderr on_cluster migrate thin h2
  assert_regex "$(field .reason)" "$BATS_TEST_TMPDIR/base.img.* is not on storage"
  run -0 --separate-stderr on_cluster migrate whole h2
  assert_equal "$(whereabouts whole)" 'h2(off)'
  on_cluster virsh -c "$h1" pool-destroy images >&2
  run -4 --separate-stderr on_cluster migrate thin h2
  assert_regex "$(field .reason)" 'no storage pool of h1 has seen it'
  assert_equal "$(whereabouts thin)" 'h1(off)'
  on_cluster virsh -c "$h1" undefine thin >&2
  on_cluster virsh -c "$(uri h2)" undefine whole >&2
  on_cluster virsh -c "$h1" pool-destroy here >&2
}

# A server like vm1 on h1, with a CD-ROM drive, and an ISO in it that only h1 has.
with_iso() { # NAME
  lab exec --host h1 -- bash -c 'mkdir -p /var/lib/iso && truncate -s 1M /var/lib/iso/debian.iso'
  lab vm create "$1" --host h1 --no-start >&2
  lab vm xml "$1" | sed "s|</devices>|<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/var/lib/iso/debian.iso'/><target dev='sda' bus='sata'/><readonly/></disk></devices>|" >domain.xml
  on_cluster virsh -c "$(uri h1)" define "$PWD/domain.xml" >&2
}

# What is in the drive: of the running server and of its definition.
in_drive() { # NAME HOST
  local flag
  for flag in '' --inactive; do
    # shellcheck disable=SC2086 # none is no word
    on_cluster virsh -c "$(uri "$2")" domblklist $flag "$1" | awk '$1 == "sda" { print $2 }'
  done | paste -sd' '
}

@test "an ISO that the target lacks is ejected by word, and is back when the server does not move" {
  with_iso cd1
  on_cluster virsh -c "$(uri h1)" start cd1 >&2
  lab vm wait cd1 --timeout 180 >&2
  run -4 --separate-stderr on_cluster migrate cd1 h2
  assert_output --partial "--eject"
  assert_equal "$(in_drive cd1 h1)" "/var/lib/iso/debian.iso /var/lib/iso/debian.iso"
  run -1 --separate-stderr on_cluster migrate cd1 h2 --eject --bandwidth 1MiB --deadline 4s
  assert_output --partial "/var/lib/iso/debian.iso is back in its drive sda"
  assert_equal "$(whereabouts cd1) $(in_drive cd1 h1)" "h1 /var/lib/iso/debian.iso /var/lib/iso/debian.iso"
  run -0 --separate-stderr on_cluster migrate cd1 h2 --eject
  assert_equal "$(field '.ejected[0]')" /var/lib/iso/debian.iso
  assert_equal "$(whereabouts cd1) $(in_drive cd1 h2)" "h2 - -"
  lab vm verify cd1
  lab vm destroy cd1 >&2
}

@test "of a stopped server the ISO leaves the definition" {
  with_iso cd2
  run -4 --separate-stderr on_cluster migrate cd2 h2
  assert_output --partial "--eject"
  run -0 --separate-stderr on_cluster migrate cd2 h2 --eject
  assert_equal "$(whereabouts cd2) $(in_drive cd2 h2)" "h2(off) - -"
  lab vm destroy cd2 >&2
}

@test "what is not shared, does not fit, or is another run of the server is refused" {
  jq -c 'if .host == "h2" then .shared_storage = ["/srv/other"] elif .host == "h3" then .memory_reserve_bytes = 1e15 else . end' \
    <"$RACKLINE_INVENTORY" >inventory
  run -4 --separate-stderr on_cluster migrate --inventory "$PWD/inventory" < <(plan h1 h2 vm1)
  assert_output --partial "not on storage that h1 and h2 share"
  run -4 --separate-stderr on_cluster migrate --inventory "$PWD/inventory" < <(plan h1 h3 vm1)
  assert_output --partial "h3 has 0B free"
  local uuid
  uuid=$(on_cluster virsh -c "$(uri h1)" domuuid vm1 | head -1)
  run -4 --separate-stderr on_cluster migrate < <(plan h1 h2 vm1 | jq -c --arg uuid "$uuid" \
    'if .kind=="vm_move" then .uuid = $uuid | .domain_id = 9999 else . end')
  assert_output --partial "restarted after the plan was made"
  assert_equal "$(whereabouts vm1)" h1
}

# What h2 has received by its interface so far.
received() { lab exec --host h2 -- cat "/sys/class/net/$1/statistics/rx_bytes"; }

# The inventory with what each host is in jq's filter.
with() { jq -c "$1" <"$RACKLINE_INVENTORY" >inventory; }

@test "what is sent goes over the network of the inventory, by IPv4 and by IPv6" {
  local host uri fast slow sent
  for host in h1 h2; do lab exec --host $host -- ip address add "fd00:76::${host#h}/64" dev eth2 nodad; done
  # shellcheck disable=SC2016 # jq's
  for uri in '"tcp://10.76.0.1" + .host[1:]' '"tcp://[fd00:76::" + .host[1:] + "]"'; do
    with ".migration_uri = $uri"
    fast=$(received eth2) slow=$(received eth0)
    run -0 --separate-stderr on_cluster migrate --inventory "$PWD/inventory" vm1 h2
    sent=$(field .transferred_bytes)
    assert [ $(($(received eth2) - fast)) -gt "$sent" ]
    assert [ $(($(received eth0) - slow)) -lt $((sent / 10)) ]
    assert_equal "$(whereabouts vm1)" h2
    plan h2 h1 vm1 | on_cluster migrate >&2
  done
  for host in h1 h2; do lab exec --host $host -- ip address del "fd00:76::${host#h}/64" dev eth2; done
}

# Gives each host certificates for its address in the storage network, and has its libvirtd read them.
with_certificates() {
  local host certificates
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=ca \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  for host in h1 h2; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj "/CN=$host" 2>/dev/null
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out cert.pem 2>/dev/null \
      -extfile <(printf 'subjectAltName=IP:10.76.0.1%s\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "${host#h}")
    # shellcheck disable=SC2016 # expanded on the host
    lab exec --host $host -- bash -c 'mkdir -p /etc/libvirt/tls && cp "$1/ca.pem" /etc/libvirt/tls/ca-cert.pem
      for side in server client; do cp "$1/cert.pem" /etc/libvirt/tls/$side-cert.pem; cp "$1/key.pem" /etc/libvirt/tls/$side-key.pem; done
      echo "migrate_tls_x509_cert_dir = \"/etc/libvirt/tls\"" >>/etc/libvirt/qemu.conf
      kill "$(</run/libvirtd.pid)"' _ "$PWD"
  done
  sleep 2
  for host in h1 h2; do
    timeout 30 bash -c "until $REPO/lab/lab exec -- virsh -c $(uri $host) hostname; do sleep 0.2; done" >&2
  done
}

# overheard COMMAND...: how often the guest's command line is in the packets that h2 receives meanwhile.
overheard() {
  cat >listen.py <<'PY'
import signal, socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
wire.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
wire.bind(("eth2", 0))
wire.settimeout(0.2)
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
found = 0
open(sys.argv[1], "w").close()
while True:
    try:
        found += wire.recv(1 << 17).count(b"mitigations=off")
    except socket.timeout:
        if over:
            break
print(found)
PY
  rm -f listening
  # shellcheck disable=SC2016 # expanded on the host
  lab exec --host h2 -- bash -c 'echo $$ >"$1/ear.pid"; exec python3 "$1/listen.py" "$1/listening"' _ "$PWD" >found &
  local ear=$!
  timeout 20 bash -c 'until [ -e listening ]; do sleep 0.05; done'
  "$@" >&2
  # shellcheck disable=SC2016 # expanded on the host
  lab exec --host h2 -- bash -c 'kill -TERM "$(<"$1/ear.pid")"' _ "$PWD"
  wait "$ear"
  cat found
}

@test "with --tls nobody reads the guest's memory on the wire" {
  with '.migration_uri = "tcp://10.76.0.1" + .host[1:]'
  run -1 --separate-stderr on_cluster migrate --inventory "$PWD/inventory" --tls vm1 h2
  assert_equal "$(whereabouts vm1)" h1
  with_certificates
  assert [ "$(overheard on_cluster migrate --inventory "$PWD/inventory" vm1 h2)" -gt 0 ]
  plan h2 h1 vm1 | on_cluster migrate >&2
  assert_equal "$(overheard on_cluster migrate --inventory "$PWD/inventory" --tls vm1 h2)" 0
  assert_equal "$(whereabouts vm1)" h2
  lab vm verify vm1 vm2
}

@test "local disks go along by word: the contents are the same, and the originals stay" {
  local_server local1
  run -4 --separate-stderr on_cluster migrate local1 h2
  assert_output --partial "--copy-disks"
  run -4 --separate-stderr on_cluster migrate local1 h3 --copy-disks
  assert_output --partial "h3 has no active storage pool at /var/lib/local"
  lab exec --host h2 -- bash -c 'echo mine >/var/lib/local/local1.qcow2'
  run -4 --separate-stderr on_cluster migrate local1 h2 --copy-disks
  assert_output --partial "h2 has a file /var/lib/local/local1.qcow2 already"
  assert_equal "$(lab exec --host h2 -- cat /var/lib/local/local1.qcow2)" mine
  lab exec --host h2 -- rm /var/lib/local/local1.qcow2
  run -0 --separate-stderr on_cluster migrate -n local1 h2 --copy-disks
  assert_equal "$(local_files h2)" ""

  run -0 --separate-stderr on_cluster migrate local1 h2 --copy-disks --bandwidth 16MiB --progress json
  assert_equal "$(field '.copied | join(" ")')" "/var/lib/local/local1.img /var/lib/local/local1.qcow2"
  assert [ "$(field .copied_bytes)" -ge $((48 << 20)) ]
  assert [ "$(jq -s '[.[] | select(.kind == "progress" and .disk_total_bytes > 0)] | length' <<<"$output")" -gt 0 ]
  assert_equal "$(whereabouts local1)" h2
  lab vm verify local1
  same_data local1
  assert_equal "$(local_files h1)" "local1.img local1.qcow2"
  run -4 --separate-stderr on_cluster migrate local1 h1 --copy-disks
  lab vm destroy local1 >&2
}

@test "when the copy of its disks is given up, the source runs on its own and the target has nothing" {
  local_server local2
  run -1 --separate-stderr on_cluster migrate local2 h2 --copy-disks --bandwidth 1MiB --deadline 6s
  assert_equal "$(field .outcome)" cancelled
  assert_equal "$(whereabouts local2)" h1
  refute_regex "$(local_files h2)" local2
  assert_equal "$(local_files h1 | grep -o 'local2[^ ]*' | paste -sd' ')" "local2.img local2.qcow2"
  lab vm verify local2
  # Which host has a pool is no matter of the load.
  echo '{"kind":"placement_rule","rule":"exclude","vms":["local2"],"hosts":["h3"]}' >rules
  run -0 --separate-stderr on_cluster migrate local2 --away --rules rules --copy-disks
  assert_equal "$(whereabouts local2)" h2
  same_data local2
  lab vm verify local2
  lab vm destroy local2 >&2
}

@test "at its deadline a migration is aborted: the source runs, the target has nothing" {
  run -1 --separate-stderr on_cluster migrate --bandwidth 1MiB --deadline 4s < <(plan h1 h2 vm1)
  assert_equal "$(field .outcome)" cancelled
  assert_output --partial deadline
  assert_equal "$(whereabouts vm1)" h1
  lab vm verify vm1 vm2
}

@test "SIGINT rolls back what runs and begins nothing more" {
  plan h1 h2 vm1 vm2 >plan
  in_background plan --bandwidth 1MiB --max-total 1
  wait_for_job vm1 h1
  kill -INT "$background"
  wait "$runner" || assert_equal $? 130
  output=$(<out)
  assert_equal "$(field '|[.vm,.outcome]|@tsv' | sort)" $'vm1\tcancelled\nvm2\tcancelled'
  assert_equal "$(jq -r 'select(.kind=="end").outcome' <out)" interrupted
  assert_equal "$(whereabouts vm1) $(whereabouts vm2)" "h1 h1"
  run -0 --separate-stderr on_cluster migrate <plan
  assert_equal "$(whereabouts vm1) $(whereabouts vm2)" "h2 h2"
  lab vm verify vm1 vm2
}

# bats test_tags=long
@test "a guest that outruns the network goes to post-copy only by consent, and says so" {
  lab vm load vm1 --dirty-mb 32 --dirty-rate-mbps 60 >&2
  run -1 --separate-stderr on_cluster migrate --bandwidth 8MiB --deadline 15s < <(plan h1 h2 vm1)
  assert_equal "$(field '|[.outcome,.postcopy]|@tsv')" $'cancelled\tfalse'
  assert_equal "$(whereabouts vm1)" h1
  run -0 --separate-stderr on_cluster migrate --bandwidth 8MiB --deadline 200s --allow-postcopy --progress json < <(plan h1 h2 vm1)
  lab vm load vm1 --dirty-mb 8 --dirty-rate-mbps 4 >&2
  assert_equal "$(field '|[.outcome,.postcopy]|@tsv')" $'done\ttrue'
  assert_regex "$stderr" "loses the guest"
  assert_output --partial "post-copy, guest at risk"
  assert_equal "$(whereabouts vm1)" h2
  lab vm verify vm1 vm2
}

@test "when nobody reads the results any more, nothing new is begun" {
  plan h1 h2 vm1 vm2 >plan
  on_cluster bash -c 'migrate --max-total 1 <plan | true'
  assert_equal "$(whereabouts vm1) $(whereabouts vm2)" "h2 h1"
}

@test "with a full disk under the store nothing is begun" {
  small_disk=$PWD/small
  mkdir small
  mount -t tmpfs -o size=256k,mode=700 tmpfs small
  plan h1 h1 vm1 | on_cluster migrate --store "sqlite:$PWD/small/state.db" >&2 || true
  dd if=/dev/zero of=small/fill bs=4k 2>/dev/null || true
  run --separate-stderr on_cluster migrate --store "sqlite:$PWD/small/state.db" < <(plan h1 h2 vm1)
  assert_failure
  assert_regex "$output$stderr" "full|No space left"
  assert_equal "$(whereabouts vm1)" h1
}
