// SPDX-License-Identifier: Apache-2.0
#include "virt/pressure.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>

namespace rackline::virt {
namespace {

std::optional<std::int64_t> read_total(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return parse_pressure(text);
}

}  // namespace

std::optional<std::int64_t> parse_pressure(std::string_view text) {
  constexpr std::string_view kTotal = " total=";
  if (!text.starts_with("some ")) return std::nullopt;
  text = text.substr(0, text.find('\n'));
  const auto at = text.find(kTotal);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kTotal.size());
  std::int64_t total = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), total);
  if (error != std::errc{} || end != text.data() + text.size() || total < 0) return std::nullopt;
  return total;
}

Pressure read_pressure(const std::string& directory) {
  return {read_total(directory + "/cpu"), read_total(directory + "/memory"), read_total(directory + "/io")};
}

std::optional<std::int64_t> read_available_memory(const std::string& file) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && lines >> kib) return kib * 1024;
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

bool is_this_machine(std::string_view uri) {
  const auto scheme = uri.substr(0, uri.find(':'));
  if (scheme.size() == uri.size() || scheme.starts_with("test")) return false;
  uri.remove_prefix(scheme.size());
  return uri.starts_with(":///") && uri.find("socket=") == std::string_view::npos;
}

}  // namespace rackline::virt
