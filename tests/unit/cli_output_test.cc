// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "cli/output.h"
#include "record/kinds_planning.h"
#include "record/kinds_reserve.h"
#include "record_support.h"

namespace rackline::cli {
namespace {

record::VmPlace place(const std::string& vm) {
  record::VmPlace record;
  record.time = record::Time{std::chrono::seconds{1'795'348'800}};
  record.id = "1";
  record.vm = vm;
  record.host = "h1";
  record.reason = "free";
  return record;
}

// Each packet that comes out is one write.
struct Packets {
  Packets() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
  std::string next() const {
    std::string text(1 << 17, '\0');
    const auto size = recv(out.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
  Fd in, out;
};

TEST(Output, WritesEachRecordAtOnceAndWhole) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.write(place("a"));
  EXPECT_EQ(packets.next(),
            "{\"kind\":\"vm_place\",\"time\":\"2026-11-22T12:00:00Z\",\"tool\":\"tool\",\"id\":\"1\",\"vm\":"
            "\"a\",\"host\":\"h1\",\"memory_bytes\":null,\"reason\":\"free\"}\n");
  EXPECT_EQ(packets.next(), "");
}

TEST(Output, ATableThatGrowsRowByRowHasOneHeading) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.set_format(Format::kTable, false, false);
  output.flow(true);
  output.write(place("a-long-name"));
  output.flush();
  const auto first = packets.next();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2) << first;
  output.write(place("b"));
  output.flush();
  const auto second = packets.next();
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 1) << second;
  const auto row = first.substr(first.find('\n') + 1);
  EXPECT_EQ(row.find("h1"), second.find("h1"));
  EXPECT_TRUE(first.starts_with("WHEN ")) << first;
  EXPECT_TRUE(second.starts_with("12:00:00Z ")) << second;
}

TEST(Output, OnATerminalLongTextsAreCutToItsWidth) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  const auto row_of = [&](std::size_t columns) {
    output.set_format(Format::kTable, false, false, columns);
    auto record = place("a-name-of-22-letters-x");
    record.reason = "it has \xc3\xa4 place for it, and nothing else that runs there is of its group";
    output.write(record);
    output.flush();
    const auto text = packets.next();
    return text.substr(text.find('\n') + 1);
  };
  const std::string whole =
      "a-name-of-22-letters-x  h1         -      -  it has \xc3\xa4 place for it, and nothing "
      "else that runs there is of its group\n";
  EXPECT_EQ(row_of(0), whole) << "in a pipe";
  EXPECT_EQ(row_of(200), whole);
  EXPECT_EQ(row_of(72), "a-name-of-22-letters-x  h1         -      -  it has \xc3\xa4 place for it, a...\n");
  EXPECT_EQ(row_of(20), "a-name-of-22-letters-x  h1         -      -  it has \xc3\xa4 place for it...\n")
      << "names are never cut";
}

record::PoolShare share(const record::Text& outcome) {
  record::PoolShare share;
  share.pool = "p";
  share.resource = "cpu";
  share.outcome = outcome;
  return share;
}

// Of a program that acts, on a stdout that is full. In a process of its own, as a stop is asked for.
[[noreturn]] void lose_outcomes(Format format) {
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output output(full.get(), "tool", Output::Closed::kStop);
  output.set_format(format, false, false);
  output.tells_lost([](const std::string& words) { std::cerr << words << '\n'; });
  for (const char* outcome : {"added", "changed"}) output.write(share(outcome));
  output.write(share({}));
  output.flush();
  output.flush();
  std::cerr << output.failure()->what() << '\n';
  _exit(interrupt::requested() ? static_cast<int>(output.failure()->status()) : 1);
}

TEST(Output, OutcomesThatCannotBeWrittenAreToldAndWhatIsListedIsNot) {
  for (const Format format : {Format::kJson, Format::kTable}) {
    EXPECT_EXIT(lose_outcomes(format), testing::ExitedWithCode(3),
                "^pool_share  POOL p  OUTCOME added[^\n]*\npool_share  POOL p  OUTCOME changed[^\n]*\n"
                "write records: stdout: No space left on device\n$");
  }
}

// One that only reads has nothing to put in order.
TEST(Output, AnObserverEndsWithTheFirstRecordThatCannotBeWritten) {
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output output(full.get(), "tool", Output::Closed::kDie);
  output.set_format(Format::kTable, false, false);
  output.write(share({}));
  EXPECT_THROW(output.flush(), Error);
  EXPECT_NO_THROW(output.flush());
}

TEST(Output, NothingThatDrivesATerminalReachesOne) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  int beside = 0;
  output.on_terminal([&](const auto& write) {
    ++beside;
    write();
  });
  output.write(place("\xc2\x9b\xe2\x80\xae"));
  EXPECT_NE(packets.next().find(R"("vm":"\u009b\u202e")"), std::string::npos);
  output.pass(std::string_view("{\"x\":\"\xc2\x9b\"}"));
  EXPECT_EQ(packets.next(), R"({"x":"\u009b"})"
                            "\n");
  output.set_format(Format::kTable, false, false);
  output.write(place("\xc2\x9b\xe2\x80\xae"));
  output.flush();
  EXPECT_NE(packets.next().find("\n??  h1"), std::string::npos);
  EXPECT_EQ(beside, 3);
}

