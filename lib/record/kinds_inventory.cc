// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_inventory.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kHostFields[] = {
    HEAD(Host),
    FIELD(Host, host, "name of the host, unique in the inventory", "HOST"),
    FIELD(Host, uri, "libvirt connection URI as seen from the machine that runs the programs", "URI"),
    FIELD(Host, peer_uri,
          "libvirt URI as seen from the other hosts, for peer-to-peer migration; null: same as uri", {},
          kOmitted),
    FIELD(Host, migration_uri,
          "where it takes migrations, on a network of their own: tcp://ADDRESS, or tcp://ADDRESS:PORT for "
          "one at "
          "a time; null: libvirt chooses",
          {}, kOmitted),
    FIELD(Host, bmc, "its management controller: ipmi://ADDRESS or redfish://ADDRESS", "BMC"),
    FIELD(Host, bmc_tls, "of redfish: verify or insecure, which takes any certificate; null: verify", {},
          kOmitted),
    FIELD(Host, bmc_ca_file,
          "of redfish: file of the authorities that its certificate is of; null: the system's", {}, kOmitted),
    FIELD(Host, bmc_cipher, "of ipmi: its cipher suite; null: that of --bmc-cipher", {}, kOmitted),
    FIELD(Host, failure_domain, "what fails together with it: a rack, a room, a power feed", "DOMAIN",
          kOmitted),
    FIELD(Host, neighbourhood, "hosts of one are near enough to each other for what depends on the other", {},
          kOmitted),
    FIELD(Host, shared_storage,
          "directories below which it sees the same files as every host that names them; gluster:VOLUME for "
          "a cluster file system that each host reaches at its own address",
          {}, kOmitted),
    FIELD(Host, drained, "true: nothing may be placed there", {}, kOmitted),
    FIELD(Host, cpu_overcommit, "virtual CPUs allowed for each CPU", {}, kOmitted),
    FIELD(Host, memory_reserve_bytes, "memory kept for the host itself", {}, kOmitted),
};

constexpr Field kArrayFields[] = {
    HEAD(Array),
    FIELD(Array, array, "name of the array, unique in the inventory", "ARRAY"),
    FIELD(Array, portal, "iscsi://ADDRESS[:PORT], where it takes logins", "PORTAL"),
    FIELD(Array, driver,
          "tgt: asked through tgtadm as well; scsi: only by what every target answers; null: scsi", "DRIVER"),
    FIELD(Array, admin,
          "of tgt: words in front of the commands that are run on the array, such as ssh and root@a1; null: "
          "they are run here",
          {}, kOmitted),
    FIELD(Array, control, "of tgt: number of its control port, as in tgtadm -C; null: 0", {}, kOmitted),
    FIELD(Array, initiator, "IQN under which its LUNs are asked; null: one made of the name of this machine",
          {}, kOmitted),
    FIELD(Array, chap_user, "name that its targets know us by", {}, kOmitted),
    FIELD(Array, chap_password_file, "file with the secret that goes with it", {}, kOmitted),
    FIELD(Array, chap_target_user, "name by which its targets make themselves known", {}, kOmitted),
    FIELD(Array, chap_target_password_file, "file with their secret", {}, kOmitted),
    FIELD(Array, size_bytes, "what it can hold; null: what its driver says", {}, kOmitted),
    FIELD(Array, failure_domain, "what fails together with it: a rack, a room, a power feed", "DOMAIN",
          kOmitted),
    FIELD(Array, tier, "what kind of storage it is, in your own words: fast, bulk", "TIER", kOmitted),
    FIELD(Array, encrypted, "whether it encrypts what it holds", {}, kOmitted),
    FIELD(Array, drained, "true: nothing new is to be placed on it", {}, kOmitted),
    FIELD(Array, block_bytes, "the one block that its LUNs can have; left out: any", {}, kOmitted),
};

constexpr Field kPlacementRuleFields[] = {
    HEAD(PlacementRule),
    FIELD(PlacementRule, rule,
          "anti_affinity: no two of vms on one host; affinity: all of them on one host; spread: no two in "
          "one failure domain, or with domains in at least so many; pin: vms only on hosts; exclude: vms not "
          "on hosts; stay: vms leave their host only when it is to be emptied; depends: each of vms in a "
          "neighbourhood where one of on is; compatible: between hosts vms may move live whatever their CPU "
          "models are",
          "RULE"),
    FIELD(PlacementRule, vms,
          "the virtual servers it binds; of compatible: none means all; left out where luns are bound", "VMS",
          kPreset),
    FIELD(PlacementRule, hosts, "the hosts that pin, exclude and compatible speak of", "HOSTS"),
    FIELD(PlacementRule, luns,
          "the LUNs it binds, instead of vms: of affinity, anti_affinity, spread, pin, exclude and stay",
          "LUNS", kSeldom),
    FIELD(PlacementRule, arrays, "the arrays that pin and exclude speak of, instead of hosts", "ARRAYS",
          kSeldom),
    FIELD(PlacementRule, on, "the virtual servers that those of depends need", {}, kOmitted),
    FIELD(PlacementRule, domains, "failure domains that spread asks for; null: one for each of vms", {},
          kOmitted),
    FIELD(
        PlacementRule, soft,
        "true: a preference, kept as far as nothing else stands against it; of affinity, anti_affinity, pin "
        "and exclude",
        {}, kOmitted),
};

constexpr const Kind* kWritten[] = {&Host::kKind, &Array::kKind, &PlacementRule::kKind};

}  // namespace

const Kind Host::kKind{"host",
                       Role::kConfiguration,
                       "A hypervisor host: one line of the inventory.",
                       "people, lab inventory",
                       "every program that takes an inventory",
                       kHostFields};
const Kind Array::kKind{
    "array",    Role::kConfiguration, "A storage array: one line of the inventory.", "people, lab inventory",
    "lunwatch", kArrayFields};
const Kind PlacementRule::kKind{
    "placement_rule", Role::kConfiguration,  "A rule that every placement must obey.",
    "people",         "capplan, lunbalance", kPlacementRuleFields};

const Subject kInventoryKinds{.written = kWritten};

}  // namespace rackline::record
