// SPDX-License-Identifier: Apache-2.0
// Datagrams from anybody: refused, and never read beyond their end; what we sign ourselves comes back as it
// was.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ha/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::ha;
  static Signer signer("0123456789abcdef0123456789abcdef", "fuzz");
  Message out;
  const std::vector<std::uint8_t> exact(data, data + size);  // on the heap, so that a step beyond it is seen
  signer.decode(exact, out);

  Message message;
  message.type = static_cast<Message::Type>(1 + (size > 0 ? data[0] % 7 : 0));
  if (size >= 8) std::memcpy(&message.seq, data, 8);
  message.name.assign(reinterpret_cast<const char*>(data), size / 2);
  message.target.assign(reinterpret_cast<const char*>(data) + size / 2, size - size / 2);
  MessageBytes bytes;
  const std::size_t length = signer.encode(message, bytes);
  if (signer.decode({bytes.data(), length}, out) != Reject::kNone || out.seq != message.seq ||
      out.type != message.type)
    std::abort();
  if (out.name != message.name.substr(0, kMaxName) || out.target != message.target.substr(0, kMaxName))
    std::abort();
  if (size == 0) return 0;
  bytes[data[0] % length] ^= 1;
  if (signer.decode({bytes.data(), length}, out) == Reject::kNone) std::abort();
  return 0;
}
