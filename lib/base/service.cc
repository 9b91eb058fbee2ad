// SPDX-License-Identifier: Apache-2.0
#include "base/service.h"

#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"

namespace rackline {

void notify_service(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || std::strlen(path) < 2 || std::strlen(path) >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract one
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // Nobody is worse off when it is lost: the next one follows.
  if (socket)
    sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           length);
}

void be_prompt() {
  // What is touched stays in memory. All of it at once would be the tables of every alphabet that some
  // library has, and the stacks of hundreds of threads that wait for an answer and need none of it, nor heaps
  // of their own.
  mallopt(M_ARENA_MAX, 2);
  mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
  // Niceness counts only within a control group, and the groups of servers weigh as much as ours. The lowest
  // priority of the real-time class goes before all of them, and the kernel leaves the others a part of each
  // second whatever we do. Threads inherit it.
  const sched_param first{.sched_priority = sched_get_priority_min(SCHED_RR)};
  if (sched_setscheduler(0, SCHED_RR, &first) != 0) setpriority(PRIO_PROCESS, 0, -20);
}

}  // namespace rackline
