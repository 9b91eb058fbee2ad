// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/proven_off.h"

namespace rackline::heartbeat {

void ProvenOff::lives(const char* how, Milliseconds now) {
  if (lived_) return;
  lived_ = now;
  how_ = how;
}

void ProvenOff::beat(std::uint64_t nonce, Milliseconds now) {
  if (nonce == nonce_)  // @rule 21-beat-on-the-way: true
    lives("heartbeats of it come in over the network", now);
}

void ProvenOff::slot(Milliseconds began, bool fresh, bool answers, Milliseconds now) {
  if (began < since_) return;
  const bool first = !std::exchange(looked_, true);
  if (!fresh) return;
  if (!first) ++changes_;
  constexpr int kCertain = 2;
  if (answers || changes_ >= kCertain) lives("it writes to the shared storage", now);
}

void ProvenOff::libvirt(Milliseconds asked, Milliseconds now) {
  if (asked >= since_)  // @rule 21-answer-of-before: true
    lives("something answers where its libvirtd listens", now);
}

void ProvenOff::reached(Milliseconds asked, Milliseconds now) {
  if (asked >= since_) lives("its agent answers those of other hosts", now);
}

void ProvenOff::still_marked(Milliseconds began) {
  if (lived_ && began >= *lived_) contradicted_ = true;  // @rule 21-taken-back: true
}

void ProvenOff::forgive(Milliseconds by) {
  since_ += by;
  if (lived_) *lived_ += by;
}

}  // namespace rackline::heartbeat
