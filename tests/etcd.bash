# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An etcd of three members on the loopback: etcd_start sets ETCD_URL and etcd_pids; etcd_stop ends them. Their data is
# in the test's own directory. Their ports are nobody else's: tests/alone.

etcd_member() { # NUMBER
  local client=http://127.0.0.1:${etcd_clients[$1]} peer=http://127.0.0.1:${etcd_peers[$1]}
  # It goes with us, however we end.
  setpriv --pdeathsig KILL etcd --name "m$1" --data-dir "$BATS_TEST_TMPDIR/etcd/m$1" --listen-client-urls "$client" \
    --advertise-client-urls "$client" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "$etcd_cluster" --logger zap --log-level error >>"$BATS_TEST_TMPDIR/etcd/m$1.log" 2>&1 3>&- &
  etcd_pids[$1]=$!
}

etcd_start() {
  command -v etcd >/dev/null || skip "no etcd"
  local n
  etcd_clients=() etcd_peers=() etcd_pids=() etcd_cluster='' ETCD_URL=''
  mkdir -p "$BATS_TEST_TMPDIR/etcd"
  for n in 0 1 2; do
    etcd_clients[n]=$((20010 + n)) etcd_peers[n]=$((20020 + n))
    etcd_cluster+=${etcd_cluster:+,}m$n=http://127.0.0.1:${etcd_peers[n]}
    ETCD_URL+=${ETCD_URL:+,}127.0.0.1:${etcd_clients[n]}
  done
  ETCD_URL=etcd://$ETCD_URL
  export ETCD_URL
  for n in 0 1 2; do etcd_member $n; done
  for n in 0 1 2; do
    until curl -s --noproxy '*' -X POST -d '{"key":"AA=="}' "http://127.0.0.1:${etcd_clients[n]}/v3/kv/range" | grep -q revision; do sleep 0.1; done
  done
}

etcd_stop() {
  local pid
  for pid in "${etcd_pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
