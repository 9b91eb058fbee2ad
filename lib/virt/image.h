// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libvirt/libvirt.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rackline::virt {

// Images of disks as volumes of storage pools, through which a host's libvirtd makes and removes files.

struct Image {
  std::string path;
  std::string format;  // raw or qcow2
  std::string pool;    // the one it has to be in; empty: whichever has the directory
  std::int64_t capacity_bytes = 0;
  std::int64_t allocation_bytes = 0;  // room that it will take
};

// Why they cannot be made on `host`: no pool that is active has the directory, there is something at the
// path, or not enough room for all; nothing when they can. Throws VirtError(kNo) where that cannot be learnt.
std::optional<std::string> cannot_hold(virConnectPtr connection, const std::string& host,
                                       const std::vector<Image>& images);

// Makes it empty: all of it reads as zeros, and it takes no room. Throws VirtError(kNo) where there is
// something at the path, which is left as it is.
void make_image(virConnectPtr connection, const Image& image);

// Removes the file. Does nothing where there is none. Throws VirtError(kNo).
void remove_image(virConnectPtr connection, const std::string& path);

}  // namespace rackline::virt
