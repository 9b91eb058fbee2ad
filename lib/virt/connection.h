// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace rackline::virt {

// A deleter whose parameter is the C function itself: the pointer stays one word wide and cannot be built
// without its function, which unique_ptr<T, decltype(&f)> can.
template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

using Domain = std::unique_ptr<virDomain, Deleter<virDomainFree>>;
using StoragePool = std::unique_ptr<virStoragePool, Deleter<virStoragePoolFree>>;
using StorageVolume = std::unique_ptr<virStorageVol, Deleter<virStorageVolFree>>;
using Snapshot = std::unique_ptr<virDomainSnapshot, Deleter<virDomainSnapshotFree>>;
using CString = std::unique_ptr<char, Deleter<std::free>>;  // the char* that libvirt returns

// A libvirt call that failed. code() is a virErrorNumber and tells a caller that can go on what it was:
// VIR_ERR_NO_DOMAIN (the VM vanished), VIR_ERR_NO_SUPPORT (the driver lacks the call),
// VIR_ERR_OPERATION_ABORTED, ...
class VirtError : public Error {
 public:
  VirtError(Status status, const std::string& attempted, const std::string& object, const std::string& why,
            int code)
      : Error(status, attempted, object, why), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

// The last libvirt error of this thread as an exception to throw; clears it.
VirtError virt_error(Status status, const std::string& attempted, const std::string& object);

// The code of the last libvirt error of this thread (VIR_ERR_OK when there is none).
int last_error_code();

// Whether a failed call may be answered by another one: the driver or the remote side does not have it.
bool is_unsupported(int code);

// Silences libvirt's error handler, registers its default event loop and runs that loop on a thread of its
// own until the process ends. libvirt wants all of this before the first connection and never undone:
// Connection::open calls it, so that only a program that registers events of its own needs to. Idempotent,
// thread-safe.
void start_event_loop();

struct ConnectOptions {
  // libvirt's own keepalive: the connection breaks interval * (count + 1) seconds after the last traffic, and
  // every call that waits on it then fails. Measured: 1 x 2 = 2.9 s, 5 x 5 = 28.9 s after a link went down;
  // without it a call was still waiting after 280 s. An interval of 0 switches it off.
  int keepalive_interval_seconds = 5;
  unsigned keepalive_count = 5;
  bool read_only = false;
};

// An open connection to one hypervisor host. Movable; several threads may call on one connection at the same
// time.
//
// A libvirt call cannot be cancelled, and keepalive starts only when the connection is open: a frozen
// libvirtd whose kernel accepts the TCP connection blocks open() for ever. A program that must go on opens
// through a HostWorker.
class Connection {
 public:
  // Throws VirtError(kUnreachable). Drivers without keepalive (test, local ones) are used without it.
  static Connection open(const std::string& uri, const ConnectOptions& options = {});

  virConnectPtr get() const { return handle_.get(); }
  const std::string& uri() const { return uri_; }

  // False once libvirt has closed the connection (peer gone, keepalive timed out). Does not ask the peer.
  bool alive() const;

  // Asks the peer for the cheapest thing that needs its driver. Throws VirtError(kUnreachable).
  void probe() const;

  // All domains, running or only defined. Throws VirtError(kNo).
  std::vector<Domain> domains(unsigned flags = 0) const;

  // Null when there is none. Throws VirtError(kNo) for any other failure. `uuid` in its text form.
  Domain domain_by_uuid(const std::string& uuid) const;
  Domain domain_by_name(const std::string& name) const;

 private:
  using Handle = std::unique_ptr<virConnect, Deleter<virConnectClose>>;

  Connection(Handle handle, std::string uri, std::shared_ptr<std::atomic<bool>> closed);

  Handle handle_;
  std::string uri_;
  std::shared_ptr<std::atomic<bool>>
      closed_;  // shared with the close callback, which may outlive the connection
};

std::string uuid_of(virDomainPtr domain);

// Parents first; none where the driver knows no snapshots. Throws VirtError(kNo).
std::vector<Snapshot> snapshots_of(virDomainPtr domain);

// `text` of libvirt, owned and copied: "" for null.
std::string take(char* text);

}  // namespace rackline::virt
