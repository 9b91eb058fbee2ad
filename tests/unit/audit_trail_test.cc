// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <new>
#include <nlohmann/json.hpp>
#include <thread>

#include "audit/query.h"
#include "audit/story.h"
#include "audit/trail.h"
#include "audit_support.h"
#include "base/error.h"
#include "base/local_time.h"

namespace rackline::audit {
namespace {

using Json = nlohmann::json;

Error failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {Status::kDone, "", "", ""};
}

TEST(AuditTrail, KeepsWhatPassedWithWhoAndWhy) {
  ScratchTrail scratch;
  Trail trail(scratch.path(), {"ann", "adm1", "OPS-7", "inc9"}, scratch.clock, {});
  const std::string first = R"({ "kind":"x", "n": 1.50, "cause":"inc1" })",
                    second = R"({"kind":"y","s":"a\u00e4\n"})";
  EXPECT_EQ(trail.append({first, second, "no record", "{}", "{\"a\":1}x"}),
            (std::vector<std::size_t>{2, 3, 4}));
  trail.close();
  const auto lines = lines_of(scratch.read());
  ASSERT_EQ(lines.size(), 7U);
  const Json one = Json::parse(lines[1]);
  EXPECT_EQ(one["actor"], "ann");
  EXPECT_EQ(one["host"], "adm1");
  EXPECT_EQ(one["request"], "OPS-7");
  EXPECT_EQ(one["cause"], "inc1");  // the record knows better
  EXPECT_EQ(one["record"], Json::parse(first));
  EXPECT_EQ(Json::parse(lines[2])["cause"], "inc9");
  EXPECT_EQ(record_in(lines[2]), second);
  EXPECT_EQ(record_in(lines[3]), "no record");
  EXPECT_EQ(check_files(scratch.path()).text(), "");
}

TEST(AuditTrail, ALineIsInTheFileBeforeAppendReturns) {
  ScratchTrail scratch;
  const pid_t child = fork();
  if (child == 0) {
    Trail trail = scratch.open();
    trail.append({ScratchTrail::record(1)});
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_NE(scratch.read().find("\"vm\":\"db1\""), std::string::npos);
  EXPECT_EQ(check_files(scratch.path()).text(), "");  // its head tells that nothing is missing
}

TEST(AuditTrail, ATornLastLineIsRepairedSaidAndKept) {
  ScratchTrail scratch;
  scratch.fill(3);
  const std::string torn = scratch.read();
  for (const std::size_t cut : {1, 2, 40, 200}) {
    ScratchTrail::write(scratch.path(), torn.substr(0, torn.size() - cut));
    unlink((scratch.path() + ".head").c_str());
    scratch.notices.clear();
    scratch.fill(1);
    ASSERT_EQ(scratch.notices.size(), 1U);
    EXPECT_NE(scratch.notices[0].find("torn"), std::string::npos);
    EXPECT_EQ(check_files(scratch.path()).text(), "") << cut;
    const auto lines = lines_of(scratch.read());
    const Json repaired = Json::parse(lines[4]);
    EXPECT_EQ(repaired["kind"], "audit_repaired");
    const auto last = torn.substr(0, torn.size() - cut);
    EXPECT_EQ(repaired["torn"], last.substr(last.rfind('\n') + 1));
  }
}

// Takes lines away from its end, as an editor does, and leaves what is beside it.
void keep_lines(const ScratchTrail& scratch, std::size_t count) {
  auto lines = lines_of(scratch.read());
  lines.resize(count);
  ScratchTrail::write(scratch.path(), joined(lines));
}

TEST(AuditTrail, LinesThatAreMissingAtItsEndAreRefusedAndNothingIsWritten) {
  ScratchTrail scratch;
  scratch.fill(5);  // up to line 6
  const auto whole = scratch.read();
  const auto head = ScratchTrail::read(scratch.path() + ".head");
  for (const std::size_t cut : {std::size_t{1}, std::size_t{40}, whole.size() / 2}) {
    ScratchTrail::write(scratch.path(), whole.substr(0, whole.size() - cut));
    const auto before = scratch.read();
    const auto error = failure_of([&] { scratch.fill(1); });
    EXPECT_EQ(error.status(), Status::kRefused);
    EXPECT_NE(error.why().find("missing at its end"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("--accept-loss"), std::string::npos);
    EXPECT_EQ(failure_of([&] { scratch.open().rotate(false); }).status(), Status::kRefused);
    EXPECT_EQ(scratch.read(), before);
    EXPECT_EQ(ScratchTrail::read(scratch.path() + ".head"), head);
  }
}

TEST(AuditTrail, LinesThatAreCutOffBehindAWriterThatGoesOnAreRefused) {
  ScratchTrail scratch;
  Trail trail = scratch.open();
  trail.append({ScratchTrail::record(1), ScratchTrail::record(2)});
  keep_lines(scratch, 2);
  EXPECT_EQ(failure_of([&] { trail.append({ScratchTrail::record(3)}); }).status(), Status::kRefused);
}

TEST(AuditTrail, AnAcceptedLossStandsInTheTrailForGood) {
  ScratchTrail scratch;
  scratch.fill(5);
  const auto lost = read_head(scratch.path())->hash;
  keep_lines(scratch, 3);
  scratch.open().open(true);
  scratch.fill(1);
  EXPECT_EQ(check_files(scratch.path(), {.thorough = true}).text(), "truncated 3-6");
  const Json line = Json::parse(lines_of(scratch.read())[3]);
  EXPECT_EQ(line["kind"], "audit_truncated");
  EXPECT_EQ(line["seq"], 7);
  EXPECT_EQ(line["lost"], 4);
  EXPECT_EQ(line["lost_hash"], to_hex(bytes_of(lost)));
  scratch.open().rotate(true);
  scratch.open().open(true);  // nothing is missing now
  scratch.fill(1);
  EXPECT_EQ(check_files(scratch.path()).text(), "truncated 3-6");
}

TEST(AuditTrail, AnAcceptedLossOfATornLineKeepsWhatThereIsOfIt) {
  ScratchTrail scratch;
  scratch.fill(2);
  const auto whole = scratch.read();
  ScratchTrail::write(scratch.path(), whole.substr(0, whole.size() - 9));
  scratch.open().open(true);
  const auto lines = lines_of(scratch.read());
  const auto last = lines_of(whole).back();
  EXPECT_EQ(Json::parse(lines.back())["torn"], last.substr(0, last.size() - 8));
  EXPECT_EQ(check_files(scratch.path()).text(), "truncated 3");
}

TEST(AuditTrail, AWriterThatDiedBeforeItCouldSayWhereItLeftOffIsNoLoss) {
  ScratchTrail scratch;
  const std::string head = scratch.path() + ".head";
  scratch.fill(2);
  std::vector<std::string> heads{ScratchTrail::read(head)};
  scratch.fill(2);
  heads.push_back(ScratchTrail::read(head));
  scratch.open().rotate(false);
  for (const auto& behind : heads) {
    ScratchTrail::write(head, behind);
    scratch.notices.clear();
    scratch.fill(1);
    EXPECT_TRUE(scratch.notices.empty());
    EXPECT_EQ(check_files(scratch.path()).text(), "");
  }
}

TEST(AuditTrail, AWriterThatDiedWhenItHadBegunANewChainIsNoOtherChain) {
  ScratchTrail scratch;
  scratch.fill(3);
  const auto head = ScratchTrail::read(scratch.path() + ".head");
  std::filesystem::remove(scratch.path());
  scratch.open().open();
  ScratchTrail::write(scratch.path() + ".head", head);
  scratch.fill(1);
  EXPECT_EQ(check_files(scratch.path()).text(), "removed 0-4");
}

TEST(AuditTrail, AFirstLineThatWasTornBeginsAnew) {
  ScratchTrail scratch;
  ScratchTrail::write(scratch.path(), R"({"kind":"audit_begin","time")");
  scratch.fill(1);
  EXPECT_EQ(scratch.notices.size(), 1U);
  EXPECT_EQ(check_files(scratch.path()).text(), "");
}

TEST(AuditTrail, ManyWritersMakeOneChain) {
  ScratchTrail scratch;
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = fork();
    if (child == 0) {
      Trail trail = scratch.open();
      for (int i = 0; i < 50; ++i) trail.append({ScratchTrail::record(i), ScratchTrail::record(1000 + i)});
      trail.close();
      if (c == 0) scratch.open().rotate(false);
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  const auto checked = check_files(scratch.path());
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.records, 400);
  EXPECT_EQ(checked.result.parts, 2);
}

TEST(AuditTrail, WritersKilledAtAnyMomentLeaveAChain) {
  ScratchTrail scratch;
  for (int round = 0; round < 12; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      Trail trail = scratch.open();
      for (int i = 0;; ++i) {
        trail.append({ScratchTrail::record(i)});
        if (i % 7 == 6) trail.rotate(i % 2 == 0);
      }
    }
    const auto size = [&] { return parts_of(scratch.path()).size(); };
    const auto before = size();
    for (int i = 0; i < 2000 && size() < before + 2; ++i) std::this_thread::sleep_for(Milliseconds{1});
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  scratch.fill(1);
  EXPECT_EQ(check_files(scratch.path()).text(), "");
}

// What several processes have asked for, and what they were told is in the trail.
struct Told {
  std::atomic<std::int64_t> asked{0}, kept{0};
};

// None of them may be taken for a loss: a writer says where it left off after the line, and dies at any
// moment between the two, while another one goes on and a third one rotates. One that is killed in the middle
// of a line leaves a part of it (the kernel writes page by page, and a process that dies gets no further
// page), which the next writer puts in order; no record of which its writer was told is lost.
TEST(AuditTrail, ManyKilledWritersRaiseNoFalseAlarm) {
  ScratchTrail scratch;
  constexpr int kRounds = 150;
  constexpr int kWriters = 3;
  void* shared = mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& told = *new (shared) Told;
  const auto check = [&] {
    scratch.open().open();
    const auto checked = check_files(scratch.path());
    EXPECT_GE(checked.result.records, told.kept);
    EXPECT_LE(checked.result.records, told.asked);
    return checked.text();
  };
  for (int round = 0; round < kRounds; ++round) {
    std::vector<pid_t> children;
    for (int c = 0; c < kWriters; ++c) {
      const pid_t child = fork();
      if (child == 0) {
        try {
          for (int i = 0;; ++i) {
            Trail trail = scratch.open();
            const auto append = [&](const std::vector<std::string>& records) {
              const auto count = static_cast<std::int64_t>(records.size());
              told.asked += count;
              trail.append({records.begin(), records.end()});
              told.kept += count;
            };
            append({ScratchTrail::record(i), ScratchTrail::record(i + 1)});
            append({ScratchTrail::record(i)});
            if (i % 50 == 49) trail.rotate(false);
          }
        } catch (const Error& error) {
          fprintf(stderr, "%s\n", error.what());
          _exit(1);
        }
      }
      children.push_back(child);
    }
    // When they are at work, however busy the machine is; and at another time in each round, with no pattern
    // that repeats.
    const std::int64_t before = told.kept;
    for (int i = 0; i < 50'000 && told.kept == before; ++i)
      std::this_thread::sleep_for(std::chrono::microseconds{100});
    std::this_thread::sleep_for(std::chrono::microseconds{500 + round * 7919 % 9000});
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) {
      int status = 0;
      waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round;
    }
    if (round % 10 == 9) {
      ASSERT_EQ(check(), "") << "round " << round;
    }
  }
  EXPECT_EQ(check(), "");
  EXPECT_GT(told.kept, 0);
  munmap(shared, sizeof(Told));
}

TEST(AuditTrail, PartsAreOneChainAndACompressedOneIsRead) {
  ScratchTrail scratch;
  scratch.fill(5);
  const auto first = scratch.open().rotate(true);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->file, scratch.path() + ".000001.zst");
  EXPECT_FALSE(scratch.open().rotate(true));  // nothing is in the new part yet
  scratch.fill(5);
  scratch.open().rotate(false);
  scratch.fill(5);
  const auto checked = check_files(scratch.path());
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.parts, 3);
  EXPECT_EQ(checked.result.records, 15);
  std::filesystem::rename(scratch.path() + ".000002", scratch.file("away"));
  EXPECT_NE(check_files(scratch.path()).text().find("removed"), std::string::npos);
  std::filesystem::rename(scratch.file("away"), scratch.path() + ".000002");
  std::filesystem::remove(scratch.path() + ".000001.zst");
  EXPECT_EQ(check_files(scratch.path()).text(), "removed 0-7");
  EXPECT_EQ(check_files(scratch.path(), {.from_part = 2}).text(), "");  // older parts may be kept elsewhere
  EXPECT_EQ(check_files(scratch.path(), {.from_part = 3}).result.parts, 1);
  EXPECT_EQ(check_files(scratch.path(), {.from_part = 4}).text(), "removed");
}

TEST(AuditTrail, ARotationThatWasCutOffIsFinishedByTheNextWriter) {
  ScratchTrail scratch;
  scratch.fill(2);
  const auto before = scratch.read();
  scratch.open().rotate(false);
  // As it was between the full part's new name and the new part: both names are one file.
  std::filesystem::remove(scratch.path());
  std::filesystem::create_hard_link(scratch.path() + ".000001", scratch.path());
  EXPECT_EQ(check_files(scratch.path()).result.lines, 5);
  chmod(scratch.path().c_str(), 0600);
  scratch.fill(2);
  const auto checked = check_files(scratch.path());
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.parts, 2);
  EXPECT_EQ(checked.result.records, 4);
}

