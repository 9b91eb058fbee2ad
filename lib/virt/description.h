// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "virt/hugepages.h"

namespace rackline::virt {

struct VmDisk {
  std::string target;  // "vda", "nvram", …
  std::string type;    // libvirt's: file, block, network, volume, …
  std::string source;  // a path for file and block; PROTOCOL:NAME of a network disk that is its host's own
  std::string pool{}, volume{};  // of a volume; the source is its path once that is known
  // The image may rest on other files, which are not known: in the definition of a VM that does not run
  // they are missing.
  bool chain_unknown = false;
  bool cdrom = false;    // a medium in a CD-ROM drive
  std::string format{};  // of the image, as libvirt calls it: raw, qcow2, ...
  bool read_only = false;
  bool shareable = false;  // other VMs may write to it
  bool encrypted = false;
};

// What an interface of it is plugged into on its host.
struct VmNetwork {
  std::string type;    // libvirt's: network, bridge, direct
  std::string source;  // a network of libvirt, or an interface of the host
};

// What of a VM's definition decides where it can run.
struct VmDescription {
  std::string arch, machine, virt_type, emulator;
  std::string cpu_xml;        // the <cpu> element; empty: the hypervisor's default
  bool host_cpu = false;      // the CPU is "the host's", whatever that is
  std::string host_cpu_xml;   // the source's own CPU, given where host_cpu is set
  std::vector<VmDisk> disks;  // with their backing files; without drives that are empty
  std::optional<VmDisk> nvram;
  std::vector<VmNetwork> networks;
  // Why it cannot leave its host whatever the target: a host device, local state, …
  std::vector<std::string> ties;
  std::vector<std::string> ties_when_stopped;  // the same for a move of the definition alone
  std::vector<std::string> ties_when_live;     // ... and for one of a VM that runs
  std::vector<std::string> snapshots;          // their names, parents first
  bool autostart = false;
  PageBytes hugepages;         // the part of its memory that is in huge pages
  bool shared_memory = false;  // its memory is shared with other processes: the kernel counts it as cache
};

// What libvirt knows beside the definition, as ties.
inline constexpr const char* kHasSnapshots =
    "it has snapshots, and libvirt moves no running server that has: stop it first";
inline constexpr const char* kHasCheckpoints = "it has checkpoints, which would not go along";
inline constexpr const char* kHasSavedState = "its saved state lies on its host";

// What of libvirt's domain XML (https://libvirt.org/formatdomain.html) decides where the VM can run. Leaves
// out what the XML does not tell: autostart, snapshots, a saved state, the host's CPU. Throws Error(kNo) for
// what is no domain XML.
VmDescription parse_description(const std::string& xml);

// The file that a volume of a storage pool rests on, from libvirt's XML; "" for none, nullopt when that
// cannot be read.
std::optional<std::string> backing_of(const std::string& volume_xml);

// The files beside the disks of its domain that a snapshot consists of, from libvirt's XML, and those of the
// domain as it was then.
std::vector<VmDisk> files_of_snapshot(const std::string& snapshot_xml);

// "disk vda (/srv/a.qcow2)"
std::string text_of(const VmDisk& disk);
// Why a VM that does not run cannot leave `host`: it is not known on which files this disk of it rests.
std::string unknown_chain(const VmDisk& disk, const std::string& host);

}  // namespace rackline::virt
