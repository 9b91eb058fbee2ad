// SPDX-License-Identifier: Apache-2.0
#include "virt/description.h"

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>
#include <string_view>

#include "base/error.h"
#include "net/address.h"
#include "virt/xml.h"

namespace rackline::virt {
namespace {

// Whether the address means the same server on each host: not so a socket of the host, a loopback address,
// and none at all, which is the host itself. Ceph's own configuration names its monitors where no host is.
bool serves_every_host(const pugi::xml_node& source) {
  if (!source.child("host")) return std::string_view(source.attribute("protocol").value()) == "rbd";
  for (const auto& host : source.children("host")) {
    if (std::string_view(host.attribute("transport").value()) == "unix") return false;
    const std::string_view name = host.attribute("name").value();
    if (name.empty() || net::is_loopback(name)) return false;  // @rule 13-disk-of-its-host
  }
  return true;
}

// The address of a <source>, whose attribute depends on the type.
VmDisk disk_of(const std::string& target, const std::string& type, const pugi::xml_node& source) {
  VmDisk disk{target, type, {}};
  for (const char* attribute : {"file", "dev", "dir", "name", "volume"}) {
    if (const auto found = source.attribute(attribute)) {
      disk.source = found.value();
      break;
    }
  }
  if (type == "volume") {
    disk.pool = source.attribute("pool").value();
    disk.volume = disk.source;
  }
  if (type == "network" && !serves_every_host(source)) {
    disk.type = "network of its host";
    disk.source = std::string(source.attribute("protocol").value()) + ":" + source.attribute("name").value();
  }
  return disk;
}

void add_disk(const pugi::xml_node& node, VmDescription& vm) {
  const std::string target = node.child("target").attribute("dev").value();
  if (const auto source = node.child("source"); has_medium(source)) {
    vm.disks.push_back(disk_of(target, node.attribute("type").value(), source));
    VmDisk& disk = vm.disks.back();
    disk.cdrom = std::string_view(node.attribute("device").value()) == "cdrom";
    disk.format = node.child("driver").attribute("type").value();
    disk.read_only = static_cast<bool>(node.child("readonly"));
    disk.shareable = static_cast<bool>(node.child("shareable"));
    disk.encrypted = node.child("encryption") || source.child("encryption");
  }
  // A copy-on-write image reads the files below it, too. Behind the last of them stands an empty element,
  // which is all that there is where the image alone names them and the VM does not run.
  const std::string_view format = node.child("driver").attribute("type").value();
  if (!node.child("backingStore") && !vm.disks.empty() && vm.disks.back().target == target)
    vm.disks.back().chain_unknown = !format.empty() && format != "raw";
  for (auto below = node.child("backingStore"); below.child("source"); below = below.child("backingStore")) {
    vm.disks.push_back(disk_of(target, below.attribute("type").value(), below.child("source")));
  }
  if (node.child("mirror")) vm.ties.push_back("a block job runs on its disk " + target);
}

// "it uses a device of its host: pci 0000:41:00.0"
std::string tie_of(const pugi::xml_node& hostdev) {
  std::string tie = "it uses a device of its host";
  const std::string type = hostdev.attribute("type").value();
  if (!type.empty()) tie += ": " + type;
  const auto source = hostdev.child("source");
  const auto address = source.child("address");
  const auto part = [](const pugi::xml_node& node, const char* name) {
    std::string text = node.attribute(name).value();
    return text.starts_with("0x") ? text.substr(2) : text;
  };
  if (type == "pci" && address) {
    tie += " " + part(address, "domain") + ":" + part(address, "bus") + ":" + part(address, "slot") + "." +
           part(address, "function");
  } else if (type == "mdev" && address) {
    tie += " " + part(address, "uuid");
  } else if (type == "usb" && source.child("vendor")) {
    tie += " " + part(source.child("vendor"), "id") + ":" + part(source.child("product"), "id");
  }
  return tie;
}

void add_interface(const pugi::xml_node& interface, VmDescription& vm) {
  const std::string type = interface.attribute("type").value();
  const auto source = interface.child("source");
  const auto plugged = [&](const char* attribute) {
    const std::string name = source.attribute(attribute).value();
    if (!name.empty()) vm.networks.push_back({type, name});
  };
  if (type == "hostdev") vm.ties.emplace_back("it uses a network device of its host");
  if (type == "network") plugged("network");
  if (type == "bridge") plugged("bridge");
  if (type == "direct") plugged("dev");
}

// Bytes of <memory unit='KiB'>1024</memory>, of the attributes size and unit, and the like.
std::int64_t bytes_of(std::int64_t number, std::string_view unit) {
  constexpr std::string_view kPrefixes = "kMGTPE";
  if (unit.empty()) unit = "KiB";
  const auto power = kPrefixes.find(unit.front() == 'K' ? 'k' : unit.front());
  if (power == std::string_view::npos) return number;  // b, bytes
  const std::int64_t step = unit.size() == 2 && unit.ends_with('B') ? 1000 : 1024;
  for (std::size_t i = 0; i <= power; ++i) number *= step;
  return number;
}

// Whether a set as "0-3,^2,5" has the number.
bool in_set(std::string_view set, unsigned number) {
  bool in = false;
  while (!set.empty()) {
    const auto comma = set.find(',');
    std::string_view part = set.substr(0, comma);
    set.remove_prefix(comma == std::string_view::npos ? set.size() : comma + 1);
    const bool without = part.starts_with('^');
    if (without) part.remove_prefix(1);
    unsigned first = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), first);
    unsigned last = first;
    if (error == std::errc{} && end != part.data() + part.size() && *end == '-')
      std::from_chars(end + 1, part.data() + part.size(), last);
    if (error == std::errc{} && first <= number && number <= last) in = !without;
  }
  return in;
}

