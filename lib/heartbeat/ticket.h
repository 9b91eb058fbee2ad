// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "heartbeat/host_key.h"
#include "heartbeat/message.h"
#include "net/udp.h"

namespace rackline::heartbeat {

// How two agents that share no key speak to each other. The key of the pair "asker speaks to h2" follows from
// the key of h2 and the name of the asker. So h2 needs to be told nothing: it derives that key from its own
// when it is asked. The watcher, which knows the key of h2, gives it to the asker, and to nobody else: in a
// message that is signed with the asker's key, and hidden there under a pad that follows from that key. (The
// pad is good for one asker, one host and one key of that host, so it never hides two different things.)
//
// What that is worth: an answer that is signed with the key of the pair comes from h2, since asker, h2 and
// watcher alone have it. A host in foreign hands has its own tickets: with them it can ask, in its own name,
// and it can answer in its own name. It can make nobody believe that another host lives. So the hosts of
// which an agent says that it hears them did answer it; that those which lie answer, too, cannot be helped,
// and they are hosts that it does hear.
//
// Keys of pairs in the hosts' files were the other way: a new host would then have been a new file for all.
Key pair_key(Signer& of_asked, std::string_view asker);

// Another host, as a watcher introduces it to an agent. As text: "ADDRESS:PORT NAME", and in version 2 a 0,
// 4 bytes with the id of the other host's key that the ticket follows from, and the hidden ticket.
struct Introduction {
  std::string address, name;
  std::optional<Key> ticket;
};

// Empty when it does not fit into a message.
std::string introduce(const std::string& address, const std::string& name);
std::string introduce(const std::string& address, const std::string& name, Signer& of_asker,
                      std::string_view asker, Signer& of_asked);
// `of_asker` has signed the message that the text came in. nullopt when it is none.
std::optional<Introduction> introduction(std::string_view text, Signer& of_asker);

}  // namespace rackline::heartbeat
