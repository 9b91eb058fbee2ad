// SPDX-License-Identifier: Apache-2.0
#include "net/page_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "wait/thread.h"

namespace rackline::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

using Page = std::shared_ptr<const std::string>;

class Session;

// What all connections look at.
struct Shared {
  std::string path, content_type;
  PageServer::Limits limits;
  std::mutex mutex;
  Page page;
  // Touched on the server's thread only. Of those that wait for a request, the one that has waited longest is
  // first.
  std::size_t connections = 0;
  std::list<std::weak_ptr<Session>> idle;

  Page present() {
    const std::lock_guard lock(mutex);
    return page;
  }
};

// One connection: a request, its answer, and again while both sides want to.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Session() {
    leave_idle();
    --shared_.connections;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    constexpr std::uint32_t kHeader = 8192;
    parser_.emplace();
    parser_->header_limit(kHeader);
    parser_->body_limit(kHeader);
    stream_.expires_after(shared_.limits.patience);
    waits_ = shared_.idle.insert(shared_.idle.end(), weak_from_this());
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const beast::error_code& error, std::size_t) { self->on_read(error); });
  }

  // Its read ends with an error, and it with that.
  void drop() {
    leave_idle();
    stream_.close();
  }

 private:
  void leave_idle() {
    if (waits_) shared_.idle.erase(*std::exchange(waits_, std::nullopt));
  }

  void on_read(const beast::error_code& error) {
    leave_idle();
    if (error == http::error::end_of_stream || error == beast::error::timeout) return close();
    if (error.category() == http::make_error_code(http::error::bad_method).category()) {
      // Not HTTP, or too much of it: the connection is of no more use.
      return answer(error == http::error::header_limit || error == http::error::body_limit
                        ? http::status::payload_too_large
                        : http::status::bad_request,
                    "that is no request for metrics\n", false);
    }
    if (error) return;
    const auto& request = parser_->get();
    const bool keep = request.keep_alive();
    const auto target = request.target();
    const std::string_view path(target.data(), std::min(target.find('?'), target.size()));
    head_ = request.method() == http::verb::head;
    if (!head_ && request.method() != http::verb::get) {
      return answer(http::status::method_not_allowed, "only GET and HEAD\n", keep);
    }
    if (path == "/-/healthy") return answer(http::status::ok, "healthy\n", keep);
    if (path == "/") return answer(http::status::ok, "rackline: see " + shared_.path + "\n", keep);
    if (path != shared_.path) return answer(http::status::not_found, "see " + shared_.path + "\n", keep);
    page_ = shared_.present();
    if (page_ == nullptr) {
      return answer(http::status::service_unavailable, "there was no whole round so far\n", keep);
    }
    respond(http::status::ok, shared_.content_type, keep);
  }

  void answer(http::status status, std::string text, bool keep) {
    page_ = std::make_shared<const std::string>(std::move(text));
    respond(status, "text/plain; charset=utf-8", keep);
  }

  void respond(http::status status, const std::string& content_type, bool keep) {
    response_.emplace(status, 11);
    response_->set(http::field::server, "rackline");
    response_->set(http::field::content_type, content_type);
    if (status == http::status::method_not_allowed) response_->set(http::field::allow, "GET, HEAD");
    response_->keep_alive(keep);
    response_->content_length(page_->size());
    // The body is the page itself, which may be megabytes and is the same for all who ask.
    if (!head_) response_->body() = {page_->data(), page_->size()};
    serializer_.emplace(*response_);
    stream_.expires_after(shared_.limits.patience);
    const auto done = [self = shared_from_this(), keep](const beast::error_code& error, std::size_t) {
      if (error) return;
      if (keep) return self->read();
      self->close();
    };
    if (head_) {
      http::async_write_header(stream_, *serializer_, done);
    } else {
      http::async_write(stream_, *serializer_, done);
    }
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::span_body<const char>>> response_;
  std::optional<http::response_serializer<http::span_body<const char>>> serializer_;
  Page page_;
  bool head_ = false;
  std::optional<std::list<std::weak_ptr<Session>>::iterator> waits_;
};

}  // namespace

class PageServer::Impl {
 public:
  Impl(const Endpoint& local, std::string path, std::string content_type, Limits limits)
      : acceptor_(io_), pause_(io_) {
    shared_.path = std::move(path);
    shared_.content_type = std::move(content_type);
    shared_.limits = limits;
    tcp::endpoint endpoint;
    endpoint.resize(local.length);
    std::memcpy(endpoint.data(), &local.address, local.length);
    beast::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) throw system_error(Status::kUnreachable, "listen", local.text(), error.value());
    accept();
    thread_ = wait::quiet_thread([this] { io_.run(); });
  }

  ~Impl() {
    io_.stop();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void publish(std::string page) {
    auto next = std::make_shared<const std::string>(std::move(page));
    const std::lock_guard lock(shared_.mutex);
    shared_.page = std::move(next);
  }

  std::string url() const {
    const auto endpoint = acceptor_.local_endpoint();
    const std::string address = endpoint.address().to_string();
    return "http://" + (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(endpoint.port()) + shared_.path;
  }

 private:
  bool drop_idle() {
    if (shared_.idle.empty()) return false;
    const auto session = shared_.idle.front().lock();
    if (session) session->drop();
    return session != nullptr;
  }

  void accept() {
    acceptor_.async_accept([this](const beast::error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      // Beyond the limit one that only waits makes room, lest a scraper be kept out; where none does, the new
      // socket closes here.
      if (!error && (shared_.connections < shared_.limits.connections || drop_idle())) {
        std::make_shared<Session>(std::move(socket), shared_)->read();
      }
      if (!error) return accept();
      // No descriptors left, as a rule: trying again at once would only burn a CPU.
      pause_.expires_after(Milliseconds{100});
      pause_.async_wait([this](const beast::error_code& stopped) {
        if (!stopped) accept();
      });
    });
  }

  Shared shared_;
  asio::io_context io_;  // ends before what its sessions look at
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::thread thread_;
};

PageServer::PageServer(const Endpoint& local, std::string path, std::string content_type, Limits limits)
    : impl_(std::make_unique<Impl>(local, std::move(path), std::move(content_type), limits)) {}
PageServer::~PageServer() = default;

void PageServer::publish(std::string page) {
  impl_->publish(std::move(page));
}

std::string PageServer::url() const {
  return impl_->url();
}

}  // namespace rackline::net
