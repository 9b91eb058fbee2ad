// SPDX-License-Identifier: Apache-2.0
#include "virt/xml.h"

#include <sstream>
#include <string_view>

namespace rackline::virt {

std::string text_of(const pugi::xml_node& node) {
  std::ostringstream text;
  node.print(text, "", pugi::format_raw);
  return text.str();
}

bool has_medium(const pugi::xml_node& source) {
  for (const auto& attribute : source.attributes()) {
    if (std::string_view(attribute.name()) != "index" &&
        std::string_view(attribute.name()) != "startupPolicy")
      return true;
  }
  return source.first_child() != nullptr;
}

}  // namespace rackline::virt
