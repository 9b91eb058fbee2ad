// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/time.h"

namespace rackline::heartbeat {

// A host that is marked as fenced, in the eyes of a watcher: does it show life all the same? Then the proof
// on which its VMs were started elsewhere is wrong, and nothing may be started any more.
//
// A sign of life contradicts the fence only if it was given after the power was read back as off. No message
// holds a time that could tell (clocks step), so each channel has to prove it by what the host could not have
// known or done before. The watcher learns of the mark at `since`, which is after the mark was written, which
// is after the power was read back; whatever answers something that the watcher first said after `since` is
// young enough:
//   - A heartbeat over the network has to bring a nonce that was drawn at `since`, and that acks to this host
//     tell from then on. One that was on the way, or lay unread in a socket, when the power went brings the
//     nonce that was known before: it is worth an ack and nothing more.
//   - libvirtd, and the agents of other hosts, have to answer a question that was asked after `since`.
//   - On the storage an agent writes its slot again only after the write before is durable, so at most one
//     write was under way when the power went, and may appear later. What stands there at the first look that
//     began after `since` is older than that one write; so the second change after that look is life, and the
//     first one may be the late write. A slot that brings the nonce of `since` is life at once.
//
// And the mark has to be there still: a host that is taken back (fence unfence) gets another mark first, and
// is switched on after that. So a sign of life counts when the marks, read once more since, still say the
// same.
class ProvenOff {
 public:
  // `fence` is the id of the mark; `nonce` was never told to anybody before.
  ProvenOff(std::string fence, std::uint64_t nonce, Milliseconds since)
      : fence_(std::move(fence)), nonce_(nonce), since_(since) {}

  const std::string& fence() const { return fence_; }
  std::uint64_t nonce() const { return nonce_; }

  void beat(std::uint64_t nonce, Milliseconds now);
  // What stands in the slot was looked at, from `began` on; `fresh`: it is a younger one than before, and
  // proven to be its agent's; `answers`: it brings nonce().
  void slot(Milliseconds began, bool fresh, bool answers, Milliseconds now);
  // libvirtd, or the kernel in its place by refusing connections, answered what was asked at `asked`.
  void libvirt(Milliseconds asked, Milliseconds now);
  // An agent of another host reached it.
  void reached(Milliseconds asked, Milliseconds now);

  // A reading of the marks that began at `began` found this one in its place.
  void still_marked(Milliseconds began);

  bool contradicted() const { return contradicted_; }
  // How it shows life: "heartbeats of it come in over the network".
  const std::string& how() const { return how_; }

  // The watcher stood still for so long.
  void forgive(Milliseconds by);

 private:
  void lives(const char* how, Milliseconds now);

  std::string fence_;
  std::uint64_t nonce_;
  Milliseconds since_;
  bool looked_ = false;  // at the slot, since then
  int changes_ = 0;      // of the slot, since that look
  std::optional<Milliseconds> lived_;
  std::string how_;
  bool contradicted_ = false;
};

}  // namespace rackline::heartbeat
