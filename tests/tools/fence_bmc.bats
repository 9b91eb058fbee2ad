# SPDX-License-Identifier: Apache-2.0
# fence and its controllers: whose they are, what agents are told, and what nobody is shown.
# shellcheck disable=SC2154 # run sets stderr
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export RACKLINE_STORE=sqlite:$PWD/state.db RACKLINE_INVENTORY=$PWD/inventory
  umask 022
  mkdir -p fake
  servers=()
}

teardown() {
  local pid
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# A false fence_ipmilan, first in PATH, that keeps what it is told.
false_agent() {
  printf '#!/bin/sh\ncat >%s/got; echo "Status: OFF"; exit 2\n' "$PWD" >"fake/$1"
  chmod +x "fake/$1"
  PATH=$PWD/fake:$PATH
}

# host NAME BMC [FIELDS]
host() { printf '{"kind":"host","host":"%s","uri":"test:///default","bmc":"%s"%s}\n' "$1" "$2" "${3:+,$3}"; }
# method HOST AGENT OPTIONS [FIELDS]
method() { printf '{"kind":"fence_method","host":"%s","level":1,"agent":"%s","options":[%s]%s}\n' "$1" "$2" "$3" "${4:+,$4}"; }

# gone PID: there is no such process, or nobody has waited for it yet.
gone() { ! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null; }

# redfish ADDRESS UUID: a controller with a certificate of its own; its port in $port.
redfish() {
  [ -e bmc.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=bmc -addext subjectAltName=IP:127.0.0.1 2>/dev/null
  cat key cert >bmc.pem
  cat >redfish.py <<'END'
import http.server, json, socket, ssl, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words): pass
    def do_GET(self):
        path = self.path.rstrip("/")
        body = {"/redfish/v1": {"Systems": {"@odata.id": "/redfish/v1/Systems"}},
                "/redfish/v1/Systems": {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}}.get(path, {"PowerState": "On", "UUID": sys.argv[2]})
        if self.headers.get("Authorization") != "Basic b3BzOlRIRS1QQVNTV09SRA==": self.send_response(401)
        else: self.send_response(200)
        text = json.dumps(body).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = Server((sys.argv[1], 0), Answers)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("bmc.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
END
  rm -f port
  mkfifo port
  # shellcheck disable=SC2094 # it is a fifo
  python3 redfish.py "$1" "$2" >port 2>/dev/null 3>&- &
  servers+=($!)
  # shellcheck disable=SC2094
  read -r port <port
  printf THE-PASSWORD >password
  chmod 600 password
  export RACKLINE_BMC_USER=ops RACKLINE_BMC_PASSWORD_FILE=$PWD/password
}

@test "two hosts with one switch are refused by every verb, and both are named" {
  false_agent fence_ipmilan
  { host h1 ipmi://10.0.0.1 && host h2 "ipmi://[::ffff:10.0.0.1]:623"; } >inventory
  local verb
  for verb in 'status' 'verify' 'unfence h1' '--resume' '--confirm-manual h1' ''; do
    # shellcheck disable=SC2086 # words
    run -2 --separate-stderr fence $verb </dev/null
    assert_regex "$stderr" 'hosts h1 and h2: one and the same power switch .*fence_ipmilan'
  done
  [ ! -e got ]
}

@test "two plugs of one outlet strip are two switches" {
  { host h1 ipmi://10.0.0.1 && host h2 ipmi://10.0.0.2 && method h1 fence_x '"ip=pdu","plug=1"' && method h2 fence_x '"ip=pdu","plug=2"'; } >inventory
  false_agent fence_x
  run -0 --separate-stderr fence status
}

@test "controllers have no plugs, and an agent under another name is the same agent" {
  false_agent fence_ipmilan
  ln -s fence_ipmilan fake/fence_bmc
  cp fake/fence_ipmilan fake/fence_mine
  local other
  for other in fence_ipmilan fence_bmc fence_mine "$PWD/fake/fence_bmc" fence_redfish; do
    { host h1 ipmi://10.0.0.1 && host h2 ipmi://10.0.0.2 && method h1 fence_ipmilan '"ip=10.0.0.9","plug=h1"' && method h2 "$other" '"ip=10.0.0.9","plug=h1"'; } >inventory
    run -2 --separate-stderr fence status
    assert_regex "$stderr" 'hosts h1 and h2: one and the same power switch'
  done
  { host h1 ipmi://10.0.0.1 && host h2 ipmi://10.0.0.2 && method h1 fence_ipmilan '"ip=10.0.0.9","plug=h1"' && method h2 fence_ipmilan '"ip=10.0.0.9","plug=h2"'; } >inventory
  run -2 --separate-stderr fence status
  assert_regex "$stderr" 'hosts h1 and h2: one and the same power switch'
  [ ! -e got ]
}

@test "no option gets out of its place in a command line, writes a file, shows a secret or makes off of missing" {
  false_agent fence_virsh
  local option
  for option in 'port_as_ip=1' 'plug=10.0.0.9 -E chassis power on' 'plug=a;b' 'username=-oProxyCommand=x' 'missing_as_off=1' 'community=public' \
    'secret_key=abc' 'token=abc' "logfile=$PWD/victim" 'ssh_path=/bin/sh -c x'; do
    { host h1 ipmi://10.0.0.1 && method h1 fence_virsh "\"ip=x\",\"$option\""; } >inventory
    run -2 --separate-stderr fence status
    assert_regex "$stderr" "${option%%=*}"
    refute_regex "$stderr" 'abc|public|-E|ProxyCommand'
  done
  [ ! -e got ]
}

@test "an agent that others may write or replace is refused" {
  false_agent fence_x
  { host h1 ipmi://10.0.0.1 && method h1 fence_x '"ip=pdu"'; } >inventory
  chmod 777 fake/fence_x
  run -2 --separate-stderr fence status
  assert_regex "$stderr" 'agent names a file that others may write'
  chmod 755 fake/fence_x
  chmod 777 fake
  run -2 --separate-stderr fence status
  assert_regex "$stderr" 'agent names a file in a directory that others may write'
  [ ! -e got ]
  chmod 755 fake
}

@test "what an agent has started is gone with it, also when fence is killed" {
  { host h1 ipmi://10.0.0.1 && method h1 "$PWD/fake/leaver" '"ip=x"'; } >inventory
  cat >fake/leaver <<END
#!/bin/bash
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
echo \$! >$PWD/left
sleep "\$(cat $PWD/nap)"
echo "Status: ON"
END
  chmod +x fake/leaver
  echo 0.3 >nap
  run -0 --separate-stderr fence status
  gone "$(cat left)"
  rm left
  echo 1000 >nap
  fence status --timeout 60s >/dev/null 2>&1 3>&- &
  local pid=$! i
  for ((i = 0; i < 100; ++i)); do
    if [ -s left ]; then break; fi
    sleep 0.1
  done
  sleep 0.3
  kill -KILL "$pid"
  for ((i = 0; i < 100; ++i)); do
    if gone "$(cat left)"; then break; fi
    sleep 0.1
  done
  gone "$(cat left)"
}

@test "no control character reaches an agent, wherever it comes from, and the action stands last" {
  false_agent fence_ipmilan
  host h1 ipmi://10.0.0.1 >inventory
  run -2 --separate-stderr fence status --bmc-user $'adm\naction=off'
  RACKLINE_BMC_USER=$'adm\raction=off' run -2 --separate-stderr fence status
  host h1 'ipmi://10.0.0.1\raction=off' >inventory
  run -2 --separate-stderr fence status
  { host h1 ipmi://10.0.0.1 && method h1 fence_ipmilan '"ip=x\taction=off"'; } >inventory
  run -2 --separate-stderr fence status
  [ ! -e got ]
  host h1 ipmi://10.0.0.1 >inventory
  run -0 --separate-stderr fence status --bmc-user adm
  assert_equal "$(tail -n 1 got)" action=status
}

@test "a URL with a password is refused and not repeated" {
  local url
  for url in ipmi://admin:s3cretpw@10.9.0.1 redfish://admin:s3cret/pw@10.9.0.1; do
    host h1 "$url" >inventory
    run -2 --separate-stderr fence status
    refute_regex "$output$stderr" 's3cret'
  done
  host h1 ipmi://10.9.0.1 | jq -c '.uri="qemu+tcp://root:s3cretpw@h1/system"' >inventory
  run -2 --separate-stderr fence status
  refute_regex "$output$stderr" 's3cret'
  host h1 ipmi://10.9.0.1 >inventory
  run -2 --separate-stderr fence status --store etcd://root:s3cretpw@10.9.0.1:2379
  refute_regex "$output$stderr" 's3cret'
}

@test "an inventory of methods that others may write is refused" {
  false_agent fence_x
  { host h1 ipmi://10.0.0.1 && method h1 fence_x '"ip=pdu"'; } >inventory
  chmod 666 inventory
  run -4 --separate-stderr fence status
  [ ! -e got ]
  # A bmc says where the password is sent.
  host h1 ipmi://10.0.0.1 >inventory
  chmod 666 inventory
  run -4 --separate-stderr fence status
}

@test "redfish: an IPv6 address, and a certificate that is refused, named or accepted" {
  redfish ::1 72616b6c-0000-4000-8000-000000000001
  host h1 "redfish://[::1]:$port" '"bmc_tls":"insecure"' >inventory
  run -0 --separate-stderr fence status
  assert_equal "$(jq -r 'select(.kind=="host_power").power' <<<"$output")" on
  redfish 127.0.0.1 72616b6c-0000-4000-8000-000000000001
  host h1 "redfish://127.0.0.1:$port" >inventory
  run -3 --separate-stderr fence status
  assert_regex "$(jq -r 'select(.kind=="host_power").reason' <<<"$output")" 'certificate'
  refute_regex "$output$stderr" 'for usage|THE-PASSWORD'
  host h1 "redfish://127.0.0.1:$port" "\"bmc_ca_file\":\"$PWD/cert\"" >inventory
  run -0 --separate-stderr fence status
  run -3 --separate-stderr fence verify
  assert_equal "$(jq -r 'select(.kind=="host_identity")|[.identity,.bmc_uuid]|@tsv' <<<"$output")" $'unknown\t72616b6c-0000-4000-8000-000000000001'
}

@test "verify: controllers of one system are a mismatch, and are not used any more" {
  redfish 127.0.0.1 72616b6c-0000-4000-8000-000000000001
  host h1 "redfish://127.0.0.1:$port" '"bmc_tls":"insecure"' >inventory
  redfish 127.0.0.1 6c6b6172-0000-0040-8000-000000000001
  host h2 "redfish://127.0.0.1:$port" '"bmc_tls":"insecure"' >>inventory
  run -1 --separate-stderr fence verify -n
  run -0 --separate-stderr fence status
  run -1 --separate-stderr fence verify
  assert_equal "$(jq -r 'select(.kind=="host_identity")|[.host,.identity]|join(" ")' <<<"$output")" $'h1 mismatch\nh2 mismatch'
  run -3 --separate-stderr fence status h1
  assert_regex "$(jq -r 'select(.kind=="host_power").reason' <<<"$output")" 'switches another system than h1'
}

@test "verify: two controllers of one system are found although they are asked apart" {
  redfish 127.0.0.1 72616b6c-0000-4000-8000-000000000001
  host h1 "redfish://127.0.0.1:$port" '"bmc_tls":"insecure"' >inventory
  redfish 127.0.0.1 72616b6c-0000-4000-8000-000000000001
  host h2 "redfish://127.0.0.1:$port" '"bmc_tls":"insecure"' >>inventory
  run -3 --separate-stderr fence verify h1
  run -0 --separate-stderr fence status h1
  run -1 --separate-stderr fence verify h2
  run -3 --separate-stderr fence status h1
  assert_regex "$(jq -r 'select(.kind=="host_power").reason' <<<"$output")" 'switches another system than h1'
}

@test "--require-identity uses no switch that is not confirmed" {
  false_agent fence_ipmilan
  host h1 ipmi://10.0.0.1 >inventory
  run -0 --separate-stderr fence status
  rm got
  run -3 --separate-stderr fence --require-identity status
  assert_regex "$(jq -r 'select(.kind=="host_power").reason' <<<"$output")" 'fence verify h1'
  [ ! -e got ]
}

# Which agents of the package hand a password to another program as an argument: each is run, and all that it
# starts is looked at. A new one in the table has to be known to fence as well.
@test "the agents that show a password are those that get none" {
  command -v strace >/dev/null || skip "there is no strace"
  [ -x /usr/sbin/fence_ipmilan ] || skip "fence-agents is not installed"
  printf '#!/bin/sh\nexit 1\n' >fake/tool
  chmod +x fake/tool
  cat >look <<'END'
#!/bin/bash
printf '%s\n' ip=127.0.0.1 username=u password=THE-PASSWORD plug=1 action=status snmp_version=3 snmp_auth_prot=MD5 {login,shell,power}_timeout=1 \
  {ipmitool,snmpget,snmpset,snmpwalk,amttool,ssh,telnet,gnutlscli,openstack,sudo,powerman}_path="$PWD/fake/tool" exec="$PWD/fake/tool" |
  timeout -k 1 20 strace -f -qq -e trace=execve -s 1000 -o "${1##*/}.trace" "$1" >/dev/null 2>&1
! grep -q THE-PASSWORD "${1##*/}.trace" || echo "${1##*/}"
END
  chmod +x look
  local agents=()
  # Those that could: they are in the table, or start programs.
  mapfile -t agents < <(grep -lE 'run_command|fencing_snmp|frun|_path' /usr/sbin/fence_* | grep -v -e ack_manual -e kdump -e heuristics -e _scsi -e _mpath -e _sbd)
  printf '%s\n' "${agents[@]}" | xargs -P 2 -n 1 ./look | sort >shown
  local agent
  while read -r agent; do
    { host h1 ipmi://10.0.0.1 && method h1 "$agent" '"ip=x"' "\"password_file\":\"$PWD/pw\""; } >inventory
    printf THE-PASSWORD >pw
    chmod 600 pw
    rm -f got
    false_agent "$agent"
    run --separate-stderr fence status
    if [ "$status" = 2 ]; then
      assert_regex "$stderr" "$agent shows a password"
    else
      run -1 grep -q THE-PASSWORD got
    fi
  done <shown
  [ "$(grep -c . shown)" -ge 17 ]
}
