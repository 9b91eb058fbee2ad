// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "base/time.h"
#include "store/describe.h"

namespace rackline::store {
namespace {

enum class Colour { kRed, kGreen };
constexpr std::string_view kColours[] = {"red", "green"};

struct Part {
  std::string name;
  std::int64_t size = 0;
  static const Fields kFields;
};
const Fields Part::kFields{FIELD(Part, name), FIELD(Part, size, kOmitted)};

struct Whole {
  std::string text;
  bool flag = false;
  int small = 0;
  std::chrono::sys_seconds time{}, since{};
  Milliseconds elapsed{0};
  Colour colour = Colour::kRed;
  std::optional<std::int64_t> number;
  std::optional<std::vector<std::string>> words;
  std::vector<Part> parts;
  std::set<std::string> names;
  std::map<std::string, Part> by_name;
  Part nested;
  static const Fields kFields;
};
const Fields Whole::kFields{
    FIELD(Whole, text, kOmitted),
    FIELD(Whole, flag, kOmitted),
    FIELD(Whole, small, kOmitted),
    FIELD(Whole, time),
    FIELD(Whole, since, kRequired, Seconds),
    FIELD_AT(Whole, "elapsed_ms", elapsed, kLater),
    FIELD(Whole, colour, kLater, Words<kColours>),
    FIELD(Whole, number, kLater),
    FIELD(Whole, words, kOmitted),
    FIELD(Whole, parts, kOmitted),
    FIELD(Whole, names, kOmitted),
    FIELD(Whole, by_name, kOmitted),
    FIELD_AT(Whole, "nested_name", nested.name, kOmitted),
};

constexpr const char* kLeast =
    R"({"time":"1970-01-01T00:00:00Z","since":0,"elapsed_ms":0,"colour":"red","number":null})";
constexpr const char* kMost =
    R"({"text":"a \"b\"","flag":true,"small":-7,"time":"2027-01-15T08:00:00Z","since":1800000000,)"
    R"("elapsed_ms":9007199254740993,"colour":"green","number":0,"words":[],"parts":[{"name":""},)"
    R"({"name":"p","size":2}],"names":["a","b"],"by_name":{"":{"name":"n"},"x y":{"name":"z"}},)"
    R"("nested_name":"deep"})";

TEST(StoreDocument, LeavesOutWhatItsTableSays) {
  EXPECT_EQ(to_text(Whole()), kLeast);
  const auto read = from_text<Whole>(kLeast);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_text(*read), kLeast);
}

TEST(StoreDocument, IsReadAsItWasWritten) {
  const auto read = from_text<Whole>(kMost);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text, "a \"b\"");
  EXPECT_TRUE(read->flag);
  EXPECT_EQ(read->small, -7);
  EXPECT_EQ(read->time, std::chrono::sys_seconds(std::chrono::seconds(1'800'000'000)));
  EXPECT_EQ(read->since, read->time);
  EXPECT_EQ(read->elapsed, Milliseconds{9'007'199'254'740'993});
  EXPECT_EQ(read->colour, Colour::kGreen);
  EXPECT_EQ(read->number, 0);
  ASSERT_TRUE(read->words);
  EXPECT_TRUE(read->words->empty());
  ASSERT_EQ(read->parts.size(), 2U);
  EXPECT_EQ(read->parts[1].size, 2);
  EXPECT_EQ(read->names, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(read->by_name.at("x y").name, "z");
  EXPECT_EQ(read->nested.name, "deep");
  EXPECT_EQ(to_text(*read), kMost);
}

TEST(StoreDocument, MayLackWhatOlderProgramsLeftOutAndHaveMore) {
  const auto read = from_text<Whole>(R"({"later":{"a":[1]},"since":1,"time":"1970-01-01T00:00:00Z"})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->since.time_since_epoch().count(), 1);
  EXPECT_EQ(read->number, std::nullopt);
}

TEST(StoreDocument, BrokenUtf8IsReplaced) {
  EXPECT_EQ(to_text(Part{"a\xff", 0}), "{\"name\":\"a\xef\xbf\xbd\"}");
}

TEST(StoreDocument, AnythingElseIsNone) {
  const std::string least = kLeast;
  const auto with = [&least](const std::string& field) {
    return least.substr(0, least.size() - 1) + "," + field + "}";
  };
  EXPECT_TRUE(from_text<Whole>(with(R"("text":"")")));
  for (const std::string& text : {std::string(),
                                  std::string("{"),
                                  std::string("[]"),
                                  std::string("null"),
                                  std::string("5"),
                                  std::string("{}"),
                                  least + "x",
                                  least.substr(0, least.size() - 1),
                                  with(R"("text":5)"),
                                  with(R"("text":null)"),
                                  with(R"("flag":"true")"),
                                  with(R"("flag":1)"),
                                  with(R"("small":2147483648)"),
                                  with(R"("small":1.0)"),
                                  with(R"("small":true)"),
                                  with(R"("small":"1")"),
                                  with(R"("time":"now")"),
                                  with(R"("time":0)"),
                                  with(R"("since":"2027-01-15T08:00:00Z")"),
                                  with(R"("colour":"blue")"),
                                  with(R"("colour":1)"),
                                  with(R"("colour":null)"),
                                  with(R"("number":9223372036854775808)"),
                                  with(R"("number":"1")"),
                                  with(R"("words":null)"),
                                  with(R"("words":{})"),
                                  with(R"("words":[1])"),
                                  with(R"("parts":{})"),
                                  with(R"("parts":[{"size":1}])"),
                                  with(R"("parts":[5])"),
                                  with(R"("names":[1])"),
                                  with(R"("names":"a")"),
                                  with(R"("by_name":[])"),
                                  with(R"("by_name":{"a":5})"),
                                  with(R"("by_name":{"a":{}})"),
                                  with(R"("nested_name":{})")}) {
    EXPECT_FALSE(from_text<Whole>(text)) << text;
  }
}

}  // namespace
}  // namespace rackline::store