// A <page> is for the NUMA cells of the guest that its nodeset names; one without, for all others.
PageBytes hugepages_of(const pugi::xml_node& domain) {
  const auto hugepages = domain.child("memoryBacking").child("hugepages");
  if (!hugepages) return {};
  PageBytes all;
  const auto add = [&](unsigned cell, std::int64_t bytes) {
    pugi::xml_node chosen;
    for (const auto& page : hugepages.children("page")) {
      const std::string_view nodeset = page.attribute("nodeset").value();
      if (nodeset.empty() ? !chosen : in_set(nodeset, cell)) chosen = page;
    }
    if (!chosen && hugepages.child("page")) return;  // ordinary memory
    all[chosen ? bytes_of(chosen.attribute("size").as_llong(), chosen.attribute("unit").value()) : 0] +=
        bytes;
  };
  const auto cells = domain.child("cpu").child("numa").children("cell");
  for (const auto& cell : cells)
    add(cell.attribute("id").as_uint(),
        bytes_of(cell.attribute("memory").as_llong(), cell.attribute("unit").value()));
  const auto memory = domain.child("memory");
  if (cells.empty()) add(0, bytes_of(memory.text().as_llong(), memory.attribute("unit").value()));
  return all;
}

// Memory of a file without a page size of its own lies on a file system, whose cache can be dropped; that of
// a memfd cannot.
void add_memory(const pugi::xml_node& domain, VmDescription& vm) {
  const auto backing = domain.child("memoryBacking");
  vm.hugepages = hugepages_of(domain);
  const std::string_view source = backing.child("source").attribute("type").value();
  const auto shared = [](const pugi::xml_node& node, const char* attribute) {
    return std::string_view(node.attribute(attribute).value()) == "shared";
  };
  const auto cells = domain.child("cpu").child("numa").children("cell");
  const bool cell = std::any_of(cells.begin(), cells.end(),
                                [&](const pugi::xml_node& one) { return shared(one, "memAccess"); });
  vm.shared_memory =
      !backing.child("hugepages") && source == "memfd" && (cell || shared(backing.child("access"), "mode"));
}

}  // namespace

