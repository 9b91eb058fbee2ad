// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <thread>

#include "base/error.h"
#include "record/kinds_inventory.h"
#include "record/kinds_migration.h"
#include "record/kinds_planning.h"
#include "record/kinds_reserve.h"
#include "record/reader.h"
#include "record_support.h"

namespace rackline::record {
namespace {

constexpr std::string_view kMove =
    R"({"kind":"vm_move","time":"2026-11-22T12:00:00Z","tool":"t","id":"1","vm":"db1","from":"h1","to":"h2","stage":2,"reason":"r"})";
constexpr std::string_view kEnd = R"({"kind":"end","time":"2026-11-22T12:00:00Z","tool":"t","outcome":"ok"})";

std::string with(std::string_view fields) {
  return R"({"kind":"vm_request","time":"2026-11-22T12:00:00Z","tool":"t","vm":"a",)" + std::string(fields) +
         "}\n";
}

std::string lines(std::initializer_list<std::string_view> all, std::string_view ending = "\n") {
  std::string text;
  for (const auto line : all) (text += line) += ending;
  return text;
}

// The memory_bytes of a vm_request, or what is wrong with it.
std::string memory_of(const std::string& number) {
  Stream stream(with("\"memory_bytes\":" + number));
  VmRequest request;
  if (!stream.reader.next() || !stream.reader.read(request)) return stream.problems.at(0);
  return std::to_string(request.memory_bytes);
}

TEST(Reader, ANameIsItsLettersHoweverTheyAreWritten) {
  Stream stream(R"({"kin\u0064":"vm_request","v\u006d":"a","x\n":1,"memory_bytes":1})"
                "\n"
                R"({"kind":"vm_request","vm":"a","v\u006d":"b","memory_bytes":1})"
                "\n"
                R"({"kind":"vm_request","vm":"a","kin\u0064":"b","memory_bytes":1})"
                "\n"
                R"({"kind":"vm_request","vm":"a","\u00zz":"b","memory_bytes":1})"
                "\n");
  VmRequest request;
  ASSERT_TRUE(stream.reader.next());
  EXPECT_TRUE(stream.reader.is<VmRequest>());
  EXPECT_TRUE(stream.reader.says("kind"));
  EXPECT_TRUE(stream.reader.says("x\n"));
  EXPECT_TRUE(stream.reader.read(request));
  EXPECT_EQ(request.vm, "a");
  while (stream.reader.next()) EXPECT_FALSE(stream.reader.read(request));
  ASSERT_EQ(stream.problems.size(), 3U);
  EXPECT_NE(stream.problems[0].find("field \"vm\" is given twice"), std::string::npos);
  EXPECT_NE(stream.problems[1].find("field \"kind\" is given twice"), std::string::npos);
  EXPECT_NE(stream.problems[2].find("wrong escape"), std::string::npos);
}

TEST(Reader, ReadsFieldsInAnyOrderAndIgnoresThoseItDoesNotKnow) {
  Stream stream(
      R"({"x":[{"y":[1,"]"]}],"stage":3,"to":"h2","from":"h1","reason":"","id":"1","vm":"\u00e4\n","tool":"t","time":"2026-11-22T12:00:00Z","score_after":-1.5e-3,"kind":"vm_move"})");
  VmMove move;
  ASSERT_TRUE(stream.reader.next());
  ASSERT_TRUE(stream.reader.is<VmMove>());
  ASSERT_TRUE(stream.reader.read(move)) << stream.problems.at(0);
  EXPECT_EQ(move.vm, "\xc3\xa4\n");
  EXPECT_EQ(move.stage, 3);
  EXPECT_EQ(move.score_after, -1.5e-3);
  EXPECT_EQ(move.uuid, std::nullopt);
}

TEST(Reader, WhatIsAbsentInTheNextRecordIsNotLeftFromTheOneBefore) {
  const std::string first = std::string(kMove.substr(0, kMove.size() - 1)) + R"(,"uuid":"u"})";
  const std::string second = std::string(kMove.substr(0, kMove.size() - 1)) + R"(,"uuid":null})";
  Stream stream(lines({first, second, first, kMove}));
  VmMove move;
  for (const bool has_uuid : {true, false, true, false}) {
    ASSERT_TRUE(stream.reader.next() && stream.reader.read(move));
    EXPECT_EQ(move.uuid.has_value(), has_uuid);
  }
}

// What is remembered of the record before must not be taken for what stands in this one.
TEST(Reader, RecordsOfEveryShapeMayFollowEachOther) {
  const std::vector<std::string> shapes = {
      with(R"("memory_bytes":1,"x":7,"vcpus":5)"),
      with(R"("vcpus":5,"memory_bytes":1,"x":7)"),
      with(R"("x\"":7,"memory_bytes":1,"vcpus":5)"),
      with(R"("x":7,"vcpus":5,"memory_bytes":1)"),
      with(R"("memory_bytes\"":2,"vcpus\\":6,"memory_bytes":1,"vcpus":5)"),
      with(R"("memory":2,"vcpus":5,"memory_bytes_":3,"":4,"memory_bytes":1)"),
      with("\"" + std::string(100, 'x') + R"(":2,"memory_bytes":1,"vcpus":5)"),
  };
  std::string text;
  for (const auto& one : shapes)
    for (const auto& other : shapes) text += one + other;
  Stream stream(text);
  VmRequest request;
  while (stream.reader.next()) {
    request.memory_bytes = 0;
    ASSERT_TRUE(stream.reader.read(request)) << stream.problems.at(0);
    EXPECT_EQ(request.memory_bytes, 1) << stream.reader.text();
    EXPECT_EQ(request.vcpus, 5) << stream.reader.text();
  }
  EXPECT_EQ(stream.reader.records(), static_cast<std::int64_t>(2 * shapes.size() * shapes.size()));
}

TEST(Reader, NamesLineFieldAndReason) {
  Stream stream(lines({kMove, "", R"({"kind":"vm_move","time":"yesterday"})",
                       R"({"kind":"vm_request","time":null})", with(R"("memory_bytes":"2")")}));
  VmMove move;
  VmRequest request;
  ASSERT_TRUE(stream.reader.next() && stream.reader.read(move));
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(move));
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(request));
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(request));
  EXPECT_EQ(stream.reader.skipped(), 3);
  EXPECT_EQ(stream.problems,
            (std::vector<std::string>{
                "stream: line 3: field \"time\": expected a time such as 2026-11-22T12:00:00Z",
                "stream: line 4: no field \"vm\"",
                "stream: line 5: field \"memory_bytes\": expected an integer",
            }));
}

