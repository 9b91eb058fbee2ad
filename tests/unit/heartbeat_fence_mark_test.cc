// SPDX-License-Identifier: Apache-2.0
// The mark of a fencing on the shared storage: what counts, and that nothing else stops a server.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "heartbeat/fence_mark_keeper.h"
#include "store_urls.h"

namespace rackline::heartbeat {
namespace {

const std::string kKey(64, 'k'), kPrevious(64, 'p');

std::vector<std::string> keys_of(const std::string&) {
  return {kKey};
}

constexpr std::uint64_t kRun = 7, kBeat = 100;

class FenceMarkTest : public testing::Test {
 protected:
  FenceMarkText mark(const std::string& host = "h1") const { return {host, "f1", kRun, kBeat}; }
  bool says_fenced(const std::string& text, std::uint64_t seq = kBeat, std::uint64_t overtaken = 0) {
    return own_.says_fenced(text, kRun, seq, overtaken);
  }
  std::string trouble_of(const std::string& text, std::uint64_t seq = kBeat, std::uint64_t overtaken = 0) {
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(says_fenced(text, seq, overtaken)) << text;
    return own_.trouble();
  }
  std::set<std::string> pass(const std::vector<FenceMarkText>& wanted) {
    return keep_fence_marks(
        slots_.path(), "c", [this](const auto&) { return keys_; }, {"h1", "h2"}, wanted);
  }
  std::optional<std::string> text(const std::string& host = "h1") {
    return read_fence_mark(slots_.path(), host);
  }
  void put(const std::string& text, const std::string& host = "h1") {
    std::ofstream(slots_.path() / (host + ".fenced"), std::ios::trunc) << text;
  }

  store::ScratchDirectory slots_;
  std::vector<std::string> keys_{kKey};  // of the watcher, for every host
  OwnFenceMark own_{"h1", "c", {kKey, kPrevious}};
};

TEST_F(FenceMarkTest, ComesBackAsItWas) {
  FenceMarkText out;
  const std::string text = sealed(mark(), "c", kKey);
  ASSERT_EQ(unseal(text, "c", kKey, out), MarkReject::kNone) << text;
  EXPECT_EQ(out.host, "h1");
  EXPECT_EQ(out.fence, "f1");
  EXPECT_EQ(out.incarnation, kRun);
  EXPECT_EQ(out.seq, kBeat);
  auto longest = mark(std::string(128, 'h'));
  longest.fence = std::string(128, 'f');
  longest.seq = longest.incarnation = UINT64_MAX;
  EXPECT_LE(sealed(longest, "c", kKey).size(), 512U);
  ASSERT_EQ(unseal(sealed(longest, "c", kKey), "c", kKey, out), MarkReject::kNone);
  EXPECT_EQ(out.seq, UINT64_MAX);
  auto odd = mark();
  odd.fence = "of a person\n";
  EXPECT_EQ(unseal(sealed(odd, "c", kKey), "c", kKey, out), MarkReject::kNone);
}

TEST_F(FenceMarkTest, NoPartOfItIsBelievedWithoutTheOthers) {
  const std::string text = sealed(mark(), "c", kKey);
  FenceMarkText out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_NE(unseal(text.substr(0, i), "c", kKey, out), MarkReject::kNone) << i;
    std::string other = text;
    other[i] ^= 1;
    EXPECT_NE(unseal(other, "c", kKey, out), MarkReject::kNone) << i;
  }
  EXPECT_NE(unseal(text + "x", "c", kKey, out), MarkReject::kNone);
}

TEST_F(FenceMarkTest, AnAnswerToARecentBeatSaysThatTheHostIsFenced) {
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kKey)));
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kKey), kBeat + 16));
  EXPECT_TRUE(own_.trouble().empty());
  EXPECT_FALSE(own_.says_fenced(std::nullopt, kRun, kBeat, 0));
}

// Rule 21: one that was put back after the fencing was cleared stops nothing.
TEST_F(FenceMarkTest, AnOldOneStopsNothing) {
  const std::string text = sealed(mark(), "c", kKey);
  EXPECT_NE(trouble_of(text, kBeat + 17).find("an old one (f1)"), std::string::npos);
  EXPECT_NE(trouble_of(text, kBeat - 1).find("an old one"), std::string::npos)
      << "of a beat that was never sent";
  EXPECT_NE(trouble_of(text, kBeat + 1, kBeat).find("an old one"), std::string::npos)
      << "a watcher has said since that it is not fenced";
  auto other_run = mark();
  other_run.incarnation = kRun + 1;
  EXPECT_NE(trouble_of(sealed(other_run, "c", kKey)).find("an old one"), std::string::npos);
}

