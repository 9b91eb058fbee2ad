// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/self_fence.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"

namespace rackline::heartbeat {
namespace {

namespace fs = std::filesystem;

// Whether it is the emulator that runs `vm`: libvirt gives each its "guest=NAME,...", with every comma of the
// name doubled.
bool runs(int pid, const std::string& vm) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string command = text.str();
  std::string guest = "guest=";
  for (const char c : vm) guest += c == ',' ? std::string(",,") : std::string(1, c);
  const auto at = command.find(guest);
  if (at == std::string::npos) return false;
  const auto after = at + guest.size();
  return after == command.size() || command[after] == ',' || command[after] == '\0';
}

// Waits until none of them lives; those that do after `patience`.
std::vector<QemuProcess> living(const std::string& run_directory, Milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto left = qemu_processes(run_directory);
    if (left.empty() || std::chrono::steady_clock::now() >= until) return left;
    std::this_thread::sleep_for(Milliseconds{20});
  }
}

}  // namespace

std::vector<QemuProcess> qemu_processes(const std::string& run_directory) {
  std::vector<QemuProcess> found;
  std::error_code error;
  for (fs::directory_iterator i(run_directory, error), end; !error && i != end; i.increment(error)) {
    if (i->path().extension() != ".pid") continue;
    int pid = 0;
    std::ifstream(i->path()) >> pid;
    const std::string vm = i->path().stem();
    if (pid > 1 && runs(pid, vm)) found.push_back({vm, pid});
  }
  return found;
}

SelfFenced self_fence(virt::HostWorker& libvirt, const std::string& run_directory, Milliseconds patience) {
  SelfFenced result;
  const auto before = qemu_processes(run_directory);
  try {
    libvirt.run(
        [](virt::Connection& connection) {
          for (const auto& domain : connection.domains(VIR_CONNECT_LIST_DOMAINS_ACTIVE)) {
            virDomainDestroyFlags(domain.get(), VIR_DOMAIN_DESTROY_DEFAULT);
          }
        },
        patience);
  } catch (const Error&) {
    // It hangs or is gone: the processes are what counts.
  }
  const auto survivors = living(run_directory, Milliseconds{200});
  for (const auto& process : survivors) kill(process.pid, SIGKILL);
  const auto left = living(run_directory, survivors.empty() ? Milliseconds{0} : patience);
  const auto among = [](const std::vector<QemuProcess>& processes, const QemuProcess& which) {
    return std::any_of(processes.begin(), processes.end(), [&](const auto& p) { return p.pid == which.pid; });
  };
  for (const auto& process : left) result.left.push_back(process.vm);
  for (const auto& process : survivors) {
    if (!among(left, process)) result.killed.push_back(process.vm);
  }
  for (const auto& process : before) {
    if (!among(left, process) && !among(survivors, process)) result.stopped.push_back(process.vm);
  }
  return result;
}

HardwareWatchdog::HardwareWatchdog(const std::string& path, int timeout_seconds)
    : file_(open(path.c_str(), O_WRONLY | O_CLOEXEC)) {
  if (!file_) throw system_error(Status::kUnreachable, "open the watchdog", path);
  if (ioctl(file_.get(), WDIOC_SETTIMEOUT, &timeout_seconds) != 0)
    throw system_error(Status::kUnreachable, "set the time of the watchdog", path);
}

HardwareWatchdog::~HardwareWatchdog() {
  // The driver takes this letter as "closed on purpose".
  if (!biting_ && write(file_.get(), "V", 1) < 0) return;
}

void HardwareWatchdog::feed() {
  if (!biting_ && write(file_.get(), "\0", 1) < 0) return;  // the next time, or it bites
}

}  // namespace rackline::heartbeat
