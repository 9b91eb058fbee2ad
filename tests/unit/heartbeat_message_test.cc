// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "heartbeat/message.h"

namespace rackline::heartbeat {
namespace {

const std::string kKey(32, 'k');

Message sample() {
  Message message;
  message.type = Message::Type::kAsk;
  message.leaving = message.storage_ok = message.fenced = true;
  message.incarnation = 0x0102030405060708;
  message.seq = 9;
  message.nonce = UINT64_MAX;
  message.echo = 10;
  message.self_fence_ms = 30'000;
  message.ack_age_ms = 11;
  message.vms = 12;
  message.name = "h1";
  message.target = "10.0.0.1:7788";
  return message;
}

struct Encoded {
  explicit Encoded(const Message& message, const std::string& key = kKey, const std::string& cluster = "c") {
    length = Signer(key, cluster).encode(message, bytes);
  }
  std::span<const std::uint8_t> view() const { return {bytes.data(), length}; }
  MessageBytes bytes{};
  std::size_t length = 0;
};

TEST(Message, ComesOutAsItWentIn) {
  const Encoded encoded(sample());
  Message out;
  ASSERT_EQ(Signer(kKey, "c").decode(encoded.view(), out), Reject::kNone);
  const Message in = sample();
  EXPECT_EQ(out.type, in.type);
  EXPECT_TRUE(out.leaving && out.storage_ok && out.fenced);
  EXPECT_FALSE(out.libvirt_ok || out.watchdog || out.reached);
  EXPECT_EQ(out.incarnation, in.incarnation);
  EXPECT_EQ(out.seq, in.seq);
  EXPECT_EQ(out.nonce, in.nonce);
  EXPECT_EQ(out.echo, in.echo);
  EXPECT_EQ(out.self_fence_ms, in.self_fence_ms);
  EXPECT_EQ(out.ack_age_ms, in.ack_age_ms);
  EXPECT_EQ(out.vms, in.vms);
  EXPECT_EQ(out.name, in.name);
  EXPECT_EQ(out.target, in.target);
}

TEST(Message, EveryBitIsSigned) {
  Encoded encoded(sample());
  Signer signer(kKey, "c");
  Message out;
  for (std::size_t bit = 0; bit < encoded.length * 8; ++bit) {
    encoded.bytes[bit / 8] = static_cast<std::uint8_t>(encoded.bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(signer.decode(encoded.view(), out), Reject::kNone) << bit;
    encoded.bytes[bit / 8] = static_cast<std::uint8_t>(encoded.bytes[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_EQ(signer.decode(encoded.view(), out), Reject::kNone);
}

TEST(Message, IsRefusedAtEveryLengthButItsOwn) {
  const Encoded encoded(sample());
  Signer signer(kKey, "c");
  Message out;
  for (std::size_t length = 0; length < encoded.bytes.size(); ++length) {
    if (length == encoded.length) continue;
    EXPECT_NE(signer.decode({encoded.bytes.data(), length}, out), Reject::kNone) << length;
  }
}

TEST(Message, SaysWhyItIsRefused) {
  Signer signer(kKey, "c");
  Message out;
  EXPECT_EQ(signer.decode(Encoded(sample(), std::string(32, 'x')).view(), out), Reject::kForged);
  EXPECT_EQ(signer.decode(Encoded(sample(), kKey, "other").view(), out), Reject::kForeign);
  const std::uint8_t http[] = "GET / HTTP/1.1";
  EXPECT_EQ(signer.decode(http, out), Reject::kStrange);
  EXPECT_EQ(signer.decode(Encoded(sample()).view().first(40), out), Reject::kTruncated);
}

TEST(Message, AShortKeyIsNone) {
  EXPECT_THROW(Signer(std::string(31, 'k'), "c"), Error);
}

TEST(Message, NamesThatAreTooLongAreCut) {
  Message message = sample();
  message.name.assign(300, 'n');
  message.target.assign(300, 't');
  const Encoded encoded(message);
  Message out;
  ASSERT_EQ(Signer(kKey, "c").decode(encoded.view(), out), Reject::kNone);
  EXPECT_EQ(out.name, std::string(kMaxName, 'n'));
  EXPECT_EQ(out.target, std::string(kMaxName, 't'));
}

}  // namespace
}  // namespace rackline::heartbeat
