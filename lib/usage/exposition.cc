// SPDX-License-Identifier: Apache-2.0
#include "usage/exposition.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace rackline::usage {
namespace {

using record::Field;
using record::Type;

struct Unit {
  std::string_view suffix, base;
  double scale;
};
// The longest first, where one is the end of another.
constexpr std::array kUnits{
    Unit{"_percent_per_hour", "_ratio_per_second", 0.01 / 3600},
    Unit{"_cores_per_hour", "_cores_per_second", 1.0 / 3600},
    Unit{"_bytes_per_hour", "_bytes_per_second", 1.0 / 3600},
    Unit{"_percent", "_ratio", 0.01},
    Unit{"_ms", "_seconds", 0.001},
    Unit{"_mhz", "_hertz", 1e6},
};

// Numbers that name something and measure nothing.
bool measures(const Field& field) {
  return (field.type == Type::kInteger || field.type == Type::kNumber) && field.name != "domain_id" &&
         field.name != "priority";
}

std::string help_of(const Field& field) {
  std::string text(field.text);
  // A ratio goes from 0 to 1.
  if (const auto at = text.find(", 0 to 100"); at != std::string::npos) text.erase(at);
  std::string escaped;
  for (const char c : text) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return escaped;
}

// The length of the UTF-8 sequence at the start of `text`; 0: it is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond Unicode.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

// One broken byte in a label makes a scraper throw away the whole page.
std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  while (!value.empty()) {
    const std::size_t length = sequence(value);
    if (length == 0) {
      text += "\xef\xbf\xbd";
    } else if (value.front() == '\\' || value.front() == '"') {
      text += '\\';
      text += value.front();
    } else if (value.front() == '\n') {
      text += "\\n";
    } else {
      text += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return text + '"';
}

std::string labels_of(const std::string& vm, const std::string& host) {
  return label("host", host) + "," + label("vm", vm);
}

std::optional<double> value_of(const Field& field, const void* record) {
  const void* at = field.member(const_cast<void*>(record));  // nothing is written there
  const auto value = [&]<class T>(const T*) -> std::optional<double> {
    if (!field.optional) return static_cast<double>(*static_cast<const T*>(at));
    const auto& optional = *static_cast<const std::optional<T>*>(at);
    return optional ? std::optional(static_cast<double>(*optional)) : std::nullopt;
  };
  return field.type == Type::kInteger ? value(static_cast<const std::int64_t*>(nullptr))
                                      : value(static_cast<const double*>(nullptr));
}

}  // namespace

Exposition::Exposition()
    : host_(declare(record::HostSample::kKind, "rackline_host_")),
      vm_(declare(record::VmSample::kKind, "rackline_vm_")),
      host_usage_(declare(record::HostUsage::kKind, "rackline_host_usage_")),
      vm_usage_(declare(record::VmUsage::kKind, "rackline_vm_usage_")),
      up_(family("rackline_host_up", "1: the host answered; 0: it is unreachable or did not answer in time")),
      info_(family("rackline_host_info", "what the host is, as labels; always 1")),
      running_(family("rackline_vm_running", "1: the virtual server runs; 0: it is only there")),
      fluctuations_(family("rackline_fluctuations_total", "times that usage left its band, or was back in it",
                           "counter")),
      outside_(family("rackline_outside_band", "1 while usage is outside its band")),
      rounds_(family("rackline_rounds_total", "rounds that are complete", "counter")),
      duration_(family("rackline_round_duration_seconds", "duration of the last round")),
      timestamp_(family("rackline_round_timestamp_seconds", "when the last round ended, as Unix time")) {}

Exposition::Table Exposition::declare(const record::Kind& kind, std::string_view prefix) {
  Table table;
  for (const Field& field : kind.fields) {
    if (!measures(field)) continue;
    std::string name = std::string(prefix) + std::string(field.name);
    double scale = 1;
    for (const Unit& unit : kUnits) {
      if (!name.ends_with(unit.suffix)) continue;
      name.replace(name.size() - unit.suffix.size(), unit.suffix.size(), unit.base);
      scale = unit.scale;
      break;
    }
    table.push_back({&field, family(std::move(name), help_of(field)), scale});
  }
  return table;
}

std::size_t Exposition::family(std::string name, std::string help, const char* type) {
  families_.push_back({std::move(name), std::move(help), type, {}});
  return families_.size() - 1;
}

void Exposition::sample(std::size_t family, std::string_view labels, double value) {
  Family& f = families_[family];
  f.samples += f.name;
  if (!labels.empty()) {
    f.samples += '{';
    f.samples += labels;
    f.samples += '}';
  }
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  f.samples += ' ';
  f.samples.append(text.data(), end);
  f.samples += '\n';
}

void Exposition::samples(const Table& table, const void* record, std::string_view labels) {
  for (const Numbers& numbers : table) {
    const auto value = value_of(*numbers.field, record);
    if (value && std::isfinite(*value)) sample(numbers.family, labels, *value * numbers.scale);
  }
}

void Exposition::add(const record::HostSample& host) {
  const std::string labels = label("host", host.host);
  sample(up_, labels, host.state == "up" ? 1 : 0);
  samples(host_, &host, labels);
  std::string info = labels;
  if (host.arch) info += "," + label("arch", *host.arch);
  if (host.cpu_model) info += "," + label("cpu_model", *host.cpu_model);
  if (host.failure_domain) info += "," + label("failure_domain", *host.failure_domain);
  if (info != labels) sample(info_, info, 1);
}

void Exposition::add(const record::VmSample& vm) {
  const std::string labels = labels_of(vm.vm, vm.host);
  sample(running_, labels, vm.state == "running" ? 1 : 0);
  samples(vm_, &vm, labels);
}

void Exposition::add(const record::HostUsage& usage) {
  samples(host_usage_, &usage, label("host", usage.host));
}

void Exposition::add(const record::VmUsage& usage) {
  samples(vm_usage_, &usage, labels_of(usage.vm, usage.host));
}

void Exposition::add(const record::Fluctuation& fluctuation) {
  const std::string what =
      label("object", fluctuation.object) + "," + label("resource", fluctuation.resource);
  const std::string direction = "," + label("direction", fluctuation.direction);
  ++counted_[what + direction];
  if (fluctuation.direction == "back") {
    out_.erase(fluctuation.cause.value_or(""));
  } else {
    out_[fluctuation.id] = label("host", fluctuation.host) +
                           (fluctuation.vm ? "," + label("vm", *fluctuation.vm) : "") + "," + what +
                           direction;
  }
}

std::string Exposition::page(const record::RoundEnd& end) {
  for (const auto& [labels, count] : counted_) sample(fluctuations_, labels, static_cast<double>(count));
  for (const auto& [id, labels] : out_) sample(outside_, labels, 1);
  sample(rounds_, {}, static_cast<double>(++round_count_));
  if (end.elapsed_ms) sample(duration_, {}, static_cast<double>(*end.elapsed_ms) / 1000);
  sample(timestamp_, {}, static_cast<double>(end.time.time_since_epoch().count()));
  std::size_t size = 0;
  for (const Family& f : families_) size += f.samples.size() + f.help.size() + 3 * f.name.size() + 32;
  std::string page;
  page.reserve(size);
  for (Family& f : families_) {
    if (f.samples.empty()) continue;
    page += "# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.type + "\n";
    page += f.samples;
    f.samples.clear();
  }
  return page;
}

}  // namespace rackline::usage
