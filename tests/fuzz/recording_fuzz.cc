// SPDX-License-Identifier: Apache-2.0
// Recordings from anybody, through the windows: rounds come in the order of time whatever is in the file, and
// what the windows make of any figures can be written.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "record/writer.h"
#include "usage/rounds.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline;
  const Fd file(memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  lseek(file.get(), 0, SEEK_SET);
  record::Reader reader(file.get(), "fuzz", record::Policy::kSkip, {});
  usage::Recording recording(reader, "fuzz", {}, [](const std::string&) {});
  std::size_t page = 0;
  usage::WatchPolicy policy;
  policy.band.hold = Milliseconds{0};
  usage::Rounds rounds(
      {.windows = policy, .record = {}, .metrics = [&](const std::string& text) { page = text.size(); }});
  usage::Recording::Round round;
  Milliseconds last{0};
  try {
    while (recording.next(round)) {
      if (round.at < last) std::abort();
      last = round.at;
      usage::by_host(
          round.hosts, round.vms, [&](const auto& host) { rounds.add(host); },
          [&](const auto& vm) { rounds.add(vm); });
      const auto made = rounds.end_round(round.end, round.at);
      for (const auto& usage : made.hosts) page += record::to_line(usage).size();
      for (const auto& usage : made.vms) page += record::to_line(usage).size();
      for (const auto& fluctuation : made.fluctuations) page += record::to_line(fluctuation).size();
      if (page == 0) std::abort();
    }
  } catch (const Error& error) {
    if (error.status() != Status::kUsage) std::abort();
  }
  return 0;
}
