// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pugixml.hpp>
#include <string>

namespace rackline::virt {

// The node as libvirt takes it, without blanks of ours.
std::string text_of(const pugi::xml_node& node);

// Whether the <source> of a drive names a medium: one without keeps its <source index='3'/>.
bool has_medium(const pugi::xml_node& source);

}  // namespace rackline::virt
