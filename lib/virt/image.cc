// SPDX-License-Identifier: Apache-2.0
#include "virt/image.h"

#include <cstdlib>
#include <map>
#include <pugixml.hpp>

#include "base/error.h"
#include "base/units.h"
#include "virt/connection.h"
#include "virt/xml.h"

namespace rackline::virt {
namespace {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string target_of(virStoragePoolPtr pool) {
  pugi::xml_document document;
  document.load_string(take(virStoragePoolGetXMLDesc(pool, 0)).c_str());
  std::string path = document.child("pool").child("target").child_value("path");
  while (path.ends_with('/')) path.pop_back();
  return path;
}

// The active pool whose directory that is; null when there is none. Not virStoragePoolLookupByTargetPath,
// which not every driver has.
StoragePool pool_of(virConnectPtr connection, const std::string& directory) {
  virStoragePoolPtr* list = nullptr;
  const int count = virConnectListAllStoragePools(connection, &list, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
  if (count < 0) throw virt_error(Status::kNo, "look up the storage pool at", directory);
  StoragePool found;
  for (int i = 0; i < count; ++i) {
    StoragePool pool(list[i]);
    if (found == nullptr && target_of(pool.get()) == directory) found = std::move(pool);
  }
  std::free(list);
  // Files may have come and gone without it. While it works on another volume it refuses, and knows them
  // anyway.
  if (found != nullptr && virStoragePoolRefresh(found.get(), 0) != 0) virResetLastError();
  return found;
}

// Null when the pool has none at the path.
StorageVolume volume_at(virStoragePoolPtr pool, const std::string& path) {
  StorageVolume volume(virStorageVolLookupByName(pool, name_of(path).c_str()));
  if (volume == nullptr && last_error_code() != VIR_ERR_NO_STORAGE_VOL)
    throw virt_error(Status::kNo, "look up", path);
  virResetLastError();
  return volume;
}

std::string xml_of(const Image& image) {
  pugi::xml_document document;
  auto volume = document.append_child("volume");
  volume.append_child("name").text().set(name_of(image.path).c_str());
  volume.append_child("capacity").text().set(static_cast<long long>(image.capacity_bytes));
  volume.append_child("allocation").text().set(0);
  volume.append_child("target").append_child("format").append_attribute("type").set_value(
      image.format.c_str());
  return text_of(volume);
}

}  // namespace

std::optional<std::string> cannot_hold(virConnectPtr connection, const std::string& host,
                                       const std::vector<Image>& images) {
  std::map<std::string, std::int64_t> needed;  // by directory
  for (const Image& image : images) {
    const std::string directory = directory_of(image.path);
    const StoragePool pool = pool_of(connection, directory);
    if (pool == nullptr)
      return host + " has no active storage pool at " + directory +
             ", in which an image could be made (virsh pool-create-as NAME dir --target " + directory + ")";
    if (!image.pool.empty() && image.pool != virStoragePoolGetName(pool.get()))
      return "the storage pool at " + directory + " is " + virStoragePoolGetName(pool.get()) + " on " + host +
             ", and not " + image.pool;
    if (volume_at(pool.get(), image.path) != nullptr)  // @rule 13-image-in-place
      return host + " has a file " + image.path + " already, which may be somebody's disk";
    virStoragePoolInfo info{};
    if (virStoragePoolGetInfo(pool.get(), &info) != 0)
      throw virt_error(Status::kNo, "read the size of the storage pool at", directory);
    const std::int64_t all = needed[directory] += image.allocation_bytes;
    if (const auto available = static_cast<std::int64_t>(info.available); all > available)
      return host + " has " + format_bytes(available) + " free at " + directory + ", its disks need " +
             format_bytes(all);
  }
  return std::nullopt;
}

void make_image(virConnectPtr connection, const Image& image) {
  const StoragePool pool = pool_of(connection, directory_of(image.path));
  if (pool == nullptr)
    throw VirtError(Status::kNo, "make", image.path, "no storage pool has its directory",
                    VIR_ERR_NO_STORAGE_POOL);
  const StorageVolume made(virStorageVolCreateXML(pool.get(), xml_of(image).c_str(), 0));
  if (made == nullptr) throw virt_error(Status::kNo, "make", image.path);
}

void remove_image(virConnectPtr connection, const std::string& path) {
  const StoragePool pool = pool_of(connection, directory_of(path));
  if (pool == nullptr)
    throw VirtError(Status::kNo, "remove", path, "no storage pool has its directory any more",
                    VIR_ERR_NO_STORAGE_POOL);
  const StorageVolume volume = volume_at(pool.get(), path);
  if (volume != nullptr && virStorageVolDelete(volume.get(), 0) != 0)
    throw virt_error(Status::kNo, "remove", path);
}

}  // namespace rackline::virt
