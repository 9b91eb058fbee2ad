# SPDX-License-Identifier: Apache-2.0
# The Debian package: what lintian says, and what an administrator sees who installs it on a bare Debian, uses it there
# and removes it again.
load ../helper

setup_file() {
  grep -q '^RACKLINE_SANITIZE:BOOL=ON' "$BUILD/CMakeCache.txt" && skip "programs with sanitizers are not packaged"
  SOURCE_DATE_EPOCH=$(date +%s) && export SOURCE_DATE_EPOCH
  make_package "$BATS_FILE_TMPDIR"
  export DEB=$BATS_FILE_TMPDIR/rackline.deb ROOT=$BATS_FILE_TMPDIR/debian
}

setup() { cd "$BATS_TEST_TMPDIR" || return; }

make_package() {
  (cd "$BUILD" && cpack -G DEB -B "$1/cpack") >"$1/cpack.log" 2>&1 || { cat "$1/cpack.log" && return 1; }
  mv "$1"/cpack/*.deb "$1/rackline.deb" && rm -r "$1/cpack"
}

# A bare Debian with nothing but what the package depends on. Sources are those of this machine.
make_debian() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$1 == "Debian" { print "deb", $3, $2, $4 }' | sort -u >"$BATS_FILE_TMPDIR/sources.list"
  mmdebstrap --quiet --mode=root --variant=essential --dpkgopt=force-unsafe-io \
    --include="$(dpkg-deb -f "$DEB" Depends | sed 's/ ([^)]*)//g; s/ //g; s/|[^,]*//g')" \
    bookworm "$ROOT" - <"$BATS_FILE_TMPDIR/sources.list"
}

inside() { chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

need_debian() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  command -v mmdebstrap >/dev/null || skip "no mmdebstrap"
  [ -d "$ROOT" ] || make_debian
}

install_package() {
  cp "$DEB" "$ROOT/tmp/rackline.deb"
  run -0 inside dpkg -i /tmp/rackline.deb
  rm "$ROOT/tmp/rackline.deb"
}

everything() { # what stands in the file system, but for the package system's own notes
  find "$ROOT" -xdev \( -path "$ROOT/var/lib/dpkg" -o -path "$ROOT/var/log" -o -path "$ROOT/var/cache" \) -prune -o -printf '/%P\n' | sort
}

@test "lintian has nothing to say against it" {
  run -0 lintian --allow-root --tag-display-limit 0 "$DEB"
  assert_output ''
}

@test "its dependencies are those of the programs, and computed" {
  run -0 dpkg-deb -f "$DEB" Depends
  assert_output --regexp 'libc6 \(>= '
  assert_output --partial libvirt0
  assert_output --partial libsimdjson
  refute_output --partial -dev
}

