# SPDX-License-Identifier: Apache-2.0
# The programs on a store of several machines: a real etcd of three members, of which one dies.
# shellcheck disable=SC2154 # stderr is set by run
load ../helper
load ../etcd

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  started=() etcd_pids=()
  etcd_start
  export RACKLINE_STORE=$ETCD_URL/site RACKLINE_INVENTORY=$PWD/inventory RACKLINE_HEARTBEAT_KEY_FILE=$PWD/key
  heartbeat key key
  for h in h1 h2 h3; do echo '{"kind":"host","host":"'"$h"'","uri":"test:///default","shared_storage":["/srv"]}'; done >inventory
}

teardown() {
  local pid
  for pid in "${started[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  etcd_stop
}

watch_as() { # FILE: a controller, as each of several machines runs one
  heartbeat watch --lead --listen 127.0.0.1:0 --interval 200ms --suspect-after 800ms --dead-after 1500ms --start-grace 2s \
    >"$1" 2>"$1.err" &
  started+=("$!")
}
leads() { # FILE
  for _ in $(seq 600); do
    [ -s "$1" ] && return
    sleep 0.1
  done
  fail "$1 does not lead: $(cat "$1.err")"
}

@test "of several controllers one leads; the next follows when it dies, also while a member of etcd is gone" {
  watch_as first
  leads first
  watch_as second
  kill -KILL "${etcd_pids[0]}"
  sleep 2 # longer than the second needs to ask for the lead
  assert_equal "$(wc -c <second)" 0
  kill -0 "${started[0]}"
  kill -KILL "${started[0]}"
  leads second
}

@test "what one machine has kept another one reads, also when a member of etcd has died" {
  run -0 --separate-stderr heartbeat maintenance h2 on
  kill -KILL "${etcd_pids[1]}"
  RACKLINE_STORE=etcd://$(cut -d, -f3 <<<"$ETCD_URL")/site run --separate-stderr heartbeat watch --once --listen 127.0.0.1:0 --start-grace 1s
  assert_equal "$(jq -r 'select(.host=="h2").kind' <<<"$output")" host_maintenance
  reserve pool add rack1 --capacity cpu=4
  run -0 --separate-stderr reserve claim rack1 --owner web --amount cpu=3
  run -1 --separate-stderr reserve claim rack1 --owner db --amount cpu=2
  RACKLINE_STORE=etcd://$(cut -d, -f3 <<<"$ETCD_URL")/site run -0 --separate-stderr reserve list
  assert_output --partial web
}

@test "without a majority of the members: status 3 in time, and which" {
  kill -KILL "${etcd_pids[0]}" "${etcd_pids[1]}"
  run -3 --separate-stderr timeout 60 failover list
  assert_regex "$stderr" "failover: read store: etcd://[^ ]*: no member answers"
  assert_regex "$stderr" 'more than half of the members'
}

@test "an address that is none: status 2" {
  run -2 --separate-stderr failover list --store etcd://
  run -2 --separate-stderr failover list --store etcd://a,,b
  assert_regex "$stderr" 'expected etcd://HOST:PORT'
}

authority() { # NAME: a certificate authority; certificate AUTHORITY NAME: one of its
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 2 -subj "/CN=$1" 2>/dev/null
}
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$2.key" -out "$2.csr" -subj "/O=$2" 2>/dev/null
  openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 2 -out "$2.pem" \
    -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>/dev/null
}

@test "TLS: both sides prove who they are, and etcd's users and passwords hold" {
  authority ours && authority theirs
  certificate ours member && certificate ours admin
  local port peer url
  port=20030 peer=20031
  url=https://127.0.0.1:$port
  setpriv --pdeathsig KILL etcd --name tls --data-dir tls --listen-client-urls "$url" --advertise-client-urls "$url" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "tls=http://127.0.0.1:$peer" --cert-file member.pem --key-file member.key --client-cert-auth \
    --trusted-ca-file ours.pem --logger zap --log-level error >>tls.log 2>&1 3>&- &
  etcd_pids+=("$!")
  export RACKLINE_STORE=etcds://127.0.0.1:$port RACKLINE_ETCD_CACERT=ours.pem RACKLINE_ETCD_CERT=admin.pem RACKLINE_ETCD_KEY=admin.key
  for _ in $(seq 100); do
    reserve list >/dev/null 2>&1 && break
    sleep 0.1
  done
  run -0 --separate-stderr reserve pool add rack1 --capacity cpu=4
  RACKLINE_ETCD_CACERT=theirs.pem run -3 --separate-stderr reserve list
  assert_regex "$stderr" 'no member is trusted: .*(certificate|verif)'
  RACKLINE_ETCD_CERT='' RACKLINE_ETCD_KEY='' run -3 --separate-stderr reserve list

  etcdctl() { ETCDCTL_API=3 command etcdctl --endpoints "$url" --cacert ours.pem --cert member.pem --key member.key "$@" >&2; }
  etcdctl user add root --new-user-password secret
  etcdctl user grant-role root root
  etcdctl auth enable
  run -3 --separate-stderr reserve list
  (umask 077 && echo wrong >password)
  export RACKLINE_ETCD_USER=root RACKLINE_ETCD_PASSWORD_FILE=$PWD/password
  run -3 --separate-stderr reserve list
  refute_regex "$stderr" wrong
  echo secret >password
  run -0 --separate-stderr reserve claim rack1 --owner web --amount cpu=3
  run -0 --separate-stderr reserve list
  assert_output --partial web
}
