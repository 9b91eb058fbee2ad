// SPDX-License-Identifier: Apache-2.0
#include "virt/volumes.h"

#include <vector>

namespace rackline::virt {
namespace {

constexpr int kDeepest = 200;  // as deep as libvirt follows

const char* type_of_path(const std::string& path) {
  return path.starts_with("/dev/") ? "block" : "file";
}

// The files below the image; nothing where that is not known.
std::optional<std::vector<VmDisk>> read_chain(const Connection& connection, const VmDisk& image) {
  std::vector<VmDisk> below;
  std::string path = image.source;
  for (int depth = 0; depth < kDeepest; ++depth) {
    const StorageVolume volume(virStorageVolLookupByPath(connection.get(), path.c_str()));
    if (volume == nullptr) break;
    const auto backing = backing_of(take(virStorageVolGetXMLDesc(volume.get(), 0)));
    if (!backing) break;
    if (backing->empty()) return below;
    path = *backing;
    below.push_back({image.target, type_of_path(path), path});
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> volume_path(const Connection& connection, const std::string& pool,
                                       const std::string& volume) {
  const StoragePool storage(virStoragePoolLookupByName(connection.get(), pool.c_str()));
  const StorageVolume found(storage == nullptr ? nullptr
                                               : virStorageVolLookupByName(storage.get(), volume.c_str()));
  const std::string what = "the volume " + volume + " of " + pool;
  if (found == nullptr) {
    const int code = last_error_code();
    const bool absent = code == VIR_ERR_NO_STORAGE_POOL || code == VIR_ERR_NO_STORAGE_VOL ||
                        code == VIR_ERR_OPERATION_INVALID || is_unsupported(code);
    if (!absent) throw virt_error(Status::kNo, "look up " + what, connection.uri());
    virResetLastError();
    return std::nullopt;
  }
  std::string path = take(virStorageVolGetPath(found.get()));
  if (path.empty()) throw virt_error(Status::kNo, "read the path of " + what, connection.uri());
  return path;
}

void resolve_disks(const Connection& connection, bool live, VmDescription& vm) {
  for (VmDisk& disk : vm.disks) {
    const auto path = disk.pool.empty() ? std::nullopt : volume_path(connection, disk.pool, disk.volume);
    if (!path) continue;
    disk.source = *path;
    disk.type = type_of_path(*path);
  }
  if (live) return;
  std::vector<VmDisk> all_below;
  for (VmDisk& disk : vm.disks) {
    if (!disk.chain_unknown) continue;
    const auto below = read_chain(connection, disk);
    if (!below) continue;
    disk.chain_unknown = false;
    all_below.insert(all_below.end(), below->begin(), below->end());
  }
  virResetLastError();  // what no pool has seen is no failure
  vm.disks.insert(vm.disks.end(), all_below.begin(), all_below.end());
}

}  // namespace rackline::virt
