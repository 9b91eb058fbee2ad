// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <latch>
#include <map>
#include <thread>

#include "base/fd.h"
#include "virt/pool.h"
#include "virt/stats.h"
#include "virt/worker.h"

namespace rackline::virt {
namespace {

using namespace std::chrono_literals;

// A libvirtd that is frozen: the kernel accepts the connection, and then nothing comes.
class FrozenDaemon {
 public:
  FrozenDaemon() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_.get(), generic, size), 0);
    EXPECT_EQ(listen(socket_.get(), 64), 0);
    EXPECT_EQ(getsockname(socket_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Target target() const { return {"frozen", "qemu+tcp://127.0.0.1:" + std::to_string(port_) + "/system"}; }

 private:
  Fd socket_;
  int port_ = 0;
};

Target good() {
  return {"good", "test:///default"};
}

std::size_t count_vms(const Connection& connection) {
  return connection.domains().size();
}

TEST(Worker, RunsOnItsConnectionAndKeepsIt) {
  HostWorker worker(good(), {});
  EXPECT_EQ(worker.run(count_vms, 5s), 1U);
  const auto handle = [](Connection& connection) { return connection.get(); };
  EXPECT_EQ(worker.run(handle, 5s), worker.run(handle, 5s));
}

TEST(Worker, HandsOnWhatTheWorkThrows) {
  HostWorker worker(good(), {});
  const auto fails = [](Connection&) -> int { throw Error(Status::kBusy, "a", "b", "c"); };
  try {
    worker.run(fails, 5s);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kBusy);
  }
  EXPECT_EQ(worker.run(count_vms, 5s), 1U) << "a failed job must not end the worker";
}

TEST(Worker, SaysWhyItCannotConnect) {
  for (const char* uri : {"qemu+tcp://127.0.0.1:1/system", "nonsense:///", "not a uri"}) {
    HostWorker worker({"h", uri}, {});
    try {
      worker.run(count_vms, 5s);
      FAIL() << uri;
    } catch (const VirtError& error) {
      EXPECT_EQ(error.status(), Status::kUnreachable) << uri;
      EXPECT_NE(error.code(), VIR_ERR_OK) << uri;
      EXPECT_NE(std::string(error.what()).find(uri), std::string::npos);
    }
  }
}

TEST(Worker, AFrozenHostCostsItsCallerTheTimeoutOnly) {
  const FrozenDaemon daemon;
  HostWorker worker(daemon.target(), {});
  for (int i = 0; i < 3; ++i) {
    const auto started = std::chrono::steady_clock::now();
    try {
      worker.run(count_vms, 100ms);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kTimeout);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
  }
}

// A job whose caller gave up before it began must not happen later.
TEST(Worker, ADroppedJobNeverRuns) {
  HostWorker worker(good(), {});
  auto begun = std::make_shared<std::latch>(1);
  auto release = std::make_shared<std::latch>(1);
  auto ran = std::make_shared<std::atomic<bool>>(false);
  auto done = std::make_shared<std::latch>(1);
  worker.submit(
      [begun, release](Connection&) {
        begun->count_down();
        release->wait();
      },
      [](const std::exception_ptr&) {});
  begun->wait();
  Ticket late = worker.submit([ran](Connection&) { *ran = true; }, [](const std::exception_ptr&) {});
  worker.submit([](Connection&) {}, [done](const std::exception_ptr&) { done->count_down(); });
  EXPECT_TRUE(late.drop());
  release->count_down();
  done->wait();
  EXPECT_FALSE(*ran);
}

// A call that hangs is left behind, and the next job gets a thread and a connection of its own.
TEST(Worker, AHungCallDoesNotBlockTheNextJob) {
  HostWorker worker(good(), {});
  auto release = std::make_shared<std::latch>(1);
  EXPECT_THROW(worker.run([release](Connection&) { release->wait(); }, 50ms), Error);
  EXPECT_EQ(worker.run(count_vms, 5s), 1U);
  release->count_down();
}

// But a job whose caller still waits is no hang.
TEST(Worker, AJobThatIsWaitedForIsNotReplaced) {
  HostWorker worker(good(), {});
  auto order = std::make_shared<std::atomic<int>>(0);
  auto begun = std::make_shared<std::latch>(1);
  auto release = std::make_shared<std::latch>(1);
  std::jthread first([&] {
    worker.run(
        [begun, release, order](Connection&) {
          begun->count_down();
          release->wait();
          *order = 1;
        },
        30s);
  });
  begun->wait();
  auto seen = std::make_shared<std::promise<int>>();
  worker.submit([seen, order](Connection&) { seen->set_value(*order); }, [](const std::exception_ptr&) {});
  release->count_down();
  EXPECT_EQ(seen->get_future().get(), 1);
}

TEST(Pool, TheSlowestHostDelaysNoOther) {
  const FrozenDaemon daemon;
  HostPool pool({daemon.target(), good(), {"gone", "qemu+tcp://127.0.0.1:1/system"}, good()}, {});
  std::vector<Question<std::size_t>> questions;
  for (std::size_t i = 0; i < pool.size(); ++i) questions.push_back({i, count_vms, 1500ms});
  std::map<std::size_t, Answer<std::size_t>> answers;
  const bool complete = pool.ask<std::size_t>(std::move(questions), [&](Answer<std::size_t> answer) {
    answers.emplace(answer.host, std::move(answer));
  });
  EXPECT_TRUE(complete);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers.at(0).error.value().status(), Status::kTimeout);
  EXPECT_EQ(answers.at(1).value, 1U);
  EXPECT_EQ(answers.at(2).error.value().status(), Status::kUnreachable);
  EXPECT_EQ(answers.at(3).value, 1U);
  EXPECT_GE(answers.at(0).elapsed, 1500ms);
  for (const std::size_t i : {1U, 2U, 3U}) EXPECT_LT(answers.at(i).elapsed, 1400ms) << i;
}