TEST_F(FenceMarkTest, AForeignOrTornOneIsToldAndStopsNothing) {
  EXPECT_NE(trouble_of(sealed(mark("h2"), "c", kKey)).find("of another host, h2"), std::string::npos);
  EXPECT_NE(trouble_of(sealed(mark(), "d", kKey)).find("another cluster"), std::string::npos);
  EXPECT_NE(trouble_of(sealed(mark(), "c", std::string(64, 'x'))).find("not signed with the key"),
            std::string::npos);
  EXPECT_NE(trouble_of(sealed(mark(), "c", kKey).substr(0, 90)).find("half written"), std::string::npos);
  EXPECT_NE(trouble_of("").find("half written"), std::string::npos);
  EXPECT_NE(trouble_of(std::string(5000, '\0')).find("half written"), std::string::npos);
}

TEST_F(FenceMarkTest, WhatLooksTornForAMomentIsBeingWritten) {
  for (int i = 0; i < 4; ++i) says_fenced("rackline-fenced 1 ");
  EXPECT_EQ(own_.trouble(), "");
  says_fenced("rackline-fenced 1 ");
  EXPECT_NE(own_.trouble(), "");
  own_.says_fenced(std::nullopt, kRun, kBeat, 0);
  EXPECT_EQ(own_.trouble(), "");
}

TEST_F(FenceMarkTest, WhatWasBelievedHoldsWhileTheNextIsWrittenAndNotAfterAWatcherSaysOtherwise) {
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kKey)));
  EXPECT_TRUE(says_fenced("rackline-fenced 1 "));
  EXPECT_FALSE(says_fenced("rackline-fenced 1 ", kBeat + 1, kBeat));
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kKey)));
  EXPECT_FALSE(own_.says_fenced(std::nullopt, kRun, kBeat, 0));
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kKey)));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(says_fenced("torn"));
  EXPECT_FALSE(says_fenced("torn"));
}

TEST_F(FenceMarkTest, AWatcherKeepsWhatIsWantedAndRemovesItsOwn) {
  EXPECT_TRUE(pass({mark()}).empty());
  EXPECT_EQ(text(), sealed(mark(), "c", kKey));
  auto later = mark();
  later.seq = kBeat + 1;
  pass({later});
  EXPECT_EQ(text(), sealed(later, "c", kKey));
  put("torn");
  pass({later});
  EXPECT_EQ(text(), sealed(later, "c", kKey)) << "it is written anew";
  EXPECT_TRUE(pass({}).empty());
  EXPECT_FALSE(text());
}

// While a host's key is changed its agent has both, and a watcher may know only one of them.
TEST_F(FenceMarkTest, EitherKeyOfAHostCountsWhileItIsChanged) {
  EXPECT_TRUE(says_fenced(sealed(mark(), "c", kPrevious)));
  EXPECT_TRUE(own_.trouble().empty());
  keys_ = {kPrevious, kKey};
  EXPECT_TRUE(pass({mark()}).empty());
  EXPECT_EQ(text(), sealed(mark(), "c", kPrevious));
  keys_ = {kKey, kPrevious};
  EXPECT_TRUE(pass({}).empty()) << "one that was signed before is its own";
  EXPECT_FALSE(text());
}

TEST_F(FenceMarkTest, WhatIsNotItsOwnIsToldAndLeft) {
  put(sealed(mark("h9"), "c", kKey), "h9");
  put("torn", "h1");
  put(sealed(mark("h2"), "other", kKey), "h2");
  const auto troubles = pass({});
  EXPECT_EQ(troubles.size(), 3U);
  std::string all;
  for (const auto& trouble : troubles) all += trouble + "\n";
  EXPECT_NE(all.find("h9 on the storage is of a host that is not in the inventory"), std::string::npos)
      << all;
  EXPECT_NE(all.find("h1 on the storage is half written"), std::string::npos) << all;
  EXPECT_NE(all.find("h2 on the storage is of another cluster"), std::string::npos) << all;
  EXPECT_TRUE(text("h9") && text("h1") && text("h2"));
}

TEST_F(FenceMarkTest, NamesAndThingsThatAreNoFilesOfOurs) {
  EXPECT_THROW(write_fence_mark(slots_.path(), "../h1", "x"), Error);
  EXPECT_THROW(read_fence_mark(slots_.path(), "-rf"), Error);
  std::filesystem::create_symlink("/etc/passwd", slots_.path() / "h1.fenced");
  EXPECT_THROW(text(), Error);
  EXPECT_FALSE(pass({mark()}).empty());
  std::filesystem::remove(slots_.path() / "h1.fenced");
  ASSERT_EQ(mkfifo((slots_.path() / "h1.fenced").c_str(), 0600), 0);
  EXPECT_THROW(text(), Error);
  EXPECT_FALSE(keep_fence_marks("/nonexistent", "c", keys_of, {}, {}).empty());
}

TEST_F(FenceMarkTest, OnAThreadOfItsOwn) {
  FenceMarkKeeper keeper(slots_.path(), "c", keys_of, {"h1", "h2"});
  put("torn", "h2");
  keeper.keep({mark()});
  std::set<std::string> troubles;
  for (int i = 0; i < 5000 && troubles.empty(); ++i) {
    troubles.merge(keeper.troubles());
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  EXPECT_EQ(text(), sealed(mark(), "c", kKey));
  EXPECT_EQ(troubles.size(), 1U);
}

}  // namespace
}  // namespace rackline::heartbeat
