// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/key_ring.h"

#include <map>
#include <mutex>

#include "base/joined.h"
#include "cluster/name.h"
#include "heartbeat/ticket.h"

namespace rackline::heartbeat {

struct KeyRing::Known {
  std::mutex mutex;
  std::vector<std::string> masters;
  std::map<std::string, Voice> voices;  // where it is not the present key of the host

  std::vector<std::string> secrets_of(const std::string& host) {
    const std::lock_guard lock(mutex);
    const auto found = voices.find(host);
    const Voice last = found == voices.end() ? Voice{} : found->second;
    std::vector<std::string> secrets;
    for (const bool shared : {false, true}) {
      for (std::size_t generation = 0; generation < masters.size(); ++generation) {
        const std::string& master = masters[generation];
        std::string secret = shared ? master : std::string(host_key(master, host).key.view());
        const bool first = shared == last.shared && generation == last.generation;
        secrets.insert(first ? secrets.begin() : secrets.end(), std::move(secret));
      }
    }
    return secrets;
  }
  ~Known() {
    for (auto& master : masters) wipe(master);
  }
};

KeyRing::KeyRing(std::string_view text, std::string_view cluster, const std::vector<std::string>& hosts,
                 bool accept_shared)
    : cluster_tag_(cluster_tag(cluster)),
      cluster_(cluster),
      accept_shared_(accept_shared),
      hosts_(hosts.size()),
      known_(std::make_shared<Known>()) {
  const auto& masters = known_->masters = master_keys(text);
  for (const auto& master : masters) shared_.emplace_back(std::string_view(master), cluster);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    hosts_[i].name = hosts[i];
    index_.emplace(hosts[i], i);
    for (std::size_t generation = 0; generation < masters.size(); ++generation) {
      hosts_[i].own.emplace_back(host_key(masters[generation], hosts[i]).key, cluster);
      by_id_.emplace(hosts_[i].own.back().id(), Voice{i, generation, false});
    }
  }
}

std::optional<std::size_t> KeyRing::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

KeyRing::Heard KeyRing::decode(std::span<const std::uint8_t> bytes, Message& out) {
  Heard heard;
  heard.reject = read_unproven(bytes, cluster_tag_, out);
  if (heard.reject != Reject::kNone) {
    heard.refusal = "datagrams that are " + std::string(words_of(heard.reject));
    return heard;
  }
  if (out.key_id == 0) return decode_shared(bytes, out);
  const auto host = find(out.name);
  if (host) {
    auto& own = hosts_[*host].own;
    for (std::size_t generation = 0; generation < own.size(); ++generation) {
      if (!own[generation].signed_by(bytes, out)) continue;  // @rule 01-key-of-another-host
      heard.voice = Voice{*host, generation, false};
      out.anew = hosts_[*host].voice && hosts_[*host].voice->shared;  // @rule 01-shared-key-is-void
      return heard;
    }
    heard.claimed = host;
  } else if (cluster::valid_name(out.name)) {
    for (const auto& master : known_->masters) {
      if (Signer(host_key(master, out.name).key, cluster_).signed_by(bytes, out)) return heard;
    }
  }
  heard.reject = Reject::kForged;
  if (host) {
    name_key(heard, bytes, out);
  } else {
    heard.refusal = "messages in the name of a host that is not in the inventory, not signed with our key";
    heard.detail = "of " + cluster::shown_name(out.name);
  }
  return heard;
}

// That it is the key of another host is proof of who lies. Of an unknown key there is nothing but its id.
void KeyRing::name_key(Heard& heard, std::span<const std::uint8_t> bytes, const Message& unproven) {
  heard.refusal = "messages in the name of " + unproven.name + " that are signed with ";
  const auto [begin, end] = by_id_.equal_range(unproven.key_id);
  for (auto it = begin; it != end; ++it) {
    Host& other = hosts_[it->second.host];
    if (!other.own[it->second.generation].signed_by(bytes, unproven)) continue;
    heard.refusal += "the key of " + other.name + ", " + key_id_text(unproven.key_id);
    return;
  }
  heard.refusal += "a key that follows from none of this watcher's (heartbeat key --host " + unproven.name +
                   " makes the right one)";
  heard.detail = "with " + key_id_text(unproven.key_id);
}

