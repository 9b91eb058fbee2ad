// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/kinds_audit.h"

namespace rackline::audit {

// One incident as a story: everything that belongs to `id`, which is the name of an incident, of a decision
// or of anything else that records carry as `id` or `cause`. What is caused by one that belongs, or names it
// as its proof, belongs as well, and so does what it was caused by.
//
// `all_lines` hands over the whole trail, and is called until nothing more is found.
using AllLines = std::function<void(const std::function<bool(std::string_view)>&)>;
// One line of a trail as a step.
record::AuditStep step_of(std::string_view line);

std::vector<record::AuditStep> story_of(const std::string& id, const AllLines& all_lines);

// The id or cause that begins with `prefix`, which has at least 6 digits; nothing when there is none. Throws
// Error(kUsage) when there are several.
std::optional<std::string> id_that_begins(const std::string& prefix, const AllLines& all_lines);

}  // namespace rackline::audit