TEST(AuditTrail, AFileOfAnotherChainOrNoTrailIsRefusedAndLeftAlone) {
  ScratchTrail scratch, other;
  scratch.fill(2);
  other.fill(2);
  const auto refused = [&](const std::string& contents, const char* why) {
    ScratchTrail::write(scratch.path(), contents);
    const Error error = failure_of([&] { scratch.fill(1); });
    EXPECT_EQ(error.status(), Status::kRefused);
    EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    EXPECT_EQ(scratch.read(), contents);
  };
  refused(other.read(), "it is of chain");
  refused("hello\n", "it is not an audit trail");
  refused("no line's end", "it is not an audit trail");
  refused("{\"kind\":\"host\"}\n{\"kind\":\"host\"}\n", "it is not an audit trail");
  auto broken = scratch.read();
  ScratchTrail whole;
  whole.fill(2);
  broken = whole.read();
  broken[broken.size() - 100] = broken[broken.size() - 100] == 'x' ? 'y' : 'x';
  unlink((scratch.path() + ".head").c_str());
  refused(broken, "its last line is not as it was written");
  // One that is whole in its form: only its hash tells.
  const auto other_word = [&](const std::string& from, const std::string& to) {
    auto text = whole.read();
    return text.replace(text.rfind(from), from.size(), to);
  };
  refused(other_word("\"records\":2", "\"records\":3"), "it does not fit its hash");
  refused(other_word("\"seq\":3", "\"seq\":4"), "it does not fit its hash");
}

