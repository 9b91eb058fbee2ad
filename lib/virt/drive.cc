// SPDX-License-Identifier: Apache-2.0
#include "virt/drive.h"

#include <pugixml.hpp>

#include "virt/xml.h"

namespace rackline::virt {

std::string loaded_drive(const std::string& domain_xml, const std::string& target) {
  pugi::xml_document document;
  if (!document.load_string(domain_xml.c_str())) return {};
  for (auto disk : document.child("domain").child("devices").children("disk")) {
    if (disk.child("target").attribute("dev").value() != target) continue;
    auto source = disk.child("source");
    // What a running VM adds is no part of the medium, and an empty drive keeps some of it.
    source.remove_attribute("index");
    if (!has_medium(source)) return {};
    disk.remove_child("backingStore");
    disk.remove_child("alias");
    disk.child("target").remove_attribute("tray");
    return text_of(disk);
  }
  return {};
}

std::string emptied_drive(const std::string& disk_xml) {
  pugi::xml_document document;
  document.load_string(disk_xml.c_str());
  auto disk = document.child("disk");
  disk.remove_child("source");
  // A volume without its pool is no disk to libvirt.
  disk.attribute("type").set_value("file");
  return text_of(disk);
}

}  // namespace rackline::virt
