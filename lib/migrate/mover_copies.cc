// SPDX-License-Identifier: Apache-2.0
// What Mover does about disks that only the source has: libvirt copies them into images that are made
// beforehand, and that go again when the VM does not move. The source's own are left alone.
#include <algorithm>

#include "base/error.h"
#include "migrate/mover.h"

namespace rackline::migrate {

std::int64_t Mover::bytes_to_copy() const {
  std::int64_t sum = 0;
  for (const DiskCopy& copy : intent_.copies) sum += copy.capacity_bytes;
  return sum;
}

std::optional<MoveReport> Mover::check_copies(const std::vector<VmDisk>& disks) {
  intent_.copies.clear();
  for (const VmDisk& disk : disks) {
    const auto size = ask(from_, [host = source_, uuid = uuid(), target = disk.target] {
      return host->disk_size(uuid, target);
    });
    intent_.copies.push_back({disk.target, disk.source, disk.format, disk.pool, size.capacity_bytes,
                              size.allocation_bytes, false});
  }
  if (disks.empty()) return std::nullopt;
  const auto why = ask(to_, [host = target_, copies = intent_.copies] { return host->cannot_take(copies); });
  return why ? std::optional(report(act::Outcome::kRefused, *why)) : std::nullopt;
}

std::optional<MoveReport> Mover::make_images() {
  for (DiskCopy& copy : intent_.copies) {
    say("making " + copy.path);
    try {
      ask(to_, [host = target_, copy] { host->make_image(copy); });
      copy.made = true;
      // Without this a later run could not tell it from somebody else's.
      shared_->journal->amend(intent_.move.id, intent_);
    } catch (const Error& error) {
      return report(act::Outcome::kFailed,
                    "no image for the copy of disk " + copy.target + " on " + to_.host + ": " + error.what());
    }
  }
  return std::nullopt;
}

// Once the target runs it. What the guest has written since makes the two contents differ, so they cannot be
// compared: that all was copied is libvirt's word, without which it starts nothing there.
std::string Mover::wrong_with_copies() {
  if (intent_.copies.empty()) return {};
  const VmDescription there = ask(to_, [host = target_, uuid = uuid()] { return host->describe(uuid); });
  for (const DiskCopy& copy : intent_.copies) {
    const auto disk = std::find_if(there.disks.begin(), there.disks.end(),
                                   [&](const VmDisk& other) { return other.target == copy.target; });
    const std::string name = "disk " + copy.target + " on " + to_.host;
    const std::string kept = "; the one on " + from_.host + " is as it was when the server left";
    if (disk == there.disks.end() || disk->source != copy.path) return name + " is not " + copy.path + kept;
    const auto size = ask(
        to_, [host = target_, uuid = uuid(), target = copy.target] { return host->disk_size(uuid, target); });
    if (size.capacity_bytes != copy.capacity_bytes)
      return name + " has another size than its original" + kept;
  }
  return {};
}

// Only where it is seen that nothing uses them: the source runs the VM, and the target does not have it.
void Mover::remove_images(MoveReport& report) {
  if (intent_.copies.empty()) return;
  const View view = look();
  const bool unused = view.source && view.source->active() && view.target && !view.target->present();
  for (const DiskCopy& copy : intent_.copies) {
    if (!copy.made) continue;  // @rule 16-image-of-ours
    if (!unused) {             // @rule 10-image-unused
      report.reason += "; its image " + copy.path + " stays on " + to_.host + ", as " + from_.host +
                       " is not seen to run it";
      continue;
    }
    try {
      ask(to_, [host = target_, copy] { host->remove_image(copy); });
    } catch (const Error& error) {
      report.reason +=
          "; its image " + copy.path + " on " + to_.host + " could not be removed: " + error.why();
    }
  }
}

}  // namespace rackline::migrate
