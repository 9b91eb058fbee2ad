// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rackline::virt {

// Time in microseconds, since boot, in which at least one task waited for a resource: the kernel's pressure
// stall information (PSI), Documentation/accounting/psi.rst.
//
// libvirt does not carry it, so it is known only of the machine that we run on. The kernel's averages over
// 10, 60 and 300 s were discarded: from the total we have the share of just our window, as of every other
// rate.
struct Pressure {
  std::optional<std::int64_t> cpu_us, memory_us, io_us;
};

// Empty where the kernel has none. `directory` for tests.
Pressure read_pressure(const std::string& directory = "/proc/pressure");

// The total of a file's "some" line.
std::optional<std::int64_t> parse_pressure(std::string_view text);

// Bytes that the kernel of this machine would give to a new program without swapping (MemAvailable). Empty
// where it does not tell. `file` for tests.
std::optional<std::int64_t> read_available_memory(const std::string& file = "/proc/meminfo");

// Whether the libvirt URI is of this machine's own hypervisor: one without a host, and without a socket that
// may lead anywhere. A host of the name localhost is not taken for it, since it may be the end of a tunnel.
bool is_this_machine(std::string_view uri);

}  // namespace rackline::virt