TEST(AuditTrail, ATrailThatIsGoneIsSaidAndStandsInTheNewOne) {
  ScratchTrail scratch;
  scratch.fill(3);
  std::filesystem::remove(scratch.path());
  scratch.fill(1);
  ASSERT_EQ(scratch.notices.size(), 1U);
  EXPECT_NE(scratch.notices[0].find("is gone"), std::string::npos);
  EXPECT_EQ(check_files(scratch.path()).text(), "removed 0-4");
}

TEST(AuditTrail, RedactionLeavesTheRestVerifiableAndSaysWho) {
  ScratchTrail scratch;
  scratch.fill(3);
  scratch.open().rotate(true);
  scratch.fill(3);
  EXPECT_EQ(scratch.open().redact({{2, 9}, {"record.vm"}, "asked to"}), 2U);
  EXPECT_EQ(check_files(scratch.path(), {.thorough = true}).text(), "");
  EXPECT_EQ(scratch.open().redact({{2}, {"record.vm"}, "again"}), 0U);
  EXPECT_EQ(scratch.open().redact({{2}, {"record.vm", "record.from"}, "more"}), 1U);
  const auto checked = check_files(scratch.path(), {.thorough = true});
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.redacted, 2);
  std::string line;
  read_lines(parts_of(scratch.path())[0],
             [&](std::string_view text) {
               if (read_line(text).seq == 2) line = text;
               return true;
             },
             {});
  EXPECT_EQ(line.find("\"db2\""), std::string::npos);
  EXPECT_EQ(Json::parse(line)["record"]["to"], "h2");
  EXPECT_EQ(redacted_fields(line), (std::vector<std::string>{"record.vm", "record.from"}));
}

