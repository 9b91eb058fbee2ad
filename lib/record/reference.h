// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline::record {

// Texts made from the descriptions of the kinds.

// JSON Schema (draft 2020-12) of one kind, or of all of them when `kind` is empty. Throws Error(kUsage) for
// an unknown one.
std::string schema(const std::string& kind);

// rackline-records(5), in mdoc.
std::string manual();

// A line per kind: its name, who writes it, what it says.
std::string overview();

}  // namespace rackline::record