TEST(Reader, IntegersThatOthersWriteAsFractionsAreReadIfTheyAreExact) {
  EXPECT_EQ(memory_of("1e10"), "10000000000");
  EXPECT_EQ(memory_of("5.0"), "5");
  EXPECT_EQ(memory_of("9007199254740993"), "9007199254740993");  // above 2^53, and written as an integer
  EXPECT_EQ(memory_of("-9223372036854775808"), "-9223372036854775808");
  for (const char* number :
       {"5.5", "1e17", "9223372036854775808", "1e400", "true", "[1]", "NaN", "0x10", "01"}) {
    EXPECT_NE(memory_of(number).find("expected an integer"), std::string::npos)
        << number << ": " << memory_of(number);
  }
}

TEST(Reader, WhatBeginsAsNullAndIsNotIsBroken) {
  for (const char* value : {"nulg", "nul", "nullx", "n"}) {
    Stream stream(with("\"memory_bytes\":" + std::string(value)) + with("\"memory_bytes\":1"));
    VmRequest request;
    EXPECT_TRUE(stream.reader.next() && !stream.reader.read(request)) << value;
    EXPECT_TRUE(stream.reader.next() && stream.reader.read(request)) << value;
  }
}

TEST(Reader, AFieldThatIsGivenTwiceIsAmbiguous) {
  Stream stream(with(R"("memory_bytes":1,"memory_bytes":2)") +
                R"({"kind":"vm_request","kind":"vm_move","vm":"a","memory_bytes":1})" + "\n");
  VmRequest request;
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(request));
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(request));
  EXPECT_EQ(stream.problems,
            (std::vector<std::string>{"stream: line 1: field \"memory_bytes\" is given twice",
                                      "stream: line 2: field \"kind\" is given twice"}));
}