TEST(AuditTrail, ARedactionThatNobodySaidIsFound) {
  ScratchTrail scratch;
  scratch.fill(3);
  auto lines = lines_of(scratch.read());
  lines[2] = redact_line(lines[2], {"record.vm"});
  EXPECT_EQ(check_text(joined(lines)).text(), "redacted 2");
}

TEST(AuditTrail, WhatCannotBeRedactedIsSaidAndNothingChanges) {
  ScratchTrail scratch;
  scratch.fill(3);
  const auto before = scratch.read();
  for (const auto& [line, field] :
       {std::pair{std::int64_t{99}, "record.vm"}, {2, "record.none"}, {2, "seq"}, {0, "chain"}}) {
    EXPECT_EQ(failure_of([&] { scratch.open().redact({{line}, {field}, "r"}); }).status(), Status::kUsage);
  }
  EXPECT_EQ(scratch.read(), before);
}

TEST(AuditTrail, AFullDiskIsSaidAndLeavesNothingHalfWritten) {
  ScratchTrail scratch;
  const auto disk = scratch.file("disk");
  std::filesystem::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k,mode=700") != 0) GTEST_SKIP() << "may not mount";
  const std::string path = disk + "/trail";
  std::string why;
  int kept = 0;
  {
    Trail trail(path, {"root", "adm1", {}, {}}, scratch.clock, {});
    try {
      for (; kept < 1000; ++kept) trail.append({ScratchTrail::record(kept)});
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUnreachable);
      why = error.what();
    }
  }
  EXPECT_NE(why.find("No space left on device"), std::string::npos) << why;
  const auto checked = check_files(path);
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.records, kept);
  umount2(disk.c_str(), MNT_DETACH);
}

