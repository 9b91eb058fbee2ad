// SPDX-License-Identifier: Apache-2.0
#include "iscsi/lun.h"

#include <chrono>
#include <memory>
#include <utility>

#include "base/big_endian.h"

namespace rackline::iscsi {
namespace {

using Cdb = std::vector<std::uint8_t>;

// After a login each LUN says once that it was; further ones follow changes of others.
constexpr int kTries = 5;

constexpr std::size_t kPage = 252;
constexpr std::uint32_t kCapacity = 32;
constexpr std::uint32_t kLuns = 8 + 8 * 1024;
constexpr std::uint16_t kKeys = 8 + 8 * 64;
// A target walks all extents for each call, however few it is asked for.
constexpr std::uint32_t kExtents = 4U << 20;

Cdb inquiry() {
  return {0x12, 0, 0, 0, kPage, 0};
}
Cdb inquiry(std::uint8_t page) {
  return {0x12, 1, page, 0, kPage, 0};
}
Cdb mode_sense() {
  return {0x1a, 0x08, 0x3f, 0, kPage, 0};
}
Cdb report_luns() {
  Cdb cdb(12);
  cdb[0] = 0xa0;
  put_big_endian<std::uint32_t>(&cdb[6], kLuns);
  return cdb;
}
Cdb read_capacity() {
  Cdb cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x10;
  put_big_endian<std::uint32_t>(&cdb[10], kCapacity);
  return cdb;
}
Cdb lba_status(std::uint64_t block) {
  Cdb cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x12;
  put_big_endian<std::uint64_t>(&cdb[2], block);
  put_big_endian<std::uint32_t>(&cdb[10], kExtents);
  return cdb;
}
Cdb reserve_in(std::uint8_t action) {
  Cdb cdb(10);
  cdb[0] = 0x5e;
  cdb[1] = action;
  put_big_endian<std::uint16_t>(&cdb[7], kKeys);
  return cdb;
}
Cdb read_block(std::uint64_t block) {
  Cdb cdb(16);
  cdb[0] = 0x88;
  put_big_endian<std::uint64_t>(&cdb[2], block);
  put_big_endian<std::uint32_t>(&cdb[10], 1);
  return cdb;
}

void ask(Session& session, std::uint16_t lun, const Cdb& cdb, std::size_t bytes, const Session::Done& done,
         int tries = kTries) {
  session.read(lun, cdb, bytes, [&session, lun, cdb, bytes, done, tries](const Reply& reply) {
    const bool again = reply.lost.empty() &&
                       (reply.condition == Condition::kUnitAttention || reply.condition == Condition::kBusy);
    if (again && tries > 1) {
      ask(session, lun, cdb, bytes, done, tries - 1);
    } else {
      done(reply);
    }
  });
}

}  // namespace

void ask_luns(Session& session,
              const std::function<void(std::optional<std::vector<std::uint16_t>>, std::string why)>& done) {
  ask(session, 0, report_luns(), kLuns, [done](const Reply& reply) {
    if (!reply.lost.empty()) return done(std::nullopt, reply.lost);
    auto luns = reply.condition == Condition::kGood ? parse_luns(reply.data) : std::nullopt;
    std::string why;
    if (!luns) why = reply.sense ? words_of(*reply.sense) : "REPORT LUNS gives no list";
    done(std::move(luns), why);
  });
}

void ask_lun(Session& session, std::uint16_t lun, const std::function<void(LunFacts)>& done) {
  struct Answers {
    LunFacts facts;
    int missing = 0;
  };
  const auto answers = std::make_shared<Answers>();
  const auto put_in = [&](const Cdb& cdb, std::size_t bytes, auto take) {
    ++answers->missing;
    ask(session, lun, cdb, bytes, [answers, take, done](const Reply& reply) {
      if (!reply.lost.empty()) answers->facts.lost = reply.lost;
      if (reply.lost.empty() && reply.condition == Condition::kGood) take(answers->facts, reply.data);
      if (--answers->missing == 0) done(std::move(answers->facts));
    });
  };
  using Data = const std::vector<std::uint8_t>&;
  put_in(inquiry(), kPage, [](LunFacts& facts, Data data) { facts.device_type = parse_device_type(data); });
  put_in(inquiry(0x80), kPage, [](LunFacts& facts, Data data) { facts.serial = parse_serial(data); });
  put_in(inquiry(0x83), kPage, [](LunFacts& facts, Data data) { facts.naa = parse_naa(data); });
  put_in(inquiry(0xb2), kPage,
         [](LunFacts& facts, Data data) { facts.provisioning = parse_provisioning(data); });
  put_in(mode_sense(), kPage,
         [](LunFacts& facts, Data data) { facts.write_protected = parse_write_protected(data); });
  put_in(read_capacity(), kCapacity,
         [](LunFacts& facts, Data data) { facts.capacity = parse_capacity(data); });
  put_in(reserve_in(0), kKeys, [](LunFacts& facts, Data data) { facts.keys = parse_keys(data); });
  put_in(reserve_in(1), kKeys,
         [](LunFacts& facts, Data data) { facts.reservation = parse_reservation(data); });
}

namespace {

struct Map {
  Session& session;
  std::uint16_t lun;
  Capacity capacity;
  std::function<void(std::optional<std::uint64_t>)> done;
  std::uint64_t next = 0, mapped = 0;
};

void ask_map(const std::shared_ptr<Map>& map) {
  ask(map->session, map->lun, lba_status(map->next), kExtents, [map](const Reply& reply) {
    const auto extents =
        reply.lost.empty() && reply.condition == Condition::kGood ? parse_extents(reply.data) : std::nullopt;
    if (!extents || extents->empty() || extents->front().first_block != map->next)
      return map->done(std::nullopt);
    for (const Extent& extent : *extents) {
      map->next = extent.first_block + extent.blocks;
      if (extent.mapped) map->mapped += extent.blocks;
    }
    // It may tell of more than there is: the last extent is as long as its own grain has it.
    if (map->next >= map->capacity.blocks)
      return map->done(std::min(map->mapped, map->capacity.blocks) * map->capacity.block_bytes);
    ask_map(map);
  });
}

}  // namespace

void ask_mapped(Session& session, std::uint16_t lun, const Capacity& capacity,
                const std::function<void(std::optional<std::uint64_t>)>& done) {
  ask_map(std::make_shared<Map>(Map{session, lun, capacity, done}));
}

void probe(Session& session, std::uint16_t lun, const Capacity& capacity, std::uint64_t block,
           const std::function<void(std::optional<std::chrono::microseconds>)>& done) {
  using Clock = std::chrono::steady_clock;
  session.read(
      lun, read_block(block), capacity.block_bytes, [done, began = Clock::now()](const Reply& reply) {
        const bool good = reply.lost.empty() && reply.condition == Condition::kGood;
        done(good ? std::optional(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began))
                  : std::nullopt);
      });
}

}  // namespace rackline::iscsi
