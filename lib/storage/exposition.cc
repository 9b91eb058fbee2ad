// SPDX-License-Identifier: Apache-2.0
#include "storage/exposition.h"

namespace rackline::storage {
namespace {

using series::label;

std::string array_labels(const std::string& array) {
  return label("array", array);
}

std::string lun_labels(const std::string& array, const std::string& lun) {
  return label("array", array) + "," + label("lun", lun);
}

}  // namespace

Exposition::Exposition(const FollowPolicy& policy)
    : policy_(policy),
      array_(page_.declare(record::ArraySample::kKind, "rackline_array_")),
      lun_(page_.declare(record::LunSample::kKind, "rackline_lun_", {"lun_number"})),
      array_usage_(page_.declare(record::ArrayUsage::kKind, "rackline_array_usage_")),
      lun_usage_(page_.declare(record::LunUsage::kKind, "rackline_lun_usage_", {"lun_number"})),
      up_(page_.family("rackline_array_up",
                       "1: the array answered; 0: it is unreachable or did not answer in time")),
      in_use_(page_.family("rackline_lun_in_use", "1: somebody uses it, or that is not known; 0: nobody")),
      bands_(page_),
      rounds_(page_) {
  bands_.begin("array", kArrayResources, policy_.arrays);
  bands_.begin("lun", kLunResources, policy_.luns);
}

void Exposition::add(const record::ArraySample& array) {
  page_.sample(up_, array_labels(array.array), array.state == "up" ? 1 : 0);
  page_.samples(array_, &array, array_labels(array.array));
}

void Exposition::add(const record::LunSample& lun) {
  const std::string labels = lun_labels(lun.array, lun.lun);
  page_.sample(in_use_, labels, lun.in_use == "no" ? 0 : 1);
  page_.samples(lun_, &lun, labels);
}

void Exposition::add(const record::ArrayUsage& usage) {
  page_.samples(array_usage_, &usage, array_labels(usage.array));
  bands_.see("array", array_labels(usage.array), kArrayResources, policy_.arrays);
}

void Exposition::add(const record::LunUsage& usage) {
  page_.samples(lun_usage_, &usage, lun_labels(usage.array, usage.lun));
  bands_.see("lun", lun_labels(usage.array, usage.lun), kLunResources, policy_.luns);
}

void Exposition::add(const record::Fluctuation& fluctuation) {
  const std::string array = fluctuation.array.value_or("");
  bands_.add(fluctuation, fluctuation.lun ? lun_labels(array, *fluctuation.lun) : array_labels(array));
}

std::string Exposition::page(const record::RoundEnd& end) {
  bands_.sample();
  rounds_.sample(end);
  return page_.page();
}

}  // namespace rackline::storage
