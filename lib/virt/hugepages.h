// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "virt/connection.h"

namespace rackline::virt {

// Memory in huge pages: bytes by the size of a page, in bytes. The size 0 is the host's default.
using PageBytes = std::map<std::int64_t, std::int64_t>;

// The pools of a host. What is in them is used memory to everybody else, from the start.
struct PagePools {
  PageBytes bytes;     // of each pool, without empty ones
  unsigned cells = 1;  // NUMA cells of the host
};

// From libvirt's XML of the host's capabilities; nothing where it tells of no pages. Pure.
std::optional<PagePools> parse_page_pools(const std::string& capabilities);

// What nobody has of each pool; nothing where the driver does not tell.
std::optional<PageBytes> free_pages(const Connection& connection, const PagePools& pools);

// With a size for the default one, where the host has one pool only.
PageBytes with_known_sizes(PageBytes pages, const std::optional<PagePools>& pools);

// "huge pages of 2MiB"
std::string in_words(std::int64_t page_bytes);

// "SIZE=BYTES" of each, as records have it.
std::vector<std::string> words_of(const PageBytes& pages);

}  // namespace rackline::virt
