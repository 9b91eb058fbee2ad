// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "record/kind.h"

namespace rackline::series {

// Records as Prometheus reads them: text format 0.0.4, https://prometheus.io/docs/instrumenting/
// exposition_formats/. Each number of a record is a gauge, named after its field by Prometheus' rules: base
// units (ratio for percent, seconds for milliseconds, hertz), the unit last, the object as labels.
// What is not known has no sample.
class Metrics {
 public:
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  using Id = std::size_t;
  struct Gauge {
    const record::Field* field;
    Id family;
    double scale;
  };
  using Table = std::vector<Gauge>;  // of the fields of a kind

  // A gauge for each number of the kind but those in `names`, which name something and measure nothing.
  Table declare(const record::Kind& kind, std::string_view prefix,
                std::initializer_list<std::string_view> names = {});
  // One that is no field. `type` as the format has it.
  Id family(std::string name, std::string help, const char* type = "gauge");

  // `labels` as made by label(), with commas between.
  void sample(Id family, std::string_view labels, double value);
  void samples(const Table& table, const void* record, std::string_view labels);
  // What was sampled since the last page.
  std::string page();

 private:
  // A metric with all its samples, which the format wants together.
  struct Family {
    std::string name, help;
    const char* type;
    std::string samples;
  };
  std::vector<Family> families_;
};

// name="value", escaped.
std::string label(std::string_view name, std::string_view value);

}  // namespace rackline::series
