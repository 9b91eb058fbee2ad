// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "audit/verify.h"
#include "audit_support.h"

namespace rackline::audit {
namespace {

class AuditVerify : public testing::Test {
 protected:
  void SetUp() override {
    scratch_.fill(10);  // lines 0 (begin), 1 to 10, 11 (close)
    lines_ = lines_of(scratch_.read());
  }
  std::string found(VerifyOptions options = {}) const {
    return check_text(joined(lines_), std::move(options)).text();
  }

  ScratchTrail scratch_;
  std::vector<std::string> lines_;
};

TEST_F(AuditVerify, AWholeTrailIsSound) {
  const auto checked = check_text(scratch_.read());
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.records, 10);
  EXPECT_EQ(checked.result.last, 11);
}

TEST_F(AuditVerify, AChangedLineIsNamedAndNoneOfThoseBehindIt) {
  lines_[5].replace(lines_[5].find("db5"), 3, "db6");
  EXPECT_EQ(found(), "changed 5");
}

TEST_F(AuditVerify, TwoChangedLinesAreBothNamed) {
  lines_[5].replace(lines_[5].find("db5"), 3, "db6");
  lines_[6].replace(lines_[6].find("done"), 4, "fail");
  EXPECT_EQ(found(), "changed 5, changed 6");
}

TEST_F(AuditVerify, AChangedHashNumberOrFormIsAChangedLine) {
  auto& hash = lines_[5][lines_[5].size() - 3];
  hash = hash == '0' ? '1' : '0';
  EXPECT_EQ(found(), "changed 5");
  lines_ = lines_of(scratch_.read());
  lines_[5].replace(lines_[5].find("\"seq\":5"), 7, "\"seq\":9");
  EXPECT_EQ(found(), "changed 5");
  lines_ = lines_of(scratch_.read());
  lines_[5].replace(lines_[5].find("\"seq\":5"), 7, "\"seq\":4");
  EXPECT_EQ(found(), "changed 5");
  lines_[5] = "not a line";
  EXPECT_EQ(found(), "changed 5");
}

TEST_F(AuditVerify, RemovedLinesAreNamed) {
  lines_.erase(lines_.begin() + 4, lines_.begin() + 7);
  EXPECT_EQ(found(), "removed 4-6");
  lines_ = lines_of(scratch_.read());
  lines_.erase(lines_.begin());
  EXPECT_EQ(found(), "removed 0");
}

TEST_F(AuditVerify, LinesThatWereMovedAreNamed) {
  std::swap(lines_[5], lines_[6]);
  EXPECT_EQ(found(), "reordered 5");
  lines_ = lines_of(scratch_.read());
  std::rotate(lines_.begin() + 3, lines_.begin() + 4, lines_.begin() + 9);
  EXPECT_EQ(found(), "reordered 3");
}

TEST_F(AuditVerify, ALineThatIsThereTwiceIsNamed) {
  lines_.insert(lines_.begin() + 6, lines_[5]);
  EXPECT_EQ(found(), "duplicated 5");
  lines_ = lines_of(scratch_.read());
  lines_.insert(lines_.begin() + 9, lines_[3]);
  EXPECT_EQ(found(), "duplicated 3");
}

TEST_F(AuditVerify, AnAddedLineIsNamed) {
  std::string forged = lines_[6];
  forged.replace(forged.find("db6"), 3, "evil");
  lines_.insert(lines_.begin() + 6, forged);
  EXPECT_EQ(found(), "inserted 6");
  lines_[6] = "{\"kind\":\"vm_moved\"}";
  EXPECT_EQ(found(), "inserted");
}

TEST_F(AuditVerify, ATornLastLineIsNamed) {
  const auto whole = scratch_.read();
  EXPECT_EQ(check_text(whole.substr(0, whole.size() - 1)).text(), "torn 11");
  EXPECT_EQ(check_text(whole + "{\"kind\":\"aud").text(), "torn 12");
}

TEST_F(AuditVerify, AnEndThatWasCutOffIsSeenByItsHeadByACheckpointOrForWantOfAClose) {
  lines_.resize(9);
  EXPECT_EQ(found(), "truncated 9");
  EXPECT_EQ(check_text(joined(lines_), {}, read_head(scratch_.path())).text(), "truncated 9-11");
  const auto key = PrivateKey::make(scratch_.file("key"));
  const auto whole = check_text(scratch_.read()).result;
  const auto checkpoint = scratch_.open().checkpoint(PrivateKey::load(scratch_.file("key")));
  EXPECT_EQ(found({.key = &key, .checkpoints = {checkpoint}}), "truncated 9-11, truncated 9");
  EXPECT_EQ(check_text(scratch_.read(), {.key = &key, .checkpoints = {checkpoint}}).result.signed_to,
            whole.last);
}

// Somebody who can write the file can make a chain that is whole in itself; what they lack is the key.
TEST_F(AuditVerify, ATrailThatWasWrittenAnewIsSeenByTheSignature) {
  const auto key = PrivateKey::make(scratch_.file("key"));
  scratch_.open().checkpoint(PrivateKey::load(scratch_.file("key")));
  std::string forged;
  Digest before{};
  for (const auto& line : lines_of(scratch_.read())) {
    const auto info = read_line(line);
    const auto from = line.find("\"seq\":") + 6;
    auto body = line.substr(line.find(',', from) + 1);
    body.resize(body.rfind(",\"salt\""));
    if (info.seq == 5) body.replace(body.find("db5"), 3, "db6");
    append_line(forged, {info.kind, *parse_time(text_member(line, "time")), info.seq, body}, random_salt(),
                before);
  }
  EXPECT_EQ(check_text(forged).text(), "");
  EXPECT_EQ(check_text(forged, {.key = &key}).text(), "signature 12");
  EXPECT_EQ(check_text(forged, {}, read_head(scratch_.path())).text(), "changed 12");
  const auto other = PrivateKey::make(scratch_.file("other"));
  EXPECT_EQ(check_text(scratch_.read(), {.key = &other}).text(), "signature 12");
  EXPECT_EQ(check_text(scratch_.read(), {.key = &key}).text(), "");
}

TEST_F(AuditVerify, ATrailInWhichNothingIsSignedIsNotSoundForAKey) {
  const auto key = PrivateKey::make(scratch_.file("key"));
  const auto checked = check_text(scratch_.read(), {.key = &key});
  ASSERT_EQ(checked.text(), "signature");
  EXPECT_EQ(checked.findings[0].why.find("nothing is signed"), 0U);
}

TEST_F(AuditVerify, RepairedLinesAreCountedAndNoProblem) {
  ScratchTrail::write(scratch_.path(), scratch_.read() + "{\"kind\":\"audit");
  scratch_.fill(1);
  const auto checked = check_text(scratch_.read());
  EXPECT_EQ(checked.text(), "");
  EXPECT_EQ(checked.result.repaired, 1);
}

TEST_F(AuditVerify, AnotherChainIsNamed) {
  ScratchTrail other;
  other.fill(2);
  EXPECT_EQ(check_text(other.read(), {}, read_head(scratch_.path())).text(), "foreign");
  EXPECT_EQ(found({.chain = "0123"}), "foreign 0");
  EXPECT_EQ(check_text(scratch_.read() + other.read()).text(), "foreign 0");
  EXPECT_EQ(check_text("hello\n").text(), "changed 0");
  EXPECT_EQ(check_text("").text(), "truncated");
}

// The promise itself: whatever byte of a thousand records is changed, and to whatever, it is seen, and the
// line is named. Each change is looked at with the two lines before and after it in their chain, which is
// what decides; that the whole trail is read in this way is shown by a sample below.
TEST(AuditEveryByte, OfAThousandRecordsIsCovered) {
  ScratchTrail scratch;
  scratch.fill(1000);
  const std::string whole = scratch.read();
  const auto lines = lines_of(whole);
  std::size_t changes = 0;
  Digest before{};
  for (std::size_t n = 0; n < lines.size(); ++n) {
    std::string line = lines[n];
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char was = line[i];
      for (const int flip : {0x01, 0x20, 0x80}) {
        line[i] = static_cast<char>(was ^ flip);
        const LineInfo info = read_line(line);
        const bool unseen =
            info.readable && info.seq == static_cast<std::int64_t>(n) && info.linked_to(before) == info.hash;
        if (unseen) FAIL() << "line " << n << " byte " << i;
        ++changes;
      }
      line[i] = was;
    }
    before = read_line(lines[n]).hash;
  }
  EXPECT_GT(changes, whole.size() * 2);
}

