// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline::virt {

// The <disk> of the drive `target` in libvirt's domain XML, as it can be given to virDomainUpdateDeviceFlags;
// "" when there is none, or no medium in it.
std::string loaded_drive(const std::string& domain_xml, const std::string& target);

// The same drive without its medium. `disk_xml` is what loaded_drive() gave.
std::string emptied_drive(const std::string& disk_xml);

}  // namespace rackline::virt
