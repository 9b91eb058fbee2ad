// SPDX-License-Identifier: Apache-2.0
#include "virt/connection.h"

#include <chrono>
#include <mutex>
#include <utility>

#include "wait/thread.h"

namespace rackline::virt {
namespace {

using ClosedFlag = std::shared_ptr<std::atomic<bool>>;

void on_close(virConnectPtr /*connection*/, int /*reason*/, void* opaque) {
  static_cast<ClosedFlag*>(opaque)->get()->store(true);
}

void free_flag(void* opaque) {
  delete static_cast<ClosedFlag*>(opaque);
}

void run_event_loop() {
  for (;;) {
    if (virEventRunDefaultImpl() == 0) continue;
    // Only a failing poll(2) ends up here (out of memory): not worth dying for, nor a busy loop.
    virResetLastError();
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

}  // namespace

VirtError virt_error(Status status, const std::string& attempted, const std::string& object) {
  const virError* error = virGetLastError();
  const int code = error != nullptr ? error->code : VIR_ERR_OK;
  const std::string why =
      error != nullptr && error->message != nullptr ? error->message : "libvirt gave no reason";
  virResetLastError();
  return {status, attempted, object, why, code};
}

int last_error_code() {
  const virError* error = virGetLastError();
  return error != nullptr ? error->code : VIR_ERR_OK;
}

bool is_unsupported(int code) {
  return code == VIR_ERR_NO_SUPPORT || code == VIR_ERR_OPERATION_UNSUPPORTED ||
         code == VIR_ERR_CONFIG_UNSUPPORTED || code == VIR_ERR_ARGUMENT_UNSUPPORTED ||
         code == VIR_ERR_INVALID_ARG;
}

void start_event_loop() {
  static std::once_flag once;
  std::call_once(once, [] {
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
    if (virInitialize() < 0) throw virt_error(Status::kNo, "start libvirt", "");
    if (virEventRegisterDefaultImpl() < 0)
      throw virt_error(Status::kNo, "register the event loop", "libvirt");
    wait::quiet_thread(run_event_loop).detach();
  });
}

Connection::Connection(Handle handle, std::string uri, ClosedFlag closed)
    : handle_(std::move(handle)), uri_(std::move(uri)), closed_(std::move(closed)) {}

Connection Connection::open(const std::string& uri, const ConnectOptions& options) {
  start_event_loop();
  // Not virConnectOpenAuth with the default callbacks: those would ask for a password on the terminal.
  // Credentials come from libvirt's auth.conf.
  Handle handle(options.read_only ? virConnectOpenReadOnly(uri.c_str()) : virConnectOpen(uri.c_str()));
  if (handle == nullptr) throw virt_error(Status::kUnreachable, "connect", uri);

  auto closed = std::make_shared<std::atomic<bool>>(false);
  auto* opaque = new ClosedFlag(closed);
  // Local drivers have neither: they cannot lose a connection.
  if (virConnectRegisterCloseCallback(handle.get(), on_close, opaque, free_flag) < 0) delete opaque;
  if (options.keepalive_interval_seconds > 0) {
    virConnectSetKeepAlive(handle.get(), options.keepalive_interval_seconds, options.keepalive_count);
  }
  virResetLastError();
  return {std::move(handle), uri, std::move(closed)};
}

bool Connection::alive() const {
  if (handle_ == nullptr || closed_->load()) return false;
  const int alive = virConnectIsAlive(handle_.get());
  virResetLastError();
  return alive != 0;  // -1: the driver cannot tell, as a local one
}

void Connection::probe() const {
  if (virConnectNumOfDomains(handle_.get()) < 0) throw virt_error(Status::kUnreachable, "ask", uri_);
}

std::vector<Domain> Connection::domains(unsigned flags) const {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(handle_.get(), &list, flags);
  if (count < 0) throw virt_error(Status::kNo, "list the virtual servers", uri_);
  std::vector<Domain> domains;
  domains.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) domains.emplace_back(list[i]);
  std::free(list);
  return domains;
}

Domain Connection::domain_by_uuid(const std::string& uuid) const {
  Domain domain(virDomainLookupByUUIDString(handle_.get(), uuid.c_str()));
  if (domain == nullptr && last_error_code() != VIR_ERR_NO_DOMAIN) {
    throw virt_error(Status::kNo, "look up the virtual server", uuid);
  }
  virResetLastError();
  return domain;
}

Domain Connection::domain_by_name(const std::string& name) const {
  Domain domain(virDomainLookupByName(handle_.get(), name.c_str()));
  if (domain == nullptr && last_error_code() != VIR_ERR_NO_DOMAIN) {
    throw virt_error(Status::kNo, "look up the virtual server", name);
  }
  virResetLastError();
  return domain;
}

std::string uuid_of(virDomainPtr domain) {
  char text[VIR_UUID_STRING_BUFLEN] = {};
  if (virDomainGetUUIDString(domain, text) < 0)
    throw virt_error(Status::kNo, "read the UUID of", virDomainGetName(domain));
  return text;
}

std::vector<Snapshot> snapshots_of(virDomainPtr domain) {
  virDomainSnapshotPtr* list = nullptr;
  const int count = virDomainListAllSnapshots(domain, &list, VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
  if (count < 0 && !is_unsupported(last_error_code()))
    throw virt_error(Status::kNo, "list the snapshots of", virDomainGetName(domain));
  virResetLastError();
  std::vector<Snapshot> snapshots;
  for (int i = 0; i < count; ++i) snapshots.emplace_back(list[i]);
  std::free(list);
  return snapshots;
}

std::string take(char* text) {
  const CString owned(text);
  return owned != nullptr ? std::string(owned.get()) : std::string();
}

}  // namespace rackline::virt