KeyRing::Heard KeyRing::decode_shared(std::span<const std::uint8_t> bytes, Message& out) {
  Heard heard;
  // In a kTold of version 1 it is the host that was asked about.
  const auto host = find(out.name);
  for (std::size_t generation = 0; generation < shared_.size(); ++generation) {
    if (!shared_[generation].signed_by(bytes, out)) continue;
    out.key_id = shared_[generation].id();
    const bool speaks = out.type == Message::Type::kBeat || out.type == Message::Type::kSlot;
    if (host && speaks && hosts_[*host].spoke_itself) {  // @rule 01-shared-key-is-over
      heard.reject = Reject::kForged;
      heard.claimed = host;
      heard.refusal = "messages in the name of " + out.name +
                      " that are signed with the shared key, though it has spoken with its own: they are "
                      "refused until the watcher is started again";
      return heard;
    }
    out.doubtful = !accept_shared_;
    heard.voice = Voice{host.value_or(0), generation, true};
    return heard;
  }
  heard.reject = Reject::kForged;
  heard.claimed = host;
  heard.refusal = "datagrams that are " + std::string(words_of(Reject::kForged)) +
                  (host ? ", but with another shared one, in the name of " + out.name : std::string());
  return heard;
}

KeyRing::Heard KeyRing::decode_slot(std::span<const std::uint8_t> bytes, Message& out) {
  std::optional<Heard> first;
  do {
    const std::size_t length = message_length(bytes);
    const bool whole = length > 0 && length <= bytes.size();
    Heard heard = decode(whole ? bytes.first(length) : bytes, out);
    if (heard.reject == Reject::kNone) return heard;
    if (!first) first = std::move(heard);
    bytes = whole ? bytes.subspan(length) : bytes.last(0);
  } while (!bytes.empty());
  return *first;
}

std::size_t KeyRing::encode(const Message& message, const Voice& voice, MessageBytes& out) {
  Signer& signer = voice.shared ? shared_[voice.generation] : hosts_[voice.host].own[voice.generation];
  return signer.encode(message, out);
}

void KeyRing::spoke(std::size_t index, const Voice& voice, std::uint64_t incarnation) {
  Host& host = hosts_[index];
  // An agent with two keys says all with both.
  const bool better = !host.voice || (host.voice->shared && !voice.shared) ||
                      (host.voice->shared == voice.shared && voice.generation < host.voice->generation);
  if (better || host.incarnation != incarnation) {
    host.voice = voice;
    const std::lock_guard lock(known_->mutex);
    known_->voices.erase(host.name);
    if (voice.shared || voice.generation > 0) known_->voices.emplace(host.name, voice);
  }
  host.incarnation = incarnation;
  if (!voice.shared) host.spoke_itself = true;
}

std::function<std::vector<std::string>(const std::string& host)> KeyRing::secrets() const {
  return [known = known_](const std::string& host) { return known->secrets_of(host); };
}

std::uint32_t KeyRing::id_of(const Voice& voice) const {
  return (voice.shared ? shared_[voice.generation] : hosts_[voice.host].own[voice.generation]).id();
}

std::string KeyRing::introduce(const Voice& asker, std::size_t asked, const std::string& address) {
  Host& other = hosts_[asked];
  if (!other.voice || other.voice->shared != asker.shared) return {};
  if (asker.shared) return heartbeat::introduce(address, other.name);
  return heartbeat::introduce(address, other.name, hosts_[asker.host].own[asker.generation],
                              hosts_[asker.host].name, other.own[other.voice->generation]);
}

std::string KeyRing::lagging_text(const std::vector<std::string_view>& shared,
                                  const std::vector<std::string_view>& previous) {
  std::string text;
  if (!shared.empty())
    text =
        "with the shared key beat: " + joined_some(shared) + "; give each its own: heartbeat key --host HOST";
  if (!previous.empty()) {
    text += (text.empty() ? "" : ". ") + ("with the previous key beat: " + joined_some(previous)) +
            "; the present one: heartbeat key --host HOST";
  }
  return text;
}

}  // namespace rackline::heartbeat