// Time that the work spends waiting on purpose does not count against the host.
TEST(Pool, APauseProlongsTheTimeout) {
  HostPool pool({good(), good()}, {});
  auto release = std::make_shared<std::latch>(1);
  const auto waits = [release](Connection& connection) {
    release->wait();
    return count_vms(connection);
  };
  std::vector<Question<std::size_t>> questions;
  questions.push_back({0, waits, 50ms, [release] {
                         release->count_down();
                         return Milliseconds{10'000};
                       }});
  questions.push_back({1, waits, 20ms, [] { return Milliseconds{0}; }});
  std::map<std::size_t, bool> answered;
  pool.ask<std::size_t>(std::move(questions), [&](const Answer<std::size_t>& answer) {
    answered[answer.host] = answer.value.has_value();
  });
  EXPECT_TRUE(answered.at(0));
  EXPECT_FALSE(answered.at(1));
}

TEST(Stats, OfTheTestDriver) {
  const Connection connection = Connection::open("test:///default");
  const Reading reading = read_stats(connection);
  ASSERT_EQ(reading.stats.vms.size(), 1U);
  const VmStats& vm = reading.stats.vms[0];
  EXPECT_EQ(vm.name, "test");
  EXPECT_TRUE(vm.active());
  EXPECT_EQ(vm.vcpus, 2);
  EXPECT_EQ(vm.memory_bytes, 2LL << 30);
  EXPECT_EQ(vm.uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
  EXPECT_FALSE(vm.disk_read_bytes) << "the test driver has no block statistics";
  EXPECT_GT(reading.stats.cpus.value(), 0);
  EXPECT_FALSE(reading.stats.memory_free_bytes);
  EXPECT_TRUE(read_chosen(connection, VIR_CONNECT_LIST_DOMAINS_PERSISTENT).contains(vm.uuid));
}

TEST(Stats, AVmThatIsGoneHasNoWishes) {
  const Connection connection = Connection::open("test:///default");
  const Domain vm(virDomainCreateXML(connection.get(),
                                     "<domain type='test'><name>short-lived</name><memory>1024</memory>"
                                     "<os><type>hvm</type></os></domain>",
                                     0));
  ASSERT_NE(vm, nullptr);
  EXPECT_TRUE(read_wishes(vm.get()));
  ASSERT_EQ(virDomainDestroy(vm.get()), 0);
  EXPECT_FALSE(read_wishes(vm.get()));
}

}  // namespace
}  // namespace rackline::virt
