// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "record/kinds.h"
#include "record/kinds_capacity.h"
#include "record/reference.h"
#include "record/writer.h"
#include "record_support.h"

namespace rackline::record {
namespace {

VmSample sample() {
  VmSample vm;
  vm.time = Time{std::chrono::seconds{1'795'348'800}};
  vm.tool = "capwatch";
  vm.vm = "db1";
  vm.host = "h1";
  vm.state = "running";
  return vm;
}

nlohmann::json parsed(const VmSample& vm) {
  return nlohmann::json::parse(to_line(vm));
}

TEST(Writer, HeadFirstAndWhatIsNotKnownIsNull) {
  const std::string line = to_line(sample());
  EXPECT_TRUE(
      line.starts_with(R"({"kind":"vm_sample","time":"2026-11-22T12:00:00Z","tool":"capwatch","vm":"db1",)"))
      << line;
  EXPECT_TRUE(parsed(sample())["memory_bytes"].is_null());
  EXPECT_FALSE(parsed(sample()).contains("priority"));  // what most records do not have is left out
}

TEST(Writer, NumbersAreExactOrRoundedToSixDecimals) {
  VmSample vm = sample();
  vm.memory_bytes = (std::int64_t{1} << 62) + 1;
  vm.cpu_cores = 0.1 + 0.2;
  vm.cpu_percent = -1e-9;
  EXPECT_EQ(parsed(vm)["memory_bytes"].get<std::int64_t>(), (std::int64_t{1} << 62) + 1);
  EXPECT_NE(to_line(vm).find("\"cpu_cores\":0.3,"), std::string::npos);
  EXPECT_NE(to_line(vm).find("\"cpu_percent\":0.0,"), std::string::npos);
}

TEST(Writer, WhatJsonCannotSayIsNull) {
  VmSample vm = sample();
  vm.cpu_cores = std::nan("");
  vm.cpu_percent = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(parsed(vm)["cpu_cores"].is_null());
  EXPECT_TRUE(parsed(vm)["cpu_percent"].is_null());
  vm.cpu_cores = std::numeric_limits<double>::max();
  EXPECT_EQ(parsed(vm)["cpu_cores"].get<double>(), std::numeric_limits<double>::max());
}

TEST(Writer, OneRecordIsOneLineOfUtf8WhateverItsTextsHold) {
  VmSample vm = sample();
  vm.vm = "a\nb\r\"\\\x01\xff\xc3\xa4";
  const std::string line = to_line(vm);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(parsed(vm)["vm"], "a\nb\r\"\\\x01\xef\xbf\xbd\xc3\xa4");
}

TEST(Writer, ATableShowsWhatPeopleRead) {
  VmSample vm = sample();
  vm.vm = "a\x1b[31m";
  vm.memory_bytes = 8'589'934'592;
  vm.cpu_percent = 12.34;
  vm.disk_read_bytes_per_second = 1048576;
  const auto names = headings(VmSample::kKind, false);
  const auto cells = to_cells(VmSample::kKind, &vm, false);
  ASSERT_EQ(names.size(), cells.size());
  ASSERT_EQ(numeric(VmSample::kKind, false).size(), cells.size());
  const auto cell = [&](std::string_view name) {
    return cells.at(static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin()));
  };
  EXPECT_EQ(cell("VM"), "a?[31m");  // a name cannot colour the terminal
  EXPECT_EQ(cell("MEMORY"), "8GiB");
  EXPECT_EQ(cell("CPU%"), "12.3");
  EXPECT_EQ(cell("READ/S"), "1MiB/s");
  EXPECT_EQ(cell("USED"), "-");
  EXPECT_GT(headings(VmSample::kKind, true).size(), names.size());
}

// What follows from the descriptions must hold for every kind that is ever added.
TEST(Kinds, AreDescribedSoundly) {
  std::set<std::string_view> names;
  for (const Kind* kind : kinds()) {
    EXPECT_TRUE(names.insert(kind->name).second) << kind->name;
    EXPECT_EQ(find_kind(kind->name), kind);
    EXPECT_LE(kind->fields.size(), 64U);  // the reader counts them in 64 bits
    ASSERT_GE(kind->fields.size(), 3U);
    EXPECT_EQ(kind->fields[0].name, "time");
    EXPECT_EQ(kind->fields[1].name, "tool");
    EXPECT_TRUE(kind->text.ends_with('.'));
    std::set<std::string_view> fields;
    for (const Field& field : kind->fields) {
      EXPECT_TRUE(fields.insert(field.name).second) << kind->name << '.' << field.name;
      EXPECT_EQ(field.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
          << field.name;
      EXPECT_NE(field.name, "kind");
      EXPECT_FALSE(field.text.empty()) << field.name;
      EXPECT_FALSE(field.text.ends_with('.')) << field.name;  // the manual adds it
      EXPECT_EQ(field.optional, field.presence != Presence::kRequired && field.presence != Presence::kPreset)
          << field.name;
    }
    if (kind->role == Role::kDecision || kind->role == Role::kResult) {
      EXPECT_TRUE(fields.contains("id")) << kind->name;
    }
  }
  EXPECT_EQ(find_kind("no_such_kind"), nullptr);
}

TEST(Kinds, SchemasAndManualNameEveryField) {
  const auto all = nlohmann::json::parse(schema(""));
  EXPECT_EQ(all["oneOf"].size(), kinds().size());
  const std::string page = manual();
  for (const Kind* kind : kinds()) {
    const auto one = nlohmann::json::parse(schema(std::string(kind->name)));
    EXPECT_EQ(one["properties"]["kind"]["const"], kind->name);
    EXPECT_EQ(one["properties"].size(), kind->fields.size() + 1);
    EXPECT_NE(page.find(".Ss " + std::string(kind->name) + "\n"), std::string::npos);
    EXPECT_NE(overview().find(kind->name), std::string::npos);
    for (const Field& field : kind->fields) EXPECT_NE(page.find(field.name), std::string::npos) << field.name;
  }
}

}  // namespace
}  // namespace rackline::record