TEST(AuditTrail, ThroughALinkItIsTheTrailThatTheLinkLeadsTo) {
  ScratchTrail scratch;
  std::filesystem::create_directory(scratch.file("real"));
  std::filesystem::create_symlink("real/trail", scratch.path());
  scratch.fill(3);
  EXPECT_TRUE(std::filesystem::exists(scratch.file("real/trail.head")));
  EXPECT_EQ(scratch.open().rotate(false)->file, scratch.file("real/trail.000001"));
  scratch.fill(3);
  EXPECT_TRUE(std::filesystem::is_symlink(scratch.path()));
  EXPECT_EQ(scratch.open().redact({{2}, {"record.vm"}, "asked for"}), 1U);
  EXPECT_EQ(scratch.open().redact({{7}, {"record.vm"}, "asked for"}), 1U);
  EXPECT_TRUE(std::filesystem::is_symlink(scratch.path()));
  for (const char* part : {"real/trail", "real/trail.000001"})
    EXPECT_NE(ScratchTrail::read(scratch.file(part)).find("redacted"), std::string::npos);
  const auto by_link = check_files(scratch.path()), by_file = check_files(scratch.file("real/trail"));
  EXPECT_EQ(by_link.text(), "");
  EXPECT_EQ(by_link.result.last, by_file.result.last);
  EXPECT_EQ(by_link.result.hash, by_file.result.hash);
}

TEST(AuditTrail, OneThatSomebodyElseCouldChangeIsRefused) {
  ScratchTrail scratch;
  scratch.fill(1);
  for (const char* file : {"trail", "trail.head", "."}) {
    struct stat before = {};
    ASSERT_EQ(stat(scratch.file(file).c_str(), &before), 0);
    chmod(scratch.file(file).c_str(), before.st_mode | 022U);
    EXPECT_EQ(failure_of([&] { scratch.fill(1); }).status(), Status::kRefused) << file;
    chmod(scratch.file(file).c_str(), before.st_mode);
  }
  EXPECT_NO_THROW(scratch.fill(1));
}

TEST(AuditTrail, AFieldIsFoundAndTakenOutHoweverItsNameIsWritten) {
  ScratchTrail scratch;
  scratch.open().append({R"({"kind":"note","own\u0065r":"SECRET","cau\u0073e":"i1"})"});
  Query query;
  query.fields = {{"owner", "SECRET"}};
  query.cause = "i1";
  EXPECT_TRUE(query.fits(lines_of(scratch.read()).at(1)));
  EXPECT_EQ(scratch.open().redact({{1}, {"record.owner"}, "asked for"}), 1U);
  EXPECT_EQ(scratch.read().find("SECRET"), std::string::npos);
  EXPECT_EQ(scratch.open().redact({{1}, {"record.owner"}, "asked for"}), 0U) << "it is out already";
  EXPECT_EQ(check_files(scratch.path()).text(), "");
}