TEST(Reader, BlankLinesAndCarriageReturnsAreNothing) {
  Stream stream(lines({"", "  \t", kMove, "", kEnd, ""}, "\r\n"));
  VmMove move;
  ASSERT_TRUE(stream.reader.next());
  EXPECT_EQ(stream.reader.text(), kMove);
  EXPECT_TRUE(stream.reader.read(move));
  EXPECT_FALSE(stream.reader.next());
  EXPECT_TRUE(stream.reader.complete());
  EXPECT_TRUE(stream.problems.empty());
}

TEST(Reader, ALastLineWithoutItsEndIsARecord) {
  Stream stream(std::string(kMove) + "\n" + std::string(kEnd));
  EXPECT_TRUE(stream.reader.next());
  EXPECT_FALSE(stream.reader.next());
  EXPECT_TRUE(stream.reader.complete());
  EXPECT_EQ(stream.reader.end()->outcome, "ok");
}

TEST(Reader, LinesThatAreNoRecordAreReportedAndLeftOut) {
  for (const std::string_view line :
       {"x", "{", "[]", "1", "null", "\"kind\"", "{}", R"({"kind":1})", R"({"kind":null})", R"({"kind":""})",
        R"({"a":1)", "\xff\xfe", "{\"kind\":\"end\",\"outcome\":\"\xff\"}"}) {
    Stream stream(lines({line, kEnd}));
    EXPECT_FALSE(stream.reader.next()) << line;
    EXPECT_EQ(stream.problems.size(), 1U) << line;
    EXPECT_EQ(stream.reader.records(), 0) << line;
    EXPECT_TRUE(stream.reader.complete()) << line;
  }
}

TEST(Reader, BytesThatAreNoUtf8AreRefused) {
  Stream stream(R"({"kind":"vm_unplaced","time":"2026-11-22T12:00:00Z","tool":"t","vm":")" +
                std::string("\xc3\x28") + R"(","reason":""})");
  VmUnplaced unplaced;
  EXPECT_TRUE(stream.reader.next());
  EXPECT_FALSE(stream.reader.read(unplaced));
}

TEST(Reader, SomethingBehindARecordOnItsLineIsNotOverlooked) {
  Stream stream(lines({std::string(kMove) + "{}", std::string(kMove) + std::string(kMove)}));
  VmMove move;
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(move));
  EXPECT_TRUE(stream.reader.next() && !stream.reader.read(move));
}

TEST(Reader, AStreamIsCompleteOnlyIfItsLastLineIsAnEnd) {
  const auto complete = [](const std::string& text) {
    Stream stream(text);
    while (stream.reader.next()) {
    }
    return stream.reader.complete();
  };
  EXPECT_TRUE(complete(lines({kMove, kEnd})));
  EXPECT_TRUE(complete(lines({kEnd})));
  EXPECT_TRUE(complete(lines({kMove, kEnd, kMove, kEnd})));  // cat a b
  EXPECT_FALSE(complete(""));
  EXPECT_FALSE(complete(lines({kMove})));
  EXPECT_FALSE(complete(lines({kEnd, kMove})));
  EXPECT_FALSE(complete(lines({kEnd}) +
                        std::string(kMove.substr(0, 20))));  // cut within the second stream's first line
  EXPECT_FALSE(complete(lines({kEnd, R"({"kind":"end","time":"2026-11-22T12:00:00Z"})"})));
  EXPECT_FALSE(complete(lines({R"({"kind":"end"})"})));
}

TEST(Reader, WhoMustNotActOnHalfAPlanThrowsAtTheFirstBrokenLine) {
  Stream stream(lines({kMove, R"({"kind":"vm_move"})", kMove}), Policy::kRefuse);
  VmMove move;
  EXPECT_TRUE(stream.reader.next() && stream.reader.read(move));
  EXPECT_TRUE(stream.reader.next());
  try {
    stream.reader.read(move);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    EXPECT_STREQ(error.what(), "read records: stream: line 2: no field \"vm\"");
  }
}

