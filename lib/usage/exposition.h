// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "record/kinds_capacity.h"
#include "record/kinds_stream.h"

namespace rackline::usage {

// Rounds of records as Prometheus reads them: text format 0.0.4, https://prometheus.io/docs/instrumenting/
// exposition_formats/. Each number of a record is a gauge, named after its field by Prometheus' rules: base
// units (ratio for percent, seconds for milliseconds, hertz), the unit last, the object as labels.
// What is not known has no sample.
class Exposition {
 public:
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  Exposition();

  // Records of the present round.
  void add(const record::HostSample& host);
  void add(const record::VmSample& vm);
  void add(const record::HostUsage& usage);
  void add(const record::VmUsage& usage);
  void add(const record::Fluctuation& fluctuation);
  // Closes the round: its page.
  std::string page(const record::RoundEnd& end);

 private:
  // A metric with all its samples, which the format wants together.
  struct Family {
    std::string name, help;
    const char* type;
    std::string samples;
  };
  struct Numbers {
    const record::Field* field;
    std::size_t family;
    double scale;
  };
  using Table = std::vector<Numbers>;  // of the fields of a kind

  Table declare(const record::Kind& kind, std::string_view prefix);
  std::size_t family(std::string name, std::string help, const char* type = "gauge");
  void sample(std::size_t family, std::string_view labels, double value);
  void samples(const Table& table, const void* record, std::string_view labels);

  std::vector<Family> families_;
  Table host_, vm_, host_usage_, vm_usage_;
  std::size_t up_, info_, running_, fluctuations_, outside_, rounds_, duration_, timestamp_;
  std::map<std::string, std::int64_t> counted_;  // fluctuations, by their labels
  std::map<std::string, std::string> out_;       // labels of those that last, by id
  std::int64_t round_count_ = 0;
};

}  // namespace rackline::usage