TEST(Output, RowsSayWhenAndSoDoesWhatIsHandedOnAmongThem) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.set_format(Format::kTable, false, false);
  output.tell_when();
  record::Stream stream(R"({"kind":"host_down","time":"2026-11-22T12:00:07Z","tool":"t","host":"h2"})"
                        "\n"
                        R"({"kind":"host_down","host":"h3"})"
                        "\n");
  while (stream.reader.next()) output.pass(stream.reader);
  EXPECT_EQ(packets.next(), "12:00:07Z  host_down  HOST h2\n");
  EXPECT_EQ(packets.next(), "host_down  HOST h3\n");
  output.write(place("a"));
  output.flush();
  EXPECT_EQ(packets.next(),
            "WHEN       VM  HOST  MEMORY  STAGE  REASON\n"
            "12:00:00Z  a   h1         -      -  free\n");
}

TEST(Output, HandsOnWhatItReadsAndKeepsRoundEndsOutOfTables) {
  const std::string note = "{ \"kind\":\"note\" ,\"text\":1}";
  const std::string round_end = R"({"kind":"round_end","time":"2026-11-22T12:00:00Z","tool":"t"})";
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  for (const Format format : {Format::kJson, Format::kTable}) {
    record::Stream stream(note + "\n" + round_end + "\n");
    output.set_format(format, false, false);
    while (stream.reader.next()) output.pass(stream.reader);
    EXPECT_EQ(packets.next(), note + "\n");
    EXPECT_EQ(packets.next(), format == Format::kJson ? round_end + "\n" : "");
  }
  record::Stream stream(
      R"({"kind":"host_down","host":"h\u001b2","verdict":"dead","silent_ms":3500,"net":null})");
  ASSERT_TRUE(stream.reader.next());
  output.pass(stream.reader);
  EXPECT_EQ(packets.next(), "host_down  HOST h?2  VERDICT dead  SILENT 3.5s\n");
}

TEST(Output, ASummaryIsALineOfATableOnlyIfItSaysSomethingAndIsOnesOwn) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.set_format(Format::kTable, false, false);
  record::PlanSummary summary;
  summary.rounds = 1;
  output.write(summary);
  summary.moves = 3;
  output.write(summary);
  EXPECT_EQ(packets.next(), "plan_summary  MOVES 3\n");
  const std::string other =
      R"({"kind":"watch_summary","time":"2026-11-22T12:00:00Z","tool":"t","fluctuations":1})";
  for (const Format format : {Format::kTable, Format::kJson}) {
    record::Stream stream(other + "\n");
    output.set_format(format, false, false);
    while (stream.reader.next()) output.pass(stream.reader);
    EXPECT_EQ(packets.next(), format == Format::kJson ? other + "\n" : "");
  }
}

TEST(Output, StampsWithTheTimeOfTheInput) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.stamp(record::Time{std::chrono::seconds{0}} + std::chrono::hours{24});
  record::NoBeneficialMove record;
  record.reason = "none";
  output.write(record);
  EXPECT_NE(packets.next().find("\"time\":\"1970-01-02T00:00:00Z\""), std::string::npos);
}

TEST(Output, ATableIsShownWhenARoundEnds) {
  const Packets packets;
  Output output(packets.in.get(), "tool", Output::Closed::kDie);
  output.set_format(Format::kTable, false, false);
  output.write(place("a"));
  output.write(place("longer-\xc3\xa4"));
  EXPECT_EQ(packets.next(), "");
  record::End end;
  end.outcome = "ok";
  output.write(end);
  EXPECT_EQ(packets.next(),
            "VM        HOST  MEMORY  STAGE  REASON\n"
            "a         h1         -      -  free\n"
            "longer-\xc3\xa4  h1         -      -  free\n");
  EXPECT_EQ(packets.next(), "end  OUTCOME ok\n");
}

TEST(Output, AFullDiskIsToldOnceAndTheRestDropped) {
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output output(full.get(), "tool", Output::Closed::kDie);
  try {
    output.write(place("a"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
    EXPECT_STREQ(error.what(), "write records: stdout: No space left on device");
  }
  EXPECT_NO_THROW(output.write(place("b")));
}

TEST(Output, APipeThatSomebodyMadeNonBlockingIsWaitedFor) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const std::string large = R"({"kind":"note","text":")" + std::string(std::size_t{300} << 10, 'x') + "\"}";
  record::Stream stream(large);
  ASSERT_TRUE(stream.reader.next());
  std::string got;
  ASSERT_EQ(fcntl(from.get(), F_SETFL, 0), 0);
  std::thread reader([&] {
    std::string part(1 << 16, '\0');
    for (ssize_t size = 0; (size = read(from.get(), part.data(), part.size())) > 0;)
      got.append(part, 0, static_cast<std::size_t>(size));
  });
  Output output(to.get(), "tool", Output::Closed::kDie);
  EXPECT_NO_THROW(output.pass(stream.reader));
  to.reset();
  reader.join();
  EXPECT_EQ(got, large + "\n");
}

}  // namespace
}  // namespace rackline::cli