TEST(Reader, OfADecisionAPersonWritesOnlyWhatSaysWhat) {
  Stream stream(lines({kMove, R"({"kind":"vm_move","vm":"a","from":"h1","to":"h2"})", kEnd}),
                Policy::kRefuse);
  VmMove move;
  ASSERT_TRUE(stream.reader.next() && stream.reader.read(move));
  ASSERT_TRUE(stream.reader.next() && stream.reader.read(move));
  EXPECT_EQ(move.vm, "a");
  EXPECT_EQ(move.id, "") << "of the record before";
  EXPECT_EQ(move.stage, 0);
  EXPECT_EQ(move.reason, "");
}

TEST(Reader, AStrictKindHasNoOtherFields) {
  Stream stream(lines({R"({"kind":"reservation_request","pool":"p","owner":"o","untill":"x"})",
                       R"({"kind":"host","host":"h","uri":"u","from_a_later_version":1})"}));
  ReservationRequest strict;
  Host lenient;
  EXPECT_TRUE(stream.reader.next());
  EXPECT_FALSE(stream.reader.read(strict));
  EXPECT_TRUE(stream.reader.next() && stream.reader.read(lenient));
}

TEST(Reader, PeopleMayLeaveOutTheHeadOfConfiguration) {
  Stream stream(R"({"kind":"host","host":"h1","uri":"u","shared_storage":["/a","/b"]})");
  Host host;
  ASSERT_TRUE(stream.reader.next() && stream.reader.read(host));
  EXPECT_EQ(host.shared_storage, (std::vector<std::string>{"/a", "/b"}));
}

TEST(Reader, AListOfSomethingElseIsRefused) {
  Stream stream(lines({R"({"kind":"host","host":"h1","uri":"u","shared_storage":["/a",1]})",
                       R"({"kind":"host","host":"h1","uri":"u","shared_storage":"/a"})",
                       R"({"kind":"host","host":"h1","uri":"u","shared_storage":["/a")"}));
  Host host;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(stream.reader.next() && !stream.reader.read(host));
}

TEST(Reader, AMegabyteInOneLineIsRead) {
  const std::string name(1 << 20, 'x');
  Stream stream(lines({R"({"kind":"host","host":")" + name + R"(","uri":"u"})", kEnd}));
  Host host;
  ASSERT_TRUE(stream.reader.next() && stream.reader.read(host));
  EXPECT_EQ(host.host, name);
  EXPECT_FALSE(stream.reader.next());
  EXPECT_TRUE(stream.reader.complete());
}

TEST(Reader, ALineAbove16MebibytesIsLeftOutAndTheNextOneRead) {
  std::string text = R"({"kind":"host","host":")" + std::string(std::size_t{17} << 20, 'x') + "\"}\n";
  text += lines({kMove, kEnd});
  Stream stream(text);
  ASSERT_TRUE(stream.reader.next());
  EXPECT_EQ(stream.reader.text(), kMove);
  EXPECT_EQ(stream.reader.line(), 2);
  EXPECT_FALSE(stream.reader.next());
  EXPECT_TRUE(stream.reader.complete());
  EXPECT_EQ(stream.problems, (std::vector<std::string>{"stream: line 1: longer than 16 MiB"}));
}

// Records arrive in pieces of a pipe; each is handed out as soon as it is whole.
TEST(Reader, ReadsFromAPipeRecordByRecord) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Fd from(ends[0]);
  Fd to(ends[1]);
  const auto put = [&to](std::string_view part) {
    ASSERT_EQ(write(to.get(), part.data(), part.size()), static_cast<ssize_t>(part.size()));
  };
  Reader reader(from.get(), "pipe", Policy::kRefuse, {});
  put(lines({kMove}));
  ASSERT_TRUE(reader.next());  // with nothing more to come before it is asked for
  put(kMove.substr(0, 30));
  std::thread rest([&] {
    put(kMove.substr(30));
    put(lines({"", kEnd}));
    to.reset();
  });
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.text(), kMove);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.complete());
  rest.join();
}

TEST(Reader, AnInputThatCannotBeReadIsUnreachable) {
  const Fd directory(open("/", O_RDONLY | O_CLOEXEC));
  Reader reader(directory.get(), "/", Policy::kSkip, {});
  try {
    reader.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
  }
}

}  // namespace
}  // namespace rackline::record
