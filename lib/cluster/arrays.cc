// SPDX-License-Identifier: Apache-2.0
#include "cluster/arrays.h"

#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/secret.h"
#include "cluster/inventory.h"
#include "cluster/name.h"
#include "net/address.h"
#include "net/spelling.h"

namespace rackline::cluster {
namespace {

constexpr std::string_view kScheme = "iscsi://";
constexpr const char* kUsualPort = "3260";

std::optional<net::Address> address_of(std::string_view portal) {
  if (!portal.starts_with(kScheme)) return std::nullopt;
  auto address = net::parse_address(portal.substr(kScheme.size()));
  if (!address || !address->fits_url() || address->misleads() || address->port == 0) return std::nullopt;
  return address;
}

// "" when it can be asked.
std::string wrong_with(const record::Array& array) {
  if (array.array.empty()) return "the array has no name";
  if (!valid_name(array.array)) return "the array's name is none that an array may have";
  const std::string who = "array " + array.array;
  if (has_password(array.portal)) return "portal of " + who + " holds a password";
  if (!address_of(array.portal)) return "portal of " + who + " is none: " + array.portal;
  const std::string driver = array.driver.value_or("scsi");
  if (driver != "tgt" && driver != "scsi") return who + " has a driver that there is none of: " + driver;
  if (driver == "scsi" && (array.admin || array.control))
    return who + " is asked by nothing but SCSI, and has admin or control";
  if (array.control.value_or(0) < 0) return who + " has a negative control port";
  if (array.admin && array.admin->empty()) return who + " has an empty admin";
  if (array.chap_user.has_value() != array.chap_password_file.has_value())
    return who + " has one of chap_user and chap_password_file";
  if (array.chap_target_user.has_value() != array.chap_target_password_file.has_value())
    return who + " has one of chap_target_user and chap_target_password_file";
  if (array.chap_target_user && !array.chap_user) return who + " has chap_target_user without chap_user";
  if (array.size_bytes.value_or(1) <= 0) return who + " holds nothing";
  return {};
}

}  // namespace

std::string portal_address(const record::Array& array) {
  const auto address = address_of(array.portal);
  const std::string host = address->ipv6() ? "[" + address->host + "]" : address->host;
  return host + ":" + address->port_or(kUsualPort);
}

std::vector<record::Array> load_arrays(const std::string& path) {
  std::vector<record::Array> arrays;
  std::map<std::string, std::int64_t> lines;
  std::map<std::string, std::string> owners;  // of portals
  each_in_inventory(path, [&](record::Reader& reader) {
    if (!reader.is<record::Array>()) return;
    record::Array array;
    reader.read(array);
    const auto where = path + ": line " + std::to_string(reader.line());
    if (const auto wrong = wrong_with(array); !wrong.empty())
      throw Error(Status::kUsage, "read the inventory", where, wrong);
    const auto [first, added] = lines.emplace(array.array, reader.line());
    if (!added)
      throw Error(Status::kUsage, "read the inventory", where,
                  "array " + array.array + " stands in line " + std::to_string(first->second) + " already");
    // Under two names its room would be counted twice.
    const auto address = *address_of(array.portal);
    for (const auto& spelling : net::spellings(address.host)) {
      const auto [owner, alone] = owners.emplace(spelling + " " + address.port_or(kUsualPort), array.array);
      if (!alone && owner->second != array.array)
        throw Error(Status::kUsage, "read the inventory", where,
                    "arrays " + owner->second + " and " + array.array + " have one portal");
    }
    arrays.push_back(std::move(array));
  });
  if (arrays.empty())
    throw Error(
        Status::kUsage, "read the inventory", path, "it has no array",
        R"(a line of it is {"kind":"array","array":"a1","portal":"iscsi://10.0.0.21","driver":"tgt"})");
  return arrays;
}

}  // namespace rackline::cluster