TEST(AuditKey, ASignatureHoldsForItsMessageAndKeyOnly) {
  ScratchTrail scratch;
  const auto one = PrivateKey::make(scratch.file("one")), two = PrivateKey::make(scratch.file("two"));
  const auto signature = PrivateKey::load(scratch.file("one")).sign("message");
  EXPECT_TRUE(one.verify("message", signature));
  EXPECT_TRUE(PublicKey::load(scratch.file("one.pub")).verify("message", signature));
  EXPECT_FALSE(two.verify("message", signature));
  EXPECT_FALSE(one.verify("massage", signature));
  EXPECT_FALSE(one.verify("message", signature.substr(2)));
  EXPECT_NE(one.id(), two.id());
  EXPECT_EQ(failure_of([&] { PrivateKey::make(scratch.file("one")); }).status(), Status::kUnreachable);
  chmod(scratch.file("one").c_str(), 0644);
  EXPECT_EQ(failure_of([&] { PrivateKey::load(scratch.file("one")); }).status(), Status::kRefused);
  EXPECT_EQ(failure_of([&] { PrivateKey::load(scratch.file("one.pub")); }).status(), Status::kUsage);
  ScratchTrail::write(scratch.file("bad"), "hello");
  EXPECT_EQ(failure_of([&] { PublicKey::load(scratch.file("bad")); }).status(), Status::kUsage);
}

TEST(AuditQuery, FindsByTimeKindObjectCauseOutcomeAndAuthor) {
  ScratchTrail scratch;
  Trail trail = scratch.open();
  trail.append(
      {R"({"kind":"vm_moved","time":"2026-11-22T12:00:00Z","vm":"db1","outcome":"done","cause":"i1"})",
       R"({"kind":"host_down","time":"2026-11-22T13:00:00Z","host":"h\u0031","seen_by":["h2","h3"]})"});
  const auto lines = lines_of(scratch.read());
  const auto fits = [&](const Query& query) {
    std::string out;
    for (const auto& line : lines) out += query.fits(line) ? 'x' : '.';
    return out;
  };
  EXPECT_EQ(fits({.kind = "vm_moved"}), ".x.");
  EXPECT_EQ(fits({.object = "db1"}), ".x.");
  EXPECT_EQ(fits({.object = "h1"}), "..x");
  EXPECT_EQ(fits({.object = "h3"}), "..x");
  EXPECT_EQ(fits({.object = "h"}), "...");
  EXPECT_EQ(fits({.cause = "i1"}), ".x.");
  EXPECT_EQ(fits({.outcome = "done"}), ".x.");
  EXPECT_EQ(fits({.actor = "root"}), "xxx");
  EXPECT_EQ(fits({.since = parse_time("2026-11-22T12:30:00Z"), .kind = "host_down"}), "..x");
  EXPECT_EQ(fits({.until = parse_time("2026-11-22T12:30:00Z")}), ".x.");
  EXPECT_EQ(fits({.kind = "vm_moved", .object = "h1"}), "...");
  EXPECT_EQ(parse_when("2h", *parse_time("2026-11-22T12:00:00Z")), *parse_time("2026-11-22T10:00:00Z"));
  EXPECT_EQ(parse_when("1500ms", *parse_time("2026-11-22T12:00:02Z")), *parse_time("2026-11-22T12:00:00Z"));
  EXPECT_EQ(failure_of([] { parse_when("noon", {}); }).status(), Status::kUsage);
  const ZoneScope berlin("CET-1CEST,M3.5.0,M10.5.0/3");
  std::string doubt;
  EXPECT_EQ(parse_when("2026-10-25 02:30", {}, &doubt), *parse_time("2026-10-25T00:30:00Z"));
  EXPECT_NE(doubt.find("comes twice"), std::string::npos);
  EXPECT_EQ(fits({.fields = {{"vm", "db1"}}}), ".x.");
  EXPECT_EQ(fits({.fields = {{"vm", "db1"}, {"outcome", "failed"}}}), "...");
  EXPECT_EQ(fits({.fields = {{"seen_by", "h3"}}}), "..x");
  EXPECT_EQ(parse_field("record.owner=a=b"), std::pair(std::string("owner"), std::string("a=b")));
  EXPECT_EQ(failure_of([] { parse_field("owner"); }).status(), Status::kUsage);
}