TEST(AuditEveryByte, IsFoundInTheWholeTrailAndItsLineIsNamed) {
  ScratchTrail scratch;
  scratch.fill(20);
  std::string text = scratch.read();
  std::int64_t line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char was = text[i];
    text[i] = static_cast<char>(was ^ 0x01);
    const auto checked = check_text(text, {}, read_head(scratch.path()));
    ASSERT_FALSE(checked.findings.empty()) << "byte " << i;
    const auto& finding = checked.findings.front();
    ASSERT_TRUE(finding.first == line || (was == '\n' && finding.first <= line + 1))
        << "byte " << i << ": " << checked.text();
    text[i] = was;
    if (was == '\n') ++line;
  }
}

TEST(AuditEveryByte, OfARedactedLineIsCoveredToo) {
  ScratchTrail scratch;
  scratch.fill(3);
  scratch.open().redact({{2}, {"record.vm", "actor"}, "asked to"});
  const std::string whole = scratch.read();
  EXPECT_EQ(whole.find("\"db2\""), std::string::npos);
  EXPECT_EQ(check_text(whole).text(), "");
  EXPECT_EQ(check_text(whole).result.redacted, 1);
  std::string text = whole;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char was = text[i];
    text[i] = static_cast<char>(was ^ 0x01);
    ASSERT_FALSE(check_text(text).findings.empty()) << "byte " << i;
    text[i] = was;
  }
}

}  // namespace
}  // namespace rackline::audit
