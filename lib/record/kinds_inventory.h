// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// What people write of a cluster.

struct Host : Head {
  std::string host;
  std::string uri;
  Text peer_uri, migration_uri, bmc, failure_domain, neighbourhood;
  List shared_storage;
  Flag drained;
  Number cpu_overcommit;
  Integer memory_reserve_bytes;
  Text bmc_tls, bmc_ca_file;
  Integer bmc_cipher;
  static const Kind kKind;
};

struct Array : Head {
  std::string array, portal;
  Text driver;
  List admin;
  Integer control;
  Text initiator, chap_user, chap_password_file, chap_target_user, chap_target_password_file;
  Integer size_bytes;
  Text failure_domain, tier;
  Flag encrypted, drained;
  Integer block_bytes;
  static const Kind kKind;
};

struct PlacementRule : Head {
  std::string rule;
  std::vector<std::string> vms;
  List hosts, on, luns, arrays;
  Integer domains;
  Flag soft;
  static const Kind kKind;
};

}  // namespace rackline::record
