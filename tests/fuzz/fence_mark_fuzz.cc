// SPDX-License-Identifier: Apache-2.0
// Files from anybody who can write to the storage: refused, and never read beyond their end; what we seal
// ourselves comes back as it was.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cluster/name.h"
#include "heartbeat/fence_mark_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::heartbeat;
  const std::string key(64, 'k');
  const std::string text(reinterpret_cast<const char*>(data), size);
  FenceMarkText out;
  if (unseal(text, "fuzz", key, out) == MarkReject::kNone) std::abort();
  OwnFenceMark own("h1", "fuzz", {key});
  if (own.says_fenced(text, 1, 1, 0)) std::abort();

  FenceMarkText mark{.host = text.substr(0, size / 2), .fence = text.substr(size / 2)};
  if (size >= sizeof mark.seq) std::memcpy(&mark.seq, data, sizeof mark.seq);
  mark.incarnation = ~mark.seq;
  if (!rackline::cluster::valid_name(mark.host)) mark.host = "h1";
  std::string sound = sealed(mark, "fuzz", key);
  if (unseal(sound, "fuzz", key, out) != MarkReject::kNone || out.host != mark.host || out.seq != mark.seq ||
      out.incarnation != mark.incarnation)
    std::abort();
  if (size == 0) return 0;
  sound[data[0] % sound.size()] ^= 1;
  if (unseal(sound, "fuzz", key, out) == MarkReject::kNone) std::abort();
  return 0;
}
