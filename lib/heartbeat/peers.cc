// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/peers.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "heartbeat/nonce.h"

namespace rackline::heartbeat {
namespace {

constexpr std::size_t kErrands = 64;
constexpr std::size_t kNeighbours = 4096;
constexpr std::size_t kAskedAtOnce = 64;  // neighbours, at each beat
constexpr int kPassedOn = 4;              // of one errand: each ping may be answered

}  // namespace

Peers::Peers(std::string host, AgentKeys& keys, Milliseconds patience, Hooks hooks)
    : host_(std::move(host)), keys_(keys), patience_(patience), hooks_(std::move(hooks)) {}

void Peers::send(const net::Endpoint& to, const Message& message, Signer& signer) {
  MessageBytes bytes;
  hooks_.send(to, {bytes.data(), signer.encode(message, bytes)});
}

void Peers::learn(const Message& ack, Signer& by) {
  if (ack.vms > 0) cluster_size_ = ack.vms;
  auto other = introduction(ack.target, by);
  if (!other || other->ticket.has_value() == by.shared()) return;
  if (other->name == host_ || (neighbours_.size() >= kNeighbours && !neighbours_.contains(other->name)))
    return;
  try {
    Neighbour& neighbour = neighbours_[other->name];
    neighbour.at = net::resolve(other->address, 0);
    neighbour.ticket = other->ticket;
  } catch (const Error& error) {
    neighbours_.erase(other->name);
    hooks_.warn(error.what());
  }
}

void Peers::ping(const net::Endpoint& to, const std::string& name, const std::optional<Key>& ticket,
                 Message message) {
  message.type = Message::Type::kPing;
  message.name = name;
  if (!ticket) return send(to, message, keys_.signers().front());
  message.target = host_;
  Signer pair(*ticket, keys_.cluster());
  send(to, message, pair);
}

void Peers::ask_some(Milliseconds now) {
  const std::size_t number = std::min(neighbours_.size(), kAskedAtOnce);
  auto next = neighbours_.lower_bound(next_neighbour_);
  for (std::size_t i = 0; i < number; ++i, ++next) {
    if (next == neighbours_.end()) next = neighbours_.begin();
    Message question;
    question.seq = next->second.ping = random_number();
    next->second.asked = now;
    ping(next->second.at, next->first, next->second.ticket, question);
  }
  next_neighbour_ = next == neighbours_.end() ? std::string() : next->first;
}

std::optional<Milliseconds> Peers::majority_heard() const {
  // With itself, cluster_size_ / 2 others are more than half. Alone in its cluster it hears nobody.
  const std::size_t others = cluster_size_ / 2;
  if (others == 0) return std::nullopt;
  std::vector<Milliseconds> heard;
  for (const auto& [name, neighbour] : neighbours_) {
    if (neighbour.heard) heard.push_back(*neighbour.heard);
  }
  if (heard.size() < others) return std::nullopt;
  std::sort(heard.begin(), heard.end(), std::greater<>());
  return heard[others - 1];
}

void Peers::begin(const Message& ask, Signer& by, const net::Endpoint& asker, Milliseconds now) {
  if (errands_.size() >= kErrands) return;
  try {
    Errand errand;
    std::string address = ask.target;
    errand.name = ask.name;
    if (!by.shared()) {
      auto other = introduction(ask.target, by);
      if (!other || !other->ticket) return;
      errand.name = other->name;
      errand.ticket = other->ticket;
      address = other->address;
    }
    errand.asker = asker;
    errand.target = net::resolve(address, 0);
    errand.signer = static_cast<std::size_t>(&by - keys_.signers().data());
    errand.ask = ask.seq;
    errand.nonce = ask.nonce;
    errand.ping = random_number();
    errand.next = now;
    errand.until = now + patience_;
    errands_.push_back(std::move(errand));
  } catch (const Error& error) {
    hooks_.warn(error.what());
  }
}

void Peers::answer(const Errand& errand, bool reached) {
  Signer& signer = keys_.signers()[errand.signer];
  Message told;
  told.type = Message::Type::kTold;
  told.reached = reached;
  told.name = signer.shared() ? errand.name : host_;
  if (!signer.shared()) told.target = errand.name;
  told.echo = errand.ask;
  told.nonce = errand.nonce;
  send(errand.asker, told, signer);
}

void Peers::run(Milliseconds now) {
  for (auto errand = errands_.begin(); errand != errands_.end();) {
    if (now >= errand->until) {
      if (errand->passed_on == 0) answer(*errand, false);
      errand = errands_.erase(errand);
      continue;
    }
    if (now >= errand->next) {
      Message question;
      question.seq = errand->ping;
      question.echo = errand->ask;
      question.nonce = errand->nonce;
      ping(errand->target, errand->name, errand->ticket, question);
      errand->next = now + patience_ / 3;
    }
    ++errand;
  }
}

bool Peers::hear(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from) {
  switch (unproven.type) {
    case Message::Type::kPing:
      return hear_ping(bytes, unproven, from);
    case Message::Type::kPong:
      return hear_pong(bytes, unproven, from);
    case Message::Type::kWitness:
      return pass_on(bytes, unproven, from);
    default:
      return false;
  }
}

// Whoever has a ticket for this host is answered with that ticket. On behalf of a watcher the answer is for
// the watcher itself, signed with this host's own key, since that one need not take the asker's word.
bool Peers::hear_ping(std::span<const std::uint8_t> bytes, const Message& unproven,
                      const net::Endpoint& from) {
  if (unproven.name != host_) return false;
  Message pong;
  pong.type = Message::Type::kPong;
  pong.name = host_;
  pong.echo = unproven.seq;
  for (Signer& own : keys_.signers()) {
    if (own.shared()) {
      if (!own.signed_by(bytes, unproven)) continue;
      send(from, pong, own);
      return true;
    }
    Signer pair(pair_key(own, unproven.target), keys_.cluster());
    if (!pair.signed_by(bytes, unproven)) continue;  // @rule 23-ping-without-ticket
    if (unproven.nonce != 0) {
      Message witness = pong;
      witness.type = Message::Type::kWitness;
      witness.nonce = unproven.nonce;
      witness.echo = unproven.echo;
      send(from, witness, own);
    } else {
      pong.target = unproven.target;
      send(from, pong, pair);
    }
    return true;
  }
  return false;
}

bool Peers::hear_pong(std::span<const std::uint8_t> bytes, const Message& unproven,
                      const net::Endpoint& from) {
  const auto found = neighbours_.find(unproven.name);
  const auto errand = std::find_if(errands_.begin(), errands_.end(), [&](const Errand& e) {
    return !e.ticket && e.ping == unproven.echo && e.name == unproven.name && e.target == from;
  });
  const bool asked = found != neighbours_.end() && found->second.ping != 0 &&
                     found->second.ping == unproven.echo && found->second.at == from;
  // An answer that comes twice, or too late, is nobody's fault.
  if (!asked && errand == errands_.end()) return true;
  if (errand != errands_.end()) {
    if (keys_.signer_of(bytes, unproven) == nullptr) return false;
    answer(*errand, true);
    errands_.erase(errand);
    return true;
  }
  Neighbour& neighbour = found->second;
  // @rule 23-pong-of-another-host
  if (neighbour.ticket ? !Signer(*neighbour.ticket, keys_.cluster()).signed_by(bytes, unproven)
                       : keys_.signer_of(bytes, unproven) == nullptr)
    return false;
  neighbour.ping = 0;
  neighbour.heard = neighbour.asked;
  return true;
}

// The watcher alone can tell whether it is true.
bool Peers::pass_on(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from) {
  const auto errand = std::find_if(errands_.begin(), errands_.end(), [&](const Errand& e) {
    return e.name == unproven.name && e.ask == unproven.echo && e.nonce == unproven.nonce && e.target == from;
  });
  if (errand == errands_.end()) return true;
  if (++errand->passed_on <= kPassedOn) hooks_.send(errand->asker, bytes);
  errand->next = errand->until;
  return true;
}

}  // namespace rackline::heartbeat
