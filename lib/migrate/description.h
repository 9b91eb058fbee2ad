// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "migrate/move.h"

namespace rackline::migrate {

// What of libvirt's domain XML (https://libvirt.org/formatdomain.html) decides where the VM can run. Leaves
// out what the XML does not tell: autostart, snapshots, a saved state, the host's CPU. Throws Error(kNo) for
// what is no domain XML.
VmDescription parse_description(const std::string& xml);

// The file that a volume of a storage pool rests on, from libvirt's XML; "" for none, nullopt when that
// cannot be read.
std::optional<std::string> backing_of(const std::string& volume_xml);

}  // namespace rackline::migrate
