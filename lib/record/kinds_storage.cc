// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_storage.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kArraySampleFields[] = {
    HEAD(ArraySample),
    FIELD(ArraySample, array, "name of the array", "ARRAY"),
    FIELD(ArraySample, state, "up; unreachable: it refused or gave no connection; timeout: no answer in time",
          "STATE"),
    FIELD(ArraySample, error, "why it is not up, or what of it is not known", "WHY", kSeldom),
    FIELD(ArraySample, driver, "tgt or scsi: how it is asked"),
    FIELD(ArraySample, size_bytes, "what it can hold", "SIZE"),
    FIELD(ArraySample, used_bytes, "what is in use of that, also by others than its LUNs", "USED"),
    FIELD(ArraySample, free_bytes, "what is left", "FREE"),
    FIELD(ArraySample, promised_bytes, "sum of the sizes of its LUNs, which may be more than it can hold",
          "PROMISED"),
    FIELD(ArraySample, luns, "its LUNs", "LUNS"),
    FIELD(ArraySample, probe_p50_ms,
          "time for which a read of one block waits, of the reads of this round the median", "P50"),
    FIELD(ArraySample, probe_p95_ms, "their 95th percentile", "P95"),
    FIELD(ArraySample, read_iops, "commands a second that read its LUNs", "READS/S"),
    FIELD(ArraySample, write_iops, "commands a second that wrote them", "WRITES/S"),
    FIELD(ArraySample, read_bytes_per_second, "read from its LUNs", "READ/S"),
    FIELD(ArraySample, write_bytes_per_second, "written to them", "WRITE/S"),
    FIELD(ArraySample, outstanding, "commands that wait for their answer", "WAITING"),
    FIELD(ArraySample, own_iops,
          "commands a second that we sent to its LUNs ourselves; in none of the above"),
    FIELD(ArraySample, failure_domain, "from the inventory", {}, kOmitted),
    FIELD(ArraySample, tier, "from the inventory", {}, kOmitted),
    FIELD(ArraySample, encrypted, "from the inventory", {}, kOmitted),
    FIELD(ArraySample, drained, "from the inventory", {}, kOmitted),
    FIELD(ArraySample, block_bytes, "from the inventory", {}, kOmitted),
    FIELD(ArraySample, window_ms, "time over which the rates were measured; null: no rates yet"),
    FIELD(ArraySample, elapsed_ms, "time that the array took to answer"),
};

constexpr Field kLunSampleFields[] = {
    HEAD(LunSample),
    FIELD(LunSample, lun, "the last part of its target's name; NAME/NUMBER where the target has several LUNs",
          "LUN"),
    FIELD(LunSample, array, "array on which it is", "ARRAY"),
    FIELD(LunSample, iqn, "name of its target"),
    FIELD(LunSample, lun_number, "its number there"),
    FIELD(LunSample, error, "why more of it is not known", "WHY", kSeldom),
    FIELD(LunSample, serial, "its serial number (VPD page 80)", "SERIAL"),
    FIELD(LunSample, naa, "its NAA name (VPD page 83), in hexadecimal digits"),
    FIELD(LunSample, size_bytes, "its size", "SIZE"),
    FIELD(LunSample, block_bytes, "its block: what is read and written is a multiple of it"),
    FIELD(LunSample, physical_block_bytes, "the block of the medium below it"),
    FIELD(LunSample, allocated_bytes, "what it occupies on its array", "ALLOCATED"),
    FIELD(LunSample, thin, "whether it takes room only for what was written"),
    FIELD(LunSample, read_only, "whether writes are refused"),
    FIELD(LunSample, discard,
          "claimed: it says that it takes UNMAP or WRITE SAME with UNMAP; no: it does not"),
    FIELD(LunSample, reservation_keys, "keys of persistent reservations that are registered with it"),
    FIELD(LunSample, reserved, "whether one of them holds a reservation"),
    FIELD(LunSample, consumers, "INITIATOR@ADDRESS of each that is logged in to its target, but for ours",
          "CONSUMERS"),
    FIELD(LunSample, in_use, "yes, no or unknown, which is to be taken for yes", "USE"),
    FIELD(LunSample, read_iops, "commands a second that read it", "READS/S"),
    FIELD(LunSample, write_iops, "commands a second that wrote it", "WRITES/S"),
    FIELD(LunSample, read_bytes_per_second, "read from it", "READ/S"),
    FIELD(LunSample, write_bytes_per_second, "written to it", "WRITE/S"),
    FIELD(LunSample, outstanding, "commands that wait for their answer"),
    FIELD(LunSample, sources, "who said so: scsi, tgt"),
};

