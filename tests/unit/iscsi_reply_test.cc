// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "iscsi/reply.h"

namespace rackline::iscsi {
namespace {

using Page = std::vector<std::uint8_t>;

Page page_of(std::uint8_t code, std::string_view body) {
  Page page{0, code, static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())};
  page.insert(page.end(), body.begin(), body.end());
  return page;
}

Page fixed_sense(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) {
  Page data(18);
  data[0] = 0x70;
  data[2] = key;
  data[12] = asc;
  data[13] = ascq;
  return data;
}

TEST(IscsiReply, SenseInBothFormats) {
  EXPECT_EQ(parse_sense(fixed_sense(6, 0x2a, 9)), (Sense{6, 0x2a, 9}));
  EXPECT_EQ(parse_sense(Page{0x72, 0x05, 0x24, 0x00}), (Sense{5, 0x24, 0}));
  EXPECT_EQ(parse_sense(Page{0x70, 0, 6}), std::nullopt);
  EXPECT_EQ(parse_sense(Page{0x11, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0}), std::nullopt);
  EXPECT_EQ(words_of({3, 0x11, 0}), "MEDIUM ERROR 03/11/00");
}

TEST(IscsiReply, AConditionSaysWhatIsToBeDone) {
  EXPECT_EQ(condition_of(0, std::nullopt), Condition::kGood);
  EXPECT_EQ(condition_of(0x08, std::nullopt), Condition::kBusy);
  EXPECT_EQ(condition_of(0x28, std::nullopt), Condition::kBusy);
  EXPECT_EQ(condition_of(0x18, std::nullopt), Condition::kReservationConflict);
  EXPECT_EQ(condition_of(2, Sense{6, 0x29, 0}), Condition::kUnitAttention);
  EXPECT_EQ(condition_of(2, Sense{7, 0x27, 7}), Condition::kOutOfSpace);
  EXPECT_EQ(condition_of(2, Sense{7, 0x27, 0}), Condition::kWriteProtected);
  EXPECT_EQ(condition_of(2, Sense{5, 0x25, 0}), Condition::kNoSuchLun);
  EXPECT_EQ(condition_of(2, Sense{5, 0x20, 0}), Condition::kNotSupported);
  EXPECT_EQ(condition_of(2, std::nullopt), Condition::kOther);
}

TEST(IscsiReply, AttentionsByKind) {
  EXPECT_EQ(attention_of({6, 0x29, 0}), Attention::kReset);
  EXPECT_EQ(attention_of({6, 0x2a, 9}), Attention::kCapacityChanged);
  EXPECT_EQ(attention_of({6, 0x3f, 0x0e}), Attention::kLunsChanged);
  EXPECT_EQ(attention_of({6, 0x2a, 3}), Attention::kReservationsChanged);
  EXPECT_EQ(attention_of({6, 0x38, 7}), Attention::kSpaceThreshold);
  EXPECT_EQ(attention_of({6, 0x2a, 1}), Attention::kOther);
}

TEST(IscsiReply, ASerialIsPrintableWhateverTheTargetSays) {
  EXPECT_EQ(parse_serial(page_of(0x80, "  SN-a-1  ")), "SN-a-1");
  EXPECT_EQ(parse_serial(page_of(0x80, "a\x1b[2Jb c")), "a_[2Jb_c");
  EXPECT_EQ(parse_serial(page_of(0x80, "   ")), std::nullopt);
  EXPECT_EQ(parse_serial(page_of(0x83, "SN")), std::nullopt);
  auto longer_than_it_is = page_of(0x80, "SN");
  longer_than_it_is[3] = 200;
  EXPECT_EQ(parse_serial(longer_than_it_is), "SN");
}

TEST(IscsiReply, TheNaaIsThatOfTheLun) {
  using namespace std::string_view_literals;
  const auto t10 =
      "\x02\x01\x00\x03"
      "abc"sv;
  const auto naa_of_port = "\x01\x13\x00\x08\x50\x00\x00\x00\x00\x00\x00\x01"sv;
  const auto naa = "\x01\x03\x00\x08\x30\x00\x00\x01\x00\x00\x00\x0a"sv;
  EXPECT_EQ(parse_naa(page_of(0x83, std::string(t10) + std::string(naa_of_port) + std::string(naa))),
            "300000010000000a");
  EXPECT_EQ(parse_naa(page_of(0x83, t10)), std::nullopt);
  EXPECT_EQ(parse_naa(page_of(0x83, naa.substr(0, 7))), std::nullopt);
}

TEST(IscsiReply, ProvisioningIsWhatIsClaimed) {
  using namespace std::string_view_literals;
  const auto thin = parse_provisioning(page_of(0xb2, "\x00\xe0\x02\x00"sv));
  ASSERT_TRUE(thin);
  EXPECT_TRUE(thin->unmap && thin->write_same_unmap && thin->thin);
  const auto thick = parse_provisioning(page_of(0xb2, "\x00\x00\x00\x00"sv));
  ASSERT_TRUE(thick);
  EXPECT_FALSE(thick->unmap || thick->write_same_unmap || thick->thin);
}

Page capacity_of(std::uint64_t last, std::uint32_t block, std::uint8_t exponent = 0, std::uint8_t flags = 0) {
  Page data(32);
  for (std::size_t i = 0; i < 8; ++i) data[i] = static_cast<std::uint8_t>(last >> (56 - 8 * i));
  for (std::size_t i = 0; i < 4; ++i) data[8 + i] = static_cast<std::uint8_t>(block >> (24 - 8 * i));
  data[13] = exponent;
  data[14] = flags;
  return data;
}

TEST(IscsiReply, CapacityFitsTheNumbersOfRecords) {
  const auto thin = parse_capacity(capacity_of(2097151, 512, 3, 0xc0));
  ASSERT_TRUE(thin);
  EXPECT_EQ(thin->blocks, 2097152U);
  EXPECT_EQ(thin->physical_block_bytes, 4096U);
  EXPECT_TRUE(thin->thin && thin->unmapped_reads_zero);
  EXPECT_FALSE(parse_capacity(capacity_of(~std::uint64_t{0}, 512)));
  EXPECT_FALSE(parse_capacity(capacity_of(100, 0)));
  EXPECT_FALSE(parse_capacity(capacity_of(100, 520)));
  EXPECT_FALSE(parse_capacity(Page(15)));
}

TEST(IscsiReply, LunsWithPlainNumbers) {
  const Page data{0,    0,    0, 32, 0,    0,    0, 0,  //
                  0,    0,    0, 0,  0,    0,    0, 0, 0, 1, 0, 0,
                  0,    0,    0, 0,  0x41, 0x2c, 0, 0, 0, 0, 0, 0,  // flat: 300
                  0xc1, 0x01, 0, 0,  0,    0,    0, 0};             // a well-known logical unit
  EXPECT_EQ(parse_luns(data), (std::vector<std::uint16_t>{0, 1, 300}));
  EXPECT_EQ(parse_luns(Page(7)), std::nullopt);
}

Page extents_of(const std::vector<Extent>& extents) {
  Page data(8);
  for (const Extent& extent : extents) {
    for (std::size_t i = 0; i < 8; ++i)
      data.push_back(static_cast<std::uint8_t>(extent.first_block >> (56 - 8 * i)));
    for (std::size_t i = 0; i < 4; ++i)
      data.push_back(static_cast<std::uint8_t>(extent.blocks >> (24 - 8 * i)));
    data.insert(data.end(), {static_cast<std::uint8_t>(extent.mapped ? 0 : 1), 0, 0, 0});
  }
  const auto length = data.size() - 4;
  data[2] = static_cast<std::uint8_t>(length >> 8);
  data[3] = static_cast<std::uint8_t>(length);
  return data;
}

TEST(IscsiReply, ExtentsFollowEachOtherOrSayNothing) {
  const auto good = parse_extents(extents_of({{0, 2048, true}, {2048, 100, false}}));
  ASSERT_TRUE(good);
  ASSERT_EQ(good->size(), 2U);
  EXPECT_TRUE((*good)[0].mapped);
  EXPECT_FALSE((*good)[1].mapped);
  EXPECT_EQ(parse_extents(extents_of({{0, 2048, true}, {4096, 100, false}})).has_value(), false);
  EXPECT_EQ(parse_extents(extents_of({{0, 0, true}})).has_value(), false);
  auto unknown = extents_of({{0, 8, true}});
  unknown[20] = 7;
  EXPECT_TRUE(parse_extents(unknown)->front().mapped);
  auto more_than_there_is = extents_of({{0, 8, true}});
  more_than_there_is[0] = 0xff;
  EXPECT_EQ(parse_extents(more_than_there_is)->size(), 1U);
}

TEST(IscsiReply, KeysAndReservation) {
  const Page keys{0, 0, 0, 7, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0xbb};
  const auto read = parse_keys(keys);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->generation, 7U);
  EXPECT_EQ(read->keys, (std::vector<std::uint64_t>{0xaa, 0xbb}));
  EXPECT_FALSE(read->truncated);
  EXPECT_TRUE(parse_keys(Page(keys.begin(), keys.begin() + 16))->truncated);

  EXPECT_EQ(parse_reservation(Page{0, 0, 0, 7, 0, 0, 0, 0})->has_value(), false);
  Page reserved(24);
  reserved[7] = 16;
  reserved[15] = 0xcc;
  reserved[21] = 0x05;
  ASSERT_TRUE(parse_reservation(reserved));
  EXPECT_EQ((*parse_reservation(reserved))->key, 0xccU);
  EXPECT_EQ((*parse_reservation(reserved))->type, 5U);
  EXPECT_FALSE(parse_reservation(Page(reserved.begin(), reserved.begin() + 12)));
}

}  // namespace
}  // namespace rackline::iscsi
