// SPDX-License-Identifier: Apache-2.0
#include "virt/hugepages.h"

#include <algorithm>
#include <pugixml.hpp>

#include "base/units.h"

namespace rackline::virt {
namespace {

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kLeastHuge = 64 * kKiB;  // of any architecture

}  // namespace

std::optional<PagePools> parse_page_pools(const std::string& capabilities) {
  pugi::xml_document document;
  if (!document.load_string(capabilities.c_str())) return std::nullopt;
  const auto host = document.child("capabilities").child("host");
  const auto size_of = [](const pugi::xml_node& pages) {
    return static_cast<std::int64_t>(pages.attribute("size").as_llong()) * kKiB;
  };
  std::int64_t ordinary = 0;  // the smallest
  for (const auto& pages : host.child("cpu").children("pages"))
    ordinary = ordinary == 0 ? size_of(pages) : std::min(ordinary, size_of(pages));
  if (ordinary == 0) return std::nullopt;
  PagePools pools;
  const auto cells = host.child("topology").child("cells").children("cell");
  for (const auto& cell : cells) {
    pools.cells = std::max(pools.cells, cell.attribute("id").as_uint() + 1);
    for (const auto& pages : cell.children("pages")) {
      const std::int64_t size = size_of(pages);
      const std::int64_t bytes = size * pages.text().as_llong();
      if (size > ordinary && size >= kLeastHuge && bytes > 0) pools.bytes[size] += bytes;
    }
  }
  if (cells.empty()) return std::nullopt;
  return pools;
}

std::optional<PageBytes> free_pages(const Connection& connection, const PagePools& pools) {
  PageBytes free;
  if (pools.bytes.empty()) return free;
  std::vector<unsigned> sizes;
  for (const auto& [size, bytes] : pools.bytes) sizes.push_back(static_cast<unsigned>(size / kKiB));
  std::vector<unsigned long long> counts(sizes.size() * pools.cells, 0);
  if (virNodeGetFreePages(connection.get(), static_cast<unsigned>(sizes.size()), sizes.data(), 0, pools.cells,
                          counts.data(), 0) < 0) {
    virResetLastError();
    return std::nullopt;
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::int64_t size = std::int64_t{sizes[i % sizes.size()]} * kKiB;
    free[size] += size * static_cast<std::int64_t>(counts[i]);
  }
  return free;
}

PageBytes with_known_sizes(PageBytes pages, const std::optional<PagePools>& pools) {
  const auto unknown = pages.find(0);
  if (unknown == pages.end() || !pools || pools->bytes.size() != 1) return pages;
  const std::int64_t bytes = unknown->second;
  pages.erase(unknown);
  pages[pools->bytes.begin()->first] += bytes;
  return pages;
}

std::string in_words(std::int64_t page_bytes) {
  return page_bytes == 0 ? "huge pages of its default size" : "huge pages of " + format_bytes(page_bytes);
}

std::vector<std::string> words_of(const PageBytes& pages) {
  std::vector<std::string> words;
  for (const auto& [size, bytes] : pages)
    words.push_back((size == 0 ? "default" : std::to_string(size)) + "=" + std::to_string(bytes));
  return words;
}

}  // namespace rackline::virt
