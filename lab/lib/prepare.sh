# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What guests boot from, and the small programs of the lab. Made once, kept in the build directory.

# The helpers come from the project's build; where there is none yet, the lab builds them alone.
find_helpers() {
  local d program source
  for d in "$BUILD/lab" "$BUILD/lab-only"; do
    for source in guest-init.c lab-ask.cc lab-consumer.cc lab-storage.cc lab-figures.cc; do
      program=$d/${source%.*}
      if [ ! -x "$program" ] || [ "$LAB_HOME/src/$source" -nt "$program" ]; then continue 2; fi
    done
    HELPERS=$d
    return 0
  done
  return 1
}

build_helpers() {
  local lock
  find_helpers && return 0
  mkdir -p "$BUILD/lab-only"
  exec {lock}>"$BUILD/lab-only/lock"
  flock "$lock"
  # or another has built them meanwhile
  if find_helpers; then
    exec {lock}>&-
    return 0
  fi
  say "building the lab's helpers"
  { cmake -S "$LAB_HOME" -B "$BUILD/lab-only" -DCMAKE_BUILD_TYPE=Release && cmake --build "$BUILD/lab-only" -j2; } \
    >"$BUILD/lab-only/build.log" 2>&1 || { tail -20 "$BUILD/lab-only/build.log" >&2; fail "the lab's helpers do not build"; }
  find_helpers || fail "the lab's helpers were built, but are not where they should be: $BUILD/lab-only"
  exec {lock}>&-
}

# An unpacked kernel image with its PVH entry starts twice as fast under emulation as the compressed one, which would
# unpack itself with an emulated CPU.
unpack_kernel() { # VMLINUZ OUT
  local magic tool offset
  for magic in '\x02\x21\x4c\x18=lz4 -dc' '\xFD7zXZ\x00=xz -dc --single-stream' '\x1f\x8b\x08=gzip -dc' '\x28\xb5\x2f\xfd=zstd -dc'; do
    tool=${magic#*=}
    command -v "${tool%% *}" >/dev/null || continue
    for offset in $(LC_ALL=C grep -obUaP "${magic%%=*}" "$1" | head -3 | cut -d: -f1); do
      # what follows the compressed part makes the tool complain, after it has written everything
      # shellcheck disable=SC2086
      tail -c "+$((offset + 1))" "$1" | $tool >"$2" 2>/dev/null || true
      [ "$(head -c 4 "$2" | tr -d '\0')" = $'\x7fELF' ] && return 0
    done
  done
  rm -f "$2"
  return 1
}

# Debian's kernel for virtual machines: smaller than the general one, same drivers for what a guest has.
fetch_kernel() { # DIRECTORY
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
  [ -n "$package" ] || fail_with 3 "no linux-image-cloud-amd64 in apt's lists: apt-get update"
  # _apt cannot write here, and the warning about that is of no use to anyone
  (cd "$1" && apt-get download -o APT::Sandbox::User=root "$package" >apt.log 2>&1) || { tail -3 "$1/apt.log" >&2; fail_with 3 "cannot fetch $package"; }
  dpkg -x "$1"/linux-image-*.deb "$1/root"
}

make_initrd() { # KERNEL_ROOT OUT
  local tree module
  tree=$2.tree
  mkdir -p "$tree/modules"
  cp "$(helper guest-init)" "$tree/init"
  for module in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net virtio_balloon; do
    find "$1/lib/modules" -name "$module.ko" -exec cp {} "$tree/modules/" \;
  done
  # not compressed: unpacking would be the guest's work
  (cd "$tree" && find . | cpio --create --format=newc --quiet) >"$2"
  rm -rf "$tree"
}

# /dev/kvm proves nothing: on some machines it is there and guests hang. So boot one.
probe_accelerator() { # DIRECTORY
  local log=$BUILD/lab/kvm-probe.log
  if [ -w /dev/kvm ]; then
    timeout -k 1 5 qemu-system-x86_64 -M pc-q35-7.2,accel=kvm -m 96 -display none -nodefaults -no-reboot -serial "file:$log" \
      -kernel "$1/vmlinux" -initrd "$1/initrd" -append "console=ttyS0 quiet" >/dev/null 2>&1 </dev/null &
    if wait_until 5 grep -qs GUEST-UP "$log"; then
      kill %% 2>/dev/null || true
      echo kvm
      return
    fi
  fi
  echo qemu
}

# Sets GUEST_IMAGE, the directory that guests boot from. Its name follows its contents, so that a running lab keeps its own
# when a newer one is made.
prepare() {
  local lock stamp kernel=$BUILD/lab/kernel work
  build_helpers
  mkdir -p "$BUILD/lab"
  # one at a time: two labs that start together need the same files
  exec {lock}>"$BUILD/lab/prepare.lock"
  flock "$lock"
  stamp=$(cat "$(helper guest-init)" "$LAB_HOME/lib/qemu-wrap" | cksum)
  GUEST_IMAGE=$BUILD/lab/guest-${stamp%% *}
  if [ ! -d "$GUEST_IMAGE" ]; then
    if [ ! -e "$kernel/vmlinux" ]; then
      say "fetching a kernel for the guests"
      rm -rf "$kernel"
      mkdir -p "$kernel"
      fetch_kernel "$kernel"
      unpack_kernel "$(echo "$kernel"/root/boot/vmlinuz-*)" "$kernel/vmlinux.new" || fail "cannot unpack the guests' kernel"
      mv "$kernel/vmlinux.new" "$kernel/vmlinux"
      rm -f "$kernel"/*.deb
    fi
    work=$BUILD/lab/guest.new
    rm -rf "$work"
    mkdir -p "$work"
    ln "$kernel/vmlinux" "$work/vmlinux"
    make_initrd "$kernel/root" "$work/initrd"
    cp "$LAB_HOME/lib/qemu-wrap" "$work/"
    mv "$work" "$GUEST_IMAGE"
  fi
  # the answer holds until the machine is booted again, perhaps as another kind of machine
  if [ "$(head -1 "$BUILD/lab/accelerator" 2>/dev/null)" != "$(</proc/sys/kernel/random/boot_id)" ]; then
    { cat /proc/sys/kernel/random/boot_id; probe_accelerator "$GUEST_IMAGE"; } >"$BUILD/lab/accelerator"
  fi
  exec {lock}>&-
}

guest_accelerator() { tail -1 "$BUILD/lab/accelerator"; }
