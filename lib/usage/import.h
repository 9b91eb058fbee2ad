// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "record/kinds_capacity.h"
#include "record/kinds_inventory.h"
#include "record/kinds_stream.h"

namespace rackline::usage {

// A cluster that another program saved, as the records that a sampled one would have. What the file does not
// tell is null.
struct Imported {
  struct Round {
    std::optional<record::Time> time;  // empty: the file does not tell
    std::vector<record::HostSample> hosts;
    std::vector<record::VmSample> vms;
    // Set by load() alone, as are the times of the samples.
    record::RoundEnd end;
    Milliseconds at{0};
  };
  std::vector<record::PlacementRule> rules;
  std::vector<Round> rounds;
  std::vector<std::string> notes;  // what the file asks for and no record says: for a person
};

// Reads the file, "-" for stdin, of the format, ganeti or csv. Rounds of which it does not tell the time have
// that when it was last written, so that the same file always gives the same records; from a pipe, `now`.
// A VM of which the file does not tell the load is taken to keep `assumed_percent` of each of its
// virtual CPUs busy, or to be unknown. Throws Error(kUsage).
Imported load(const std::string& format, const std::string& path, record::Time now,
              std::optional<double> assumed_percent = {});

// Both throw Error(kUsage) with the line for what they cannot read: half a cluster is none.

// Ganeti's text format, as its htools read and write it: htools(1), "text backend"; and gnt-cluster's hscan.
Imported read_ganeti(std::string_view text, const std::string& source);

// A table with a header of the names of fields of host_sample and vm_sample; capwatch(1), CSV.
Imported read_csv(std::string_view text, const std::string& source);

namespace detail {
// The text up to the next line end, which is taken from `text` too.
std::string_view take_line(std::string_view& text);
// For an error: what is no printable character becomes '?', and what is long is cut.
std::string shown(std::string_view text);
// Fills in what follows from the rest of a round: the sums of each host over its VMs. `assumed`: of loads
// that the file does not tell something is assumed.
void complete(Imported::Round& round, bool assumed = false);
}  // namespace detail

}  // namespace rackline::usage