std::string text_of(const VmDisk& disk) {
  return "disk " + disk.target + " (" + (disk.source.empty() ? "of type " + disk.type : disk.source) + ")";
}

std::string unknown_chain(const VmDisk& disk, const std::string& host) {
  return "on which files its disk " + disk.target + " (" + disk.source +
         ") rests is not known, as it does not run and no storage pool of " + host +
         " has seen it: start it, or make or refresh (virsh pool-refresh) a pool of its directory";
}

VmDescription parse_description(const std::string& xml) {
  pugi::xml_document document;
  const auto parsed = document.load_string(xml.c_str());
  const auto domain = document.child("domain");
  if (!parsed || !domain) {
    throw Error(Status::kNo, "read the definition of a virtual server", "libvirt's XML",
                parsed ? "no <domain>" : parsed.description());
  }
  VmDescription vm;
  const auto os = domain.child("os");
  vm.arch = os.child("type").attribute("arch").value();
  vm.machine = os.child("type").attribute("machine").value();
  vm.virt_type = domain.attribute("type").value();
  const auto devices = domain.child("devices");
  vm.emulator = devices.child("emulator").child_value();
  if (const auto cpu = domain.child("cpu")) {
    const std::string_view mode = cpu.attribute("mode").value();
    vm.host_cpu = mode == "host-passthrough" || mode == "maximum";
    // host-model is turned into a named model when the VM starts: a stopped one fits everywhere.
    if (mode == "custom" || (mode.empty() && cpu.child("model"))) vm.cpu_xml = text_of(cpu);
  }
  if (const auto nvram = os.child("nvram")) {
    const std::string type = nvram.attribute("type").value();
    vm.nvram = type.empty() ? VmDisk{"nvram", "file", nvram.child_value()}
                            : disk_of("nvram", type, nvram.child("source"));
  }
  add_memory(domain, vm);
  for (const auto& disk : devices.children("disk")) add_disk(disk, vm);
  for (const auto& device : devices.children("hostdev")) vm.ties.push_back(tie_of(device));
  for (const auto& interface : devices.children("interface")) add_interface(interface, vm);
  for (const auto& device : devices.children("filesystem")) {
    const std::string folder = device.child("source").attribute("dir").value();
    vm.ties.push_back("it uses a directory of its host" + (folder.empty() ? "" : ": " + folder));
  }
  for (const auto& tpm : devices.children("tpm")) {
    if (std::string_view(tpm.child("backend").attribute("type").value()) == "emulator") {
      vm.ties_when_stopped.emplace_back("the state of its TPM lies on its host");
    } else {
      vm.ties.emplace_back("it uses the TPM of its host");
    }
  }
  return vm;
}

std::vector<VmDisk> files_of_snapshot(const std::string& snapshot_xml) {
  pugi::xml_document document;
  document.load_string(snapshot_xml.c_str());
  const auto snapshot = document.child("domainsnapshot");
  VmDescription then;
  for (const auto& disk : snapshot.child("domain").child("devices").children("disk")) add_disk(disk, then);
  std::vector<VmDisk> files = std::move(then.disks);
  for (const auto& disk : snapshot.child("disks").children("disk")) {
    if (const auto source = disk.child("source"))
      files.push_back(disk_of(disk.attribute("name").value(), disk.attribute("type").value(), source));
  }
  if (const auto memory = snapshot.child("memory").attribute("file"))
    files.push_back({"memory", "file", memory.value()});
  const std::string name = snapshot.child_value("name");
  for (VmDisk& file : files) {
    file.target += " of snapshot " + name;
    if (file.type.empty()) file.type = "file";
    file.chain_unknown = false;
  }
  return files;
}

std::optional<std::string> backing_of(const std::string& volume_xml) {
  pugi::xml_document document;
  const auto volume = document.load_string(volume_xml.c_str()) ? document.child("volume") : pugi::xml_node();
  if (!volume) return std::nullopt;
  return volume.child("backingStore").child("path").child_value();
}

}  // namespace rackline::virt
