// SPDX-License-Identifier: Apache-2.0
#include "capacity/memory.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/units.h"
#include "capacity/facts.h"

namespace rackline::capacity {
namespace {

bool number_of(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0;
}

plan::Amount sum(const PageBytes& pages) {
  plan::Amount bytes = 0;
  for (const auto& [size, part] : pages) bytes += part;
  return bytes;
}

plan::Amount in_pools(const record::HostSample& host) {
  return sum(page_bytes(host.hugepage_pools).value_or(PageBytes()));
}

}  // namespace

std::optional<PageBytes> page_bytes(const record::List& words) {
  if (!words) return std::nullopt;
  PageBytes pages;
  for (const std::string_view word : *words) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::int64_t size = 0;
    std::int64_t bytes = 0;
    if (word.substr(0, equals) != "default" && !number_of(word.substr(0, equals), size)) return std::nullopt;
    if (!number_of(word.substr(equals + 1), bytes)) return std::nullopt;
    pages[size] += bytes;
  }
  return pages;
}

std::string pages_text(std::int64_t page_bytes) {
  return page_bytes == 0 ? "huge pages of unknown size" : "huge pages of " + format_bytes(page_bytes);
}

PageBytes hugepages_of(const record::VmSample& vm) {
  if (auto pages = page_bytes(vm.hugepage_pools)) return std::move(*pages);
  if (!vm.hugepages.value_or(false)) return {};
  return {{0, vm.memory_bytes.value_or(0)}};
}

plan::Amount ordinary_memory(const record::VmSample& vm) {
  return std::max<plan::Amount>(0, promised_memory(vm) - sum(hugepages_of(vm)));
}

plan::Amount ordinary_memory(const record::HostSample& host) {
  return std::max<plan::Amount>(0, host.memory_bytes.value_or(0) - in_pools(host));
}

void GuestMemory::add(const record::VmSample& vm) {
  const PageBytes theirs = hugepages_of(vm);
  for (const auto& [size, bytes] : theirs) pages[size] += bytes;
  const plan::Amount own = std::max<plan::Amount>(0, vm.memory_bytes.value_or(0) - sum(theirs));
  const plan::Amount used = theirs.empty() ? vm.memory_used_bytes.value_or(own) : own;
  given += own;
  promised += ordinary_memory(vm);
  occupied += used;
  if (!vm.hugepages && theirs.empty()) perhaps_in_pool += std::max<plan::Amount>(0, own - used);
}

OwnMemory own_memory(const record::HostSample& host, const GuestMemory& guests, plan::Amount reserve) {
  const plan::Amount seen = host.memory_used_bytes.value_or(0) - in_pools(host) - guests.occupied;
  return {std::max(reserve, seen - guests.perhaps_in_pool), std::max(reserve, seen)};
}

plan::Amount pool_size(const record::HostSample& host, const GuestMemory& guests, std::int64_t page_bytes) {
  const auto of = [page_bytes](const PageBytes& pages) {
    const auto found = pages.find(page_bytes);
    return found == pages.end() ? 0 : found->second;
  };
  return of(guests.pages) + of(capacity::page_bytes(host.hugepage_pools_free).value_or(PageBytes()));
}

}  // namespace rackline::capacity
