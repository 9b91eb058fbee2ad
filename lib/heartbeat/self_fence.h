// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "virt/worker.h"

namespace rackline::heartbeat {

// The QEMU processes of this machine, as libvirtd's pid files name them.
struct QemuProcess {
  std::string vm;
  int pid = 0;
};

// Those of `run_directory` (libvirt's /run/libvirt/qemu) that live. A pid file that a crash left behind, and
// of which the number is some other program's by now, is none.
std::vector<QemuProcess> qemu_processes(const std::string& run_directory);

struct SelfFenced {
  std::vector<std::string> stopped;  // by libvirtd
  std::vector<std::string> killed;   // their QEMU process was
  std::vector<std::string> left;     // still there: the kernel does not let them go (storage that hangs)
};

// Stops every VM of this host: through libvirtd, and where it does not do it within `patience`,
// by killing QEMU. It is better that a VM is dead here than that it lives twice.
SelfFenced self_fence(virt::HostWorker& libvirt, const std::string& run_directory, Milliseconds patience);

// A hardware watchdog: the machine is reset when it is not fed in time.
class HardwareWatchdog {
 public:
  // Throws Error(kUnreachable) when there is none at `path`.
  HardwareWatchdog(const std::string& path, int timeout_seconds);
  // Ends the watch in good order where the driver permits it.
  ~HardwareWatchdog();
  HardwareWatchdog(const HardwareWatchdog&) = delete;
  HardwareWatchdog& operator=(const HardwareWatchdog&) = delete;

  void feed();
  // Nothing is fed any more, and the end of the process does not end the watch either.
  void let_it_bite() { biting_ = true; }

 private:
  Fd file_;
  bool biting_ = false;
};

}  // namespace rackline::heartbeat
