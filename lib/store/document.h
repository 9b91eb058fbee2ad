// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rackline::store {

// What the values of the store are made of, and how text from anywhere becomes part of a key.

using Json = nlohmann::ordered_json;

// Compact, fields in their order; broken UTF-8 becomes U+FFFD, so that whatever a name holds can be written.
std::string dump(const Json& document);

// Names of VMs and ids of records may hold anything: what a key cannot, and '/', is written as %XX.
std::string key_part(std::string_view text);
std::string from_key_part(std::string_view part);

}  // namespace rackline::store