@test "programs are stripped and hardened, and configuration files are marked as such" {
  dpkg-deb -x "$DEB" "$BATS_TEST_TMPDIR/x"
  local program
  for program in "$BATS_TEST_TMPDIR"/x/usr/bin/*; do
    run -0 readelf -S --wide "$program"
    refute_output --partial .debug_info
    refute_output --partial .symtab
    run -0 readelf -hld --wide "$program"
    assert_output --regexp 'Type: +DYN'
    assert_output --partial GNU_RELRO
    assert_output --regexp 'Flags: NOW PIE'
    assert_output --regexp 'GNU_STACK .* RW '
  done
  (cd "$BATS_TEST_TMPDIR/x" && find etc -type f -printf '/%p\n' | sort) >files
  dpkg-deb --info "$DEB" conffiles | sort | diff - files
}

@test "two builds of one version are the same, byte for byte" {
  mkdir "$BATS_TEST_TMPDIR/again"
  make_package "$BATS_TEST_TMPDIR/again"
  cmp "$DEB" "$BATS_TEST_TMPDIR/again/rackline.deb"
}

@test "the systemd units are sound, and none is enabled" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  dpkg-deb -x "$DEB" "$BATS_TEST_TMPDIR/x"
  SYSTEMD_UNIT_PATH=$BATS_TEST_TMPDIR/x/lib/systemd/system: run -0 systemd-analyze verify --man=no \
    "$BATS_TEST_TMPDIR"/x/lib/systemd/system/*
  assert_output ''
  run -0 systemd-analyze security --offline=yes --threshold=30 --root="$BATS_TEST_TMPDIR/x" rackline-agent.service \
    rackline-audit.service rackline-balance.service rackline-capwatch.service rackline-failover.service \
    rackline-failed@x.service rackline-refresh.service rackline-reserve.service
  run find "$BATS_TEST_TMPDIR/x" -type l
  assert_output ''
}

@test "it installs on a bare Debian, its programs run there, and purging leaves nothing behind" {
  need_debian
  everything >before
  install_package

  local program
  for program in $(programs); do
    run -0 inside "$program" --version
    assert_output --partial "$program (rackline)"
    run -0 --separate-stderr inside "$program" __complete -
    assert_line --regexp '^--help'
    assert_file_exists "$ROOT/usr/share/man/man1/$program.1.gz"
    assert_file_exists "$ROOT/usr/share/bash-completion/completions/$program"
    assert_file_exists "$ROOT/usr/share/fish/vendor_completions.d/$program.fish"
    grep -qw "$program" "$ROOT/usr/share/zsh/vendor-completions/_rackline"
  done
  run -0 inside sh -c 'rackline-records --schema vm_move | grep -c score_before'

  # A pipe of programs: the planner's answer to samples is a sound stream.
  cat >"$ROOT/tmp/samples" <<'END'
{"kind":"host_sample","time":"2026-11-22T12:00:00Z","tool":"test","host":"h1","state":"up","cpus":8,"cpu_percent":5,"memory_bytes":8589934592,"memory_free_bytes":8000000000,"memory_allocated_bytes":0}
{"kind":"round_end","time":"2026-11-22T12:00:00Z","tool":"test","round":1,"hosts":1,"hosts_up":1,"vms":0}
{"kind":"end","time":"2026-11-22T12:00:00Z","tool":"test","outcome":"ok"}
END
  run -0 --separate-stderr inside bash -o pipefail -c 'capplan balance </tmp/samples | rackline-records --check -o json'
  assert_output --partial '"outcome":"ok"'
  rm "$ROOT/tmp/samples"

  mkdir -p "$ROOT/var/lib/rackline" "$ROOT/var/log/rackline"
  touch "$ROOT/var/lib/rackline/state.db" "$ROOT/var/log/rackline/night.jsonl"
  run -0 inside dpkg --purge rackline
  everything >after
  run -0 diff before after
}

@test "a purge keeps the audit trail unless somebody says that it may go" {
  need_debian
  local trail=$ROOT/var/lib/rackline/audit.jsonl
  fill() {
    install_package
    mkdir -p "${trail%/*}"
    touch "$trail" "$trail.000001.zst" "$trail.head" "${trail%/*}/state.db"
  }
  fill
  run -0 inside DEBIAN_FRONTEND=noninteractive dpkg --purge rackline
  assert_output --partial 'rackline: the audit trail is kept: /var/lib/rackline/audit.jsonl'
  run -0 ls "${trail%/*}"
  assert_output $'audit.jsonl\naudit.jsonl.000001.zst\naudit.jsonl.head'
  # The answer of somebody who was asked, or who wrote it down before.
  fill
  echo 'rackline rackline/purge-trail boolean true' | inside debconf-set-selections
  run -0 inside DEBIAN_FRONTEND=noninteractive dpkg --purge rackline
  refute_output --partial 'kept'
  assert_not_exist "${trail%/*}"
}

@test "an upgrade restarts what runs" {
  need_debian
  install_package
  # What it would say to systemd, if that ran there.
  mkdir -p "$ROOT/run/systemd/system"
  printf '#!/bin/sh\necho "$*" >>/tmp/said\n' >"$ROOT/usr/bin/systemctl"
  chmod +x "$ROOT/usr/bin/systemctl"
  install_package
  run -0 grep try-restart "$ROOT/tmp/said"
  assert_output --partial 'rackline-agent.service'
  assert_output --partial 'rackline-failover.service'
  refute_output --partial 'rackline-balance.service' # it would roll back what it moves
  run -0 inside dpkg --purge rackline
  assert [ "$(grep -c ' stop \|^stop ' "$ROOT/tmp/said")" -ge 1 ]
}
