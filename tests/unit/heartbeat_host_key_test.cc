// SPDX-License-Identifier: Apache-2.0
// Keys of hosts: how they are derived, and the files that they stand in.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "base/secret.h"
#include "heartbeat/agent_keys.h"
#include "heartbeat/host_key.h"
#include "heartbeat/key_file.h"
#include "heartbeat/ticket.h"
#include "store_urls.h"

namespace rackline::heartbeat {
namespace {

const std::string kMaster(64, 'm'), kOther(64, 'o');

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  char digits[3];
  for (const char c : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += digits;
  }
  return text;
}

std::string sequence(int first, int last) {
  std::string bytes;
  for (int i = first; i <= last; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// RFC 5869, appendix A.1 and A.3; the first 32 bytes.
TEST(HostKeys, FollowTheRfc) {
  const std::string secret(22, '\x0b');
  EXPECT_EQ(hexadecimal(hkdf(secret, sequence(0, 0x0c), sequence(0xf0, 0xf9)).view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
  EXPECT_EQ(hexadecimal(hkdf(secret, "", "").view()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
  Key extracted;
  const std::string text = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
  for (std::size_t i = 0; i < extracted.bytes.size(); ++i)
    extracted.bytes[i] = static_cast<std::uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  EXPECT_EQ(hexadecimal(Signer(extracted, "c").expand(sequence(0xf0, 0xf9)).view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}

// An upgrade must not make other keys. These were computed by another program.
TEST(HostKeys, AreTheSameForEver) {
  EXPECT_EQ(host_key_text(kMaster, "h3"),
            "rackline-host-key h3 08625438 "
            "e9cf00f65c9864130004679b50ee3615626bf8e1dfbe4892b7c244ddabd3f634\n");
  Signer h3(host_key(kMaster, "h3").key, "c");
  EXPECT_EQ(hexadecimal(pair_key(h3, "h1").view()),
            "3084d277c8bdfcf7b37bfcf1e507e476a9bcef5c140501b4321a56a8cac8f1b3");
}

TEST(HostKeys, DifferByHostAndMaster) {
  EXPECT_EQ(host_key(kMaster, "h1").line(), host_key(kMaster, "h1").line());
  EXPECT_NE(host_key(kMaster, "h1").key.bytes, host_key(kMaster, "h2").key.bytes);
  EXPECT_NE(host_key(kMaster, "h1").key.bytes, host_key(kOther, "h1").key.bytes);
  EXPECT_NE(host_key(kMaster, "h1").id(), host_key(kMaster, "h2").id());
}

TEST(HostKeys, StandInALineThatIsCheckedAsAWhole) {
  const std::string line = host_key_text(kMaster, "h3");
  const auto keys = host_keys(line);
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].host, "h3");
  EXPECT_EQ(keys[0].key.bytes, host_key(kMaster, "h3").key.bytes);
  EXPECT_NE(line.find(" " + key_id_text(keys[0].id()) + " "), std::string::npos);
  EXPECT_EQ(line.find(kMaster), std::string::npos);
  std::string wrong = line;
  wrong[wrong.size() - 2] = wrong[wrong.size() - 2] == '0' ? '1' : '0';
  EXPECT_THROW(host_keys(wrong), Error);
  EXPECT_THROW(host_keys(line.substr(0, line.size() - 9)), Error);
  EXPECT_THROW(host_keys(line + host_key_text(kMaster, "h4")), Error);
  EXPECT_THROW(host_keys(line + line + line), Error);
  EXPECT_TRUE(host_keys(kMaster).empty());
  for (const char* name : {"", "-rf", "../h1", "a b", "h1\n"})
    EXPECT_THROW(host_key_text(kMaster, name), Error) << name;
}

// Nobody speaks for another host by a mistake either.
TEST(HostKeys, ServeTheirHostOnly) {
  const std::string text = host_key_text(kMaster, "h3");
  EXPECT_THROW(AgentKeys(text, "h2", "c"), Error);
  EXPECT_FALSE(AgentKeys(text, "h3", "c").shared());
  EXPECT_TRUE(AgentKeys(kMaster, "h3", "c").shared());
  EXPECT_THROW(master_keys(text), Error) << "and no watcher";
}

TEST(HostKeys, AreTwoWhileTheMasterKeyIsChanged) {
  const std::string both = kOther + "\nprevious " + kMaster;
  EXPECT_EQ(master_keys(both), (std::vector<std::string>{kOther, kMaster}));
  const auto keys = host_keys(host_key_text(both, "h3"));
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].key.bytes, host_key(kOther, "h3").key.bytes);
  EXPECT_EQ(keys[1].key.bytes, host_key(kMaster, "h3").key.bytes);
  EXPECT_THROW(master_keys(kOther + "\nprevious short"), Error);
  // A key that somebody made by himself may have a line end in it.
  EXPECT_EQ(master_keys(std::string(40, '\n')).size(), 1U);
}

class KeyFileTest : public testing::Test {
 protected:
  std::string path(const char* name) const { return scratch_.path() / name; }
  static mode_t mode(const std::string& file) {
    struct stat about = {};
    return stat(file.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
  }

 private:
  store::ScratchDirectory scratch_;
};

TEST_F(KeyFileTest, EachStepOfAChangeFitsToTheOneBefore) {
  const auto master = path("master");
  const auto host = path("host");
  make_secret(master);
  const auto derive = [&] { write_host_key(host, host_key_text(read_secret(master), "h3")); };
  derive();
  derive();
  EXPECT_EQ(mode(host), 0600U);
  const auto first = host_keys(read_secret(host));
  EXPECT_THROW(retire_master_key(master), Error) << "there is nothing to let go of";
  renew_master_key(master);
  EXPECT_EQ(mode(master), 0600U);
  EXPECT_THROW(renew_master_key(master), Error) << "a third key";
  derive();
  const auto both = host_keys(read_secret(host));
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[1].key.bytes, first[0].key.bytes);
  retire_master_key(master);
  EXPECT_EQ(mode(master), 0600U);
  derive();
  const auto last = host_keys(read_secret(host));
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].key.bytes, both[0].key.bytes);
}

TEST_F(KeyFileTest, AnotherKeyIsNotReplaced) {
  const auto file = path("key");
  for (const std::string& there : {host_key_text(kMaster, "h2"), host_key_text(kOther, "h3"), kMaster}) {
    unlink(file.c_str());
    std::ofstream(file) << there;
    chmod(file.c_str(), 0600);
    EXPECT_THROW(write_host_key(file, host_key_text(kMaster, "h3")), Error);
    std::string now = read_secret(file);
    EXPECT_EQ(now, there.substr(0, there.find('\n')));
  }
  EXPECT_THROW(renew_master_key(path("none")), Error);
  unlink(file.c_str());
  std::ofstream(file) << host_key_text(kMaster, "h2");
  chmod(file.c_str(), 0600);
  EXPECT_THROW(renew_master_key(file), Error) << "the key of a host is no master key";
}

}  // namespace
}  // namespace rackline::heartbeat
