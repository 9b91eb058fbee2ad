// SPDX-License-Identifier: Apache-2.0
#include "storage/visit.h"

#include <algorithm>
#include <list>
#include <memory>
#include <utility>

#include "base/error.h"

namespace rackline::storage {
namespace {

// More sessions at once would be a load of their own to an array that has a hundred targets.
constexpr std::size_t kAtOnce = 8;

iscsi::Login login_to(const Access& access, const std::string& target) {
  iscsi::Login login = access.login;
  login.target = target;
  return login;
}

class Visit {
 public:
  Visit(const Clock& clock, const Access& access, const std::vector<std::string>& targets,
        const std::function<bool(const LunKey&)>& mapped)
      : clock_(clock),
        access_(access),
        mapped_(mapped),
        loop_(clock),
        waiting_(targets.rbegin(), targets.rend()) {}

  Visited run() {
    loop_.run([this] {
      // Not from within a callback of theirs.
      for (auto stay = stays_.begin(); stay != stays_.end();)
        stay = stay->left ? leave(stay) : std::next(stay);
      while (stays_.size() < kAtOnce && !waiting_.empty()) begin();
      return stays_.empty() || clock_.monotonic() >= access_.deadline;
    });
    for (const Stay& stay : stays_) waiting_.push_back(stay.target);
    for (const std::string& target : waiting_) seen_.lost[target] = {"no answer in time", clock_.monotonic()};
    return std::move(seen_);
  }

 private:
  struct Stay {
    std::string target;
    std::unique_ptr<iscsi::Session> session;
    std::size_t missing = 0;  // LUNs that have not said all
    bool left = false;
  };

  std::list<Stay>::iterator leave(std::list<Stay>::iterator stay) {
    seen_.commands += stay->session->commands();
    return stays_.erase(stay);
  }

  void lose(Stay& stay, const std::string& why) {
    seen_.lost[stay.target] = {why, clock_.monotonic()};
    stay.left = true;
  }

  void begin() {
    Stay& stay = stays_.emplace_back();
    stay.target = std::move(waiting_.back());
    waiting_.pop_back();
    stay.session = std::make_unique<iscsi::Session>(loop_, login_to(access_, stay.target), access_.patience);
    stay.session->open([this, &stay](const std::string& why) {
      if (!why.empty()) return lose(stay, why);
      iscsi::ask_luns(*stay.session, [this, &stay](auto luns, const std::string& reason) {
        if (!luns) return lose(stay, reason);
        stay.missing = luns->size();
        stay.left = luns->empty();
        for (const std::uint16_t lun : *luns) ask(stay, lun);
      });
    });
  }

  void ask(Stay& stay, std::uint16_t lun) {
    iscsi::ask_lun(*stay.session, lun, [this, &stay, lun](iscsi::LunFacts facts) {
      const LunKey key{stay.target, lun};
      if (!facts.lost.empty()) return lose(stay, facts.lost);
      if (facts.device_type != 0) return done(stay);
      LunView& view = seen_.luns[key];
      view.facts = std::move(facts);
      view.asked = clock_.monotonic();
      if (!view.facts.capacity || !mapped_(key)) return done(stay);
      iscsi::ask_mapped(*stay.session, lun, *view.facts.capacity, [this, &stay, key](auto mapped) {
        seen_.luns[key].mapped_bytes = mapped;
        done(stay);
      });
    });
  }

  static void done(Stay& stay) {
    if (--stay.missing == 0) stay.left = true;
  }

  const Clock& clock_;
  const Access& access_;
  const std::function<bool(const LunKey&)>& mapped_;
  iscsi::Loop loop_;
  std::vector<std::string> waiting_;  // the next one last
  std::list<Stay> stays_;
  Visited seen_;
};

}  // namespace

std::vector<std::string> discover(const Clock& clock, const Access& access) {
  iscsi::Loop loop(clock);
  iscsi::Session session(loop, login_to(access, {}), access.patience);
  std::vector<std::string> targets;
  std::string why;
  bool over = false;
  session.open([&](const std::string& lost) {
    why = lost;
    over = !lost.empty();
    if (over) return;
    session.discover([&](std::vector<std::string> found, const std::string& reason) {
      targets = std::move(found);
      why = reason;
      over = true;
    });
  });
  loop.run([&] { return over || clock.monotonic() >= access.deadline; });
  if (!over) throw Error(Status::kTimeout, "ask for the targets", access.login.portal, "no answer in time");
  if (!why.empty()) throw Error(Status::kUnreachable, "ask for the targets", access.login.portal, why);
  return targets;
}

Visited visit(const Clock& clock, const Access& access, const std::vector<std::string>& targets,
              const std::function<bool(const LunKey&)>& mapped) {
  return Visit(clock, access, targets, mapped).run();
}

std::vector<std::chrono::microseconds> probe(const Clock& clock, const Access& access, const LunKey& lun,
                                             const iscsi::Capacity& capacity, int reads,
                                             std::uint64_t round) {
  iscsi::Loop loop(clock);
  iscsi::Session session(loop, login_to(access, lun.iqn), access.patience);
  std::vector<std::chrono::microseconds> times;
  int left = reads;
  const std::uint64_t step = std::max<std::uint64_t>(1, capacity.blocks / static_cast<std::uint64_t>(reads));
  std::function<void()> next = [&] {
    const std::uint64_t block = (static_cast<std::uint64_t>(left) * step + round * 8) % capacity.blocks;
    iscsi::probe(session, lun.number, capacity, block, [&](std::optional<std::chrono::microseconds> time) {
      // What a new session is told first is no answer.
      if (time) times.push_back(*time);
      if (--left > 0 && !session.lost()) return next();
      left = 0;
    });
  };
  session.open([&](const std::string& why) {
    if (why.empty()) return next();
    left = 0;
  });
  loop.run([&] { return left == 0 || clock.monotonic() >= access.deadline; });
  return times;
}

}  // namespace rackline::storage
