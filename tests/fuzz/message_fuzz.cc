// SPDX-License-Identifier: Apache-2.0
// Datagrams from anybody: refused, and never read beyond their end; what we sign ourselves comes back as it
// was.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "heartbeat/host_key.h"
#include "heartbeat/key_ring.h"
#include "heartbeat/message.h"
#include "heartbeat/ticket.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::heartbeat;
  static Signer signer("0123456789abcdef0123456789abcdef", "fuzz");
  Message out;
  const std::vector<std::uint8_t> exact(data, data + size);  // on the heap, so that a step beyond it is seen
  signer.decode(exact, out);
  // As a watcher and an agent take them apart; a signature is not guessed, so all is refused.
  static KeyRing ring("0123456789abcdef0123456789abcdef", "fuzz", {"h1", "h2"}, false);
  static Signer keyed(host_key("0123456789abcdef0123456789abcdef", "h1").key, "fuzz");
  ring.decode_slot(exact, out);
  if (read_unproven(exact, cluster_tag("fuzz"), out) == Reject::kNone && keyed.signed_by(exact, out))
    std::abort();
  const std::string text(exact.begin(), exact.end());
  introduction(text, keyed);
  try {
    host_keys("rackline-host-key " + text);
  } catch (const rackline::Error&) {
    // Refused with words.
  }

  Message message;
  message.type = static_cast<Message::Type>(1 + (size > 0 ? data[0] % 7 : 0));
  if (size >= 8) std::memcpy(&message.seq, data, 8);
  message.name.assign(reinterpret_cast<const char*>(data), size / 2);
  message.target.assign(reinterpret_cast<const char*>(data) + size / 2, size - size / 2);
  for (Signer* one : {&signer, &keyed}) {
    MessageBytes bytes;
    const std::size_t length = one->encode(message, bytes);
    if (message_length({bytes.data(), length}) != length ||
        one->decode({bytes.data(), length}, out) != Reject::kNone || out.seq != message.seq ||
        out.type != message.type)
      std::abort();
    if (out.name != message.name.substr(0, kMaxName) ||
        out.target != message.target.substr(0, one->shared() ? kMaxName : kMaxTarget))
      std::abort();
    if (size == 0) continue;
    bytes[data[0] % length] ^= 1;
    if (one->decode({bytes.data(), length}, out) == Reject::kNone) std::abort();
  }
  return 0;
}