TEST(AuditQuery, AKindThatSaysItsOutcomeIsFoundByIt) {
  ScratchTrail scratch;
  scratch.open().append({R"({"kind":"request_refused","owner":"web","reason":"full"})",
                         R"({"kind":"vm_moved","vm":"a","outcome":"refused"})",
                         R"({"kind":"vm_moved","vm":"a","outcome":"done","reason":"refused before"})"});
  std::string found;
  for (const auto& line : lines_of(scratch.read()))
    found += Query{.outcome = "refused"}.fits(line) ? 'x' : '.';
  EXPECT_EQ(found, ".xx.");
  EXPECT_EQ(step_of(lines_of(scratch.read())[1]).outcome, "refused");
}

TEST(AuditStory, FollowsAnIncidentThroughItsDecisionsProofsAndResults) {
  ScratchTrail scratch;
  Trail trail = scratch.open();
  trail.append(
      {R"({"kind":"host_down","time":"2026-11-22T12:00:00Z","tool":"heartbeat","id":"t1","cause":"inc1","host":"h3","verdict":"dead"})",
       R"({"kind":"vm_moved","time":"2026-11-22T12:00:00Z","tool":"migrate","id":"other","vm":"x","from":"h1","to":"h2","outcome":"done"})",
       R"({"kind":"vm_restarted","time":"2026-11-22T12:00:09Z","tool":"failover","id":"r1","fence":"f1","vm":"db1","from":"h3","to":"h1","outcome":"done"})",
       R"({"kind":"host_fenced","time":"2026-11-22T12:00:04Z","tool":"fence","id":"f1","cause":"inc1","host":"h3","method":"fence_ipmilan","verified":true})"});
  const auto text = scratch.read();
  const auto all = [&](const auto& each) {
    for (const auto& line : lines_of(text)) each(line);
  };
  const auto steps = story_of("inc1", all);
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].phase, "seen");
  EXPECT_EQ(steps[0].by, "heartbeat");
  EXPECT_NE(steps[0].what.find("HOST h3"), std::string::npos);
  EXPECT_EQ(steps[1].phase, "done");
  EXPECT_EQ(steps[2].what.find("vm_restarted"), 0U);
  EXPECT_EQ(story_of("r1", all).size(), 3U);
  EXPECT_TRUE(story_of("none", all).empty());
}

TEST(AuditStory, AnIdIsKnownByItsBeginningWhenNoOtherHasIt) {
  ScratchTrail scratch;
  scratch.open().append({R"({"kind":"host_down","host":"h3","id":"3f2a9c1b","cause":"77aa1234"})",
                         R"({"kind":"host_down","host":"h4","id":"77aa12ff","cause":"3f2a9c1b"})"});
  const auto text = scratch.read();
  const auto all = [&](const auto& each) {
    for (const auto& line : lines_of(text)) {
      if (!each(line)) break;
    }
  };
  EXPECT_EQ(id_that_begins("3f2a9c", all), "3f2a9c1b");
  EXPECT_EQ(id_that_begins("3f2a9", all), std::nullopt);
  EXPECT_EQ(id_that_begins("3f2a9d", all), std::nullopt);
  const auto error = failure_of([&] { id_that_begins("77aa12", all); });
  EXPECT_EQ(error.status(), Status::kUsage);
  EXPECT_NE(error.why().find("77aa1234, 77aa12ff"), std::string::npos) << error.why();
}

TEST(AuditStory, WhatWasTakenOutIsShownAsThat) {
  ScratchTrail scratch;
  scratch.fill(2);
  scratch.open().redact({{1}, {"record.vm", "actor"}, "asked to"});
  const auto step = step_of(lines_of(scratch.read())[1]);
  EXPECT_EQ(step.actor, "redacted");
  EXPECT_NE(step.what.find("VM redacted  FROM h1"), std::string::npos) << step.what;
}

}  // namespace
}  // namespace rackline::audit
