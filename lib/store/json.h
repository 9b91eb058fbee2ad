// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace rackline::store {

// For the sources of this folder, and for no others: the library costs each of its users seconds to compile.
using Json = nlohmann::ordered_json;

// Compact, fields in their order; broken UTF-8 becomes U+FFFD, so that whatever a name holds can be written.
inline std::string dump(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace rackline::store