constexpr Field kArrayUsageFields[] = {
    HEAD(ArrayUsage),
    FIELD(ArrayUsage, array, "name of the array", "ARRAY"),
    FIELD(ArrayUsage, samples, "samples in the window", "SAMPLES"),
    FIELD(ArrayUsage, span_ms, "time from the oldest of them to the newest", "SPAN"),
    FIELD(ArrayUsage, space_ewma_percent,
          "used_bytes as a share of size_bytes, smoothed: the average in which older samples weigh "
          "exponentially less",
          "SPACE%"),
    FIELD(ArrayUsage, used_trend_bytes_per_hour,
          "how used_bytes grows: the median of the slopes between hours of the last two weeks; null: fewer "
          "than six hours"),
    FIELD(ArrayUsage, days_to_full, "when it is full if it goes on like that; null: it does not grow",
          "FULL-DAYS"),
    FIELD(ArrayUsage, days_to_full_soonest, "the same by the slope that a tenth of the slopes exceed"),
    FIELD(ArrayUsage, days_to_full_latest,
          "the same by the slope that a tenth of them stay below; null: it may never be"),
    FIELD(ArrayUsage, latency_ewma_ms, "probe_p50_ms, smoothed", "LATENCY"),
    FIELD(ArrayUsage, latency_p50_ms, "half of the samples are not above this"),
    FIELD(ArrayUsage, latency_p95_ms, "nor are 95 of 100 above this", "P95"),
    FIELD(ArrayUsage, iops_ewma, "read_iops and write_iops together, smoothed", "IOPS"),
    FIELD(ArrayUsage, iops_p50, "their percentile"),
    FIELD(ArrayUsage, iops_p90, "their percentile"),
    FIELD(ArrayUsage, iops_p95, "their percentile", "IOPS-P95"),
    FIELD(ArrayUsage, iops_trend_per_hour, "their slope"),
    FIELD(ArrayUsage, bytes_ewma_per_second, "read and written together, smoothed", "BYTES/S"),
    FIELD(ArrayUsage, bytes_p50_per_second, "its percentile"),
    FIELD(ArrayUsage, bytes_p95_per_second, "its percentile"),
};

constexpr Field kLunUsageFields[] = {
    HEAD(LunUsage),
    FIELD(LunUsage, lun, "its name, as in lun_sample", "LUN"),
    FIELD(LunUsage, array, "array on which it is", "ARRAY"),
    FIELD(LunUsage, iqn, "name of its target"),
    FIELD(LunUsage, lun_number, "its number there"),
    FIELD(LunUsage, samples, "samples in the window", "SAMPLES"),
    FIELD(LunUsage, span_ms, "time from the oldest of them to the newest", "SPAN"),
    FIELD(LunUsage, allocated_trend_bytes_per_hour, "how allocated_bytes grows, as in array_usage"),
    FIELD(LunUsage, iops_ewma, "read_iops and write_iops together, smoothed", "IOPS"),
    FIELD(LunUsage, iops_p50, "their percentile", "P50"),
    FIELD(LunUsage, iops_p90, "their percentile", "P90"),
    FIELD(LunUsage, iops_p95, "their percentile", "P95"),
    FIELD(LunUsage, iops_trend_per_hour, "their slope", "TREND/H"),
    FIELD(LunUsage, bytes_ewma_per_second, "read and written together, smoothed", "BYTES/S"),
    FIELD(LunUsage, bytes_p50_per_second, "its percentile"),
    FIELD(LunUsage, bytes_p95_per_second, "its percentile"),
};

constexpr Field kIdentityConflictFields[] = {
    HEAD(IdentityConflict),
    FIELD(IdentityConflict, identity, "serial or naa", "IDENTITY"),
    FIELD(IdentityConflict, value, "what they both have", "VALUE"),
    FIELD(IdentityConflict, luns, "ARRAY/LUN of each", "LUNS"),
};

constexpr Field kStorageSummaryFields[] = {
    HEAD(StorageSummary),
    FIELD(StorageSummary, rounds, "rounds written"),
    FIELD(StorageSummary, arrays, "arrays asked in the last of them"),
    FIELD(StorageSummary, arrays_up, "arrays that answered then"),
    FIELD(StorageSummary, luns, "LUNs seen then"),
    FIELD(StorageSummary, fluctuations, "times that use left its band; left out: nobody watched",
          "FLUCTUATIONS", kOmitted),
};

constexpr const Kind* kSeen[] = {&ArraySample::kKind, &LunSample::kKind, &ArrayUsage::kKind, &LunUsage::kKind,
                                 &IdentityConflict::kKind};
constexpr const Kind* kStream[] = {&StorageSummary::kKind};

}  // namespace

const Kind ArraySample::kKind{"array_sample",
                              Role::kFact,
                              "What a storage array has, has promised and does. What is not known is null.",
                              "lunwatch",
                              "lunbalance",
                              kArraySampleFields};
const Kind LunSample::kKind{"lun_sample", Role::kFact,  "What a LUN is, who uses it, and how much.",
                            "lunwatch",   "lunbalance", kLunSampleFields};
const Kind ArrayUsage::kKind{
    "array_usage",       Role::kFact, "What the samples of an array over the last while come to.",
    "lunwatch --follow", "people",    kArrayUsageFields};
const Kind LunUsage::kKind{
    "lun_usage",         Role::kFact,  "What the samples of a LUN over the last while come to.",
    "lunwatch --follow", "lunbalance", kLunUsageFields};
const Kind IdentityConflict::kKind{
    "identity_conflict", Role::kFact,  "LUNs that clients would take for one and the same disk.",
    "lunwatch",          "lunbalance", kIdentityConflictFields};
const Kind StorageSummary::kKind{"storage_summary", Role::kSummary, "What lunwatch has counted.",
                                 "lunwatch",        "people",       kStorageSummaryFields};

const Subject kStorageKinds{.seen = kSeen, .stream = kStream};

}  // namespace rackline::record
