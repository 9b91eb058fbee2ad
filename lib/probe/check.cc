// SPDX-License-Identifier: Apache-2.0
#include "probe/check.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/units.h"
#include "net/address.h"
#include "net/http.h"
#include "net/tcp.h"
#include "proc/child.h"
#include "wait/pending.h"

namespace rackline::probe {
namespace {

std::optional<Check> parse_tcp(std::string_view text) {
  const auto address = net::parse_address(text);
  if (!address || address->port.value_or(0) == 0) return std::nullopt;
  return Tcp{address->host, address->port_or("")};
}

std::optional<Check> parse_url(std::string_view url) {
  const auto rest = url.substr(url.find("//") + 2);
  const auto address = net::parse_address(rest.substr(0, rest.find_first_of("/?#")));
  const bool odd = std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c == '\x7f'; });
  const bool login = rest.substr(0, rest.find_first_of("/?#")).find('@') != std::string_view::npos;
  if (!address || !address->fits_url() || odd || login || address->port.value_or(1) == 0) return std::nullopt;
  return Http{std::string(url)};
}

std::optional<Check> parse_file(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  try {
    const auto age = parse_duration(text.substr(colon + 1));
    if (age <= Milliseconds{0}) return std::nullopt;
    return File{std::string(text.substr(0, colon)), age};
  } catch (const Error&) {
    return std::nullopt;
  }
}

Answer ask(const Tcp& tcp, Milliseconds timeout) {
  const bool serves = net::try_tcp(tcp.address, tcp.port, timeout, [](const Fd& fd) {
    // Most protocols let the client speak first; a proxy in front of nothing hangs up at once.
    constexpr Milliseconds kGreeting{200};
    if (!net::ready(fd, POLLIN, system_clock().monotonic() + kGreeting)) return true;
    char byte = 0;
    return recv(fd.get(), &byte, 1, 0) == 1;
  });
  return serves ? Answer{true} : Answer{false, "no connection that lasts"};
}

Answer ask(const Http& http, Milliseconds timeout) {
  const auto answer = net::HttpClient().get_status(http.url, timeout);
  if (answer.status == 0) return {false, answer.failure};
  if (answer.status >= 200 && answer.status < 400) return {true};
  return {false, "HTTP status " + std::to_string(answer.status)};
}

Answer ask(const Command& command, Milliseconds timeout) {
  const auto ended = proc::run({"/bin/sh", "-c", command.line}, "", timeout, proc::Leavers::kKill);
  if (ended.timed_out) return {false, "no end within " + format_duration(timeout)};
  if (ended.status == 0) return {true};
  return {false, "exit status " + std::to_string(ended.status)};
}

// On a thread of its own: stat(2) of a file on storage that is gone does not return.
Answer ask(const File& file, Milliseconds timeout) {
  const auto wakeup = std::make_shared<wait::Wakeup>();
  wait::Pending<Answer> look(wakeup, [file]() -> Answer {
    struct stat about = {};
    if (stat(file.path.c_str(), &about) != 0) return {false, std::strerror(errno)};
    timespec now = {};
    clock_gettime(CLOCK_REALTIME, &now);
    const Milliseconds age{(now.tv_sec - about.st_mtim.tv_sec) * 1000 +
                           (now.tv_nsec - about.st_mtim.tv_nsec) / 1'000'000};
    if (age > file.age) return {false, "written " + format_duration(age) + " ago"};
    // A clock that was set back would make an old file young for as long.
    if (age < -file.age) return {false, "written " + format_duration(-age) + " in the future"};
    return {true};
  });
  if (!wakeup->wait_for(timeout, [&] { return look.ready(); }))
    return {false, "no answer within " + format_duration(timeout)};
  return look.get();
}

}  // namespace

std::optional<Check> parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (text.starts_with("http://") || text.starts_with("https://")) return parse_url(text);
  const auto rest = text.substr(std::min(text.find(':'), text.size()));
  if (rest.size() < 2) return std::nullopt;
  if (text.starts_with("tcp:")) return parse_tcp(rest.substr(1));
  if (text.starts_with("command:")) return Command{std::string(rest.substr(1))};
  if (text.starts_with("file:")) return parse_file(rest.substr(1));
  return std::nullopt;
}

Answer probe(const Check& check, Milliseconds timeout) {
  return std::visit([&](const auto& one) { return ask(one, timeout); }, check);
}

}  // namespace rackline::probe
