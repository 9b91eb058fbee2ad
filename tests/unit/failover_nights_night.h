// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/state.h"
#include "failover_nights_pipeline.h"
#include "failover_nights_story.h"

namespace rackline::failover::nights {

// A whole night of one cluster, from its seed.
class Night {
 public:
  explicit Night(unsigned seed) : world_(time_, seed) {
    Builder(world_, setup_, agents_, store_).build();
    auto& dice = world_.dice;
    refreshes_ = dice.one_in(2);
    person_ = dice.one_in(3);
    story_.emplace(world_, Story::Pipes{[this](Milliseconds lasts) {
                                          back_at_ = std::max(back_at_, world_.now() + lasts);
                                          gone_ = true;
                                        },
                                        [this](int write) {
                                          if (pipeline_) pipeline_->die_with_write(write);
                                        },
                                        [this](const std::string& host, bool on) { maintenance(host, on); },
                                        [this](const std::string& host) {
                                          return cluster::host_status(store_, host, time_.wall()).serves();
                                        }});
    time_.on_step = [this] { step(); };
    start();
  }

  void run() {
    while (world_.now() < Story::kEnds) turn();
    story_->heal();
    for (const auto& mark : cluster::maintenance_marks(store_)) maintenance(mark.host, false);
    while (world_.now() < Story::kEnds + kPatience && !(quiet() && since_quiet() >= kQuiet)) turn();
  }

  // What is wrong in the end, independent of all that the programs say of themselves but the calls.
  std::vector<std::string> verdict() {
    auto wrong = world_.faults;
    for (const auto& [name, server] : world_.servers) {
      if (in_order(name) || (world_.undetectable && working_places(name) == 1)) continue;
      if (nothing_in_the_way())
        wrong.push_back(name + " does not run, and nothing is in the way: " + words_[name]);
      if (const auto why = nobody_was_called_for(name); !why.empty()) wrong.push_back(why);
    }
    for (const auto& [name, m] : world_.machines) {
      if (world_.works(m) || fenced(name) || called_about(name) || starts_by_itself(m)) continue;
      wrong.push_back(name + " is down in the end, is not fenced, and no person was called");
    }
    return wrong;
  }

  const std::string& story() const { return world_.story; }
  bool all_in_order() const {
    return std::all_of(world_.servers.begin(), world_.servers.end(),
                       [this](const auto& server) { return in_order(server.first); });
  }
  const std::vector<Call>& calls() const { return calls_; }
  const std::map<std::string, std::string>& last_words() const { return words_; }
  bool was_undetectable() const { return world_.undetectable; }
  World& world() { return world_; }

 private:
  static constexpr Milliseconds kPatience{900'000}, kQuiet{30'000};

  void start() {
    world_.tell("the pipeline begins");
    pipeline_ = std::make_unique<Pipeline>(world_, archive_, agents_, setup_, calls_);
  }
  void stop() {
    for (const auto& [vm, why] : pipeline_->last_words()) words_[vm] = why;
    pipeline_.reset();
  }

  // Within any passing of time.
  void step() {
    world_.step();
    if (world_.now() < Story::kEnds) story_->step();
    Pipeline* pipeline = gone_ ? nullptr : pipeline_.get();
    const std::uint64_t challenge = pipeline != nullptr ? pipeline->challenge() : 0;
    for (auto& [name, agent] : agents_) {
      agent.step(
          [&](const heartbeat::Message& beat) {
            return pipeline != nullptr ? pipeline->hear(beat) : std::nullopt;
          },
          challenge);
    }
    if (pipeline != nullptr) pipeline->step();
    if (!quiet()) noise_ = world_.now();
  }

  void turn() {
    time_.pass(NightTime::kStep);
    if (pipeline_ && pipeline_->dead()) {
      gone_ = true;
      back_at_ = std::max(back_at_, world_.now() + world_.dice.time(2000, 20'000));
    }
    if (gone_ && pipeline_) stop();
    if (!pipeline_ && world_.now() >= back_at_) {
      gone_ = false;
      start();
    }
    if (!pipeline_) return;
    pipeline_->turn();
    if (pipeline_->dead() || gone_) return;
    for (const auto& [vm, why] : pipeline_->last_words()) words_[vm] = why;
    person();
  }

  // Who refreshes by a timer, and in some nights repairs what was fenced.
  void person() {
    if (refreshes_ && world_.now() >= next_refresh_) {
      next_refresh_ = world_.now() + Milliseconds{60'000};
      pipeline_->refresh();
    }
    if (pipeline_->dead() || !person_ || world_.now() < next_repair_) return;
    next_repair_ = world_.now() + Milliseconds{15'000};
    for (const auto& mark : cluster::fence_marks(store_)) {
      if (pipeline_->dead() || gone_) return;
      const auto age = world_.time.wall() - mark.time;
      if (mark.state == cluster::FenceMark::State::kFenced) {
        if (age >= std::chrono::seconds{60}) pipeline_->unfence(mark.host);
      } else if (world_.works(world_.machines.at(mark.host))) {
        pipeline_->clear(mark.host);
      }
    }
  }

  void maintenance(const std::string& host, bool on) {
    if (!on) return void(cluster::remove_maintenance(store_, host));
    cluster::MaintenanceMark mark;
    mark.host = host;
    mark.reason = "new fans";
    mark.time = time_.wall();
    cluster::put(store_, mark);
  }

  bool in_order(const std::string& server) const {
    const auto places = world_.places_of(server);
    return places.size() == 1 && world_.works(world_.machines.at(places.front()));
  }
  std::ptrdiff_t working_places(const std::string& server) const {
    const auto places = world_.places_of(server);
    return std::count_if(places.begin(), places.end(), [this](const std::string& place) {
      return world_.works(world_.machines.at(place));
    });
  }
  bool quiet() const { return all_in_order() && !gone_; }
  Milliseconds since_quiet() const { return world_.now() - noise_; }
  bool fenced(const std::string& host) { return cluster::fence_mark(store_, host).has_value(); }
  bool called_about(const std::string& host) const {
    return std::any_of(calls_.begin(), calls_.end(), [&](const Call& call) {
      return call.about == host || call.text.find(host) != std::string::npos;
    });
  }
  bool starts_by_itself(const Machine& m) const { return m.power && !m.hung; }

  // All hosts serve or are proven to be off, there is room, and no fenced host has shown life.
  bool nothing_in_the_way() {
    bool room = false;
    const bool alarm = std::any_of(calls_.begin(), calls_.end(), [](const Call& call) {
      return call.text.find("is marked as fenced and shows life") != std::string::npos;
    });
    if (alarm) return false;
    for (const auto& [name, m] : world_.machines) {
      const auto mark = cluster::fence_mark(store_, name);
      if (mark && mark->state == cluster::FenceMark::State::kFenced && !m.power) continue;
      if (mark || !world_.libvirt_answers(m)) return false;
      room = room || static_cast<std::int64_t>(m.running.size()) < m.memory_gib - 1;
    }
    return room;
  }

  // The last word on it has to say why, and somebody has to have heard it.
  std::string nobody_was_called_for(const std::string& server) {
    const auto places = world_.places_of(server);
    std::string where;
    for (const auto& place : places) where += " " + place;
    const auto known = protected_vm(store_, server);
    const std::string& last = world_.servers.at(server).last;
    const std::string home = places.empty() ? (last.empty() ? known->host : last) : places.front();
    const auto word = words_.find(server);
    const bool named = std::any_of(calls_.begin(), calls_.end(), [&](const Call& call) {
      return call.text.starts_with(server + " is not restarted");
    });
    if (word != words_.end() && !word->second.empty() && named) return {};
    if (!world_.works(world_.machines.at(home)) && !fenced(home) && called_about(home)) return {};
    return server + " runs on [" + where + " ] and its place is " + known->host + ": no person was called";
  }

  NightTime time_;
  World world_;
  store::MemoryStore archive_;
  ProcessStore store_{archive_, std::make_shared<ProcessLife>()};
  Setup setup_;
  std::map<std::string, AgentModel> agents_;
  std::vector<Call> calls_;
  std::map<std::string, std::string> words_;
  std::optional<Story> story_;
  std::unique_ptr<Pipeline> pipeline_;
  bool gone_ = false, refreshes_ = false, person_ = false;
  Milliseconds back_at_{0}, next_refresh_{60'000}, next_repair_{0}, noise_{0};
};

}  // namespace rackline::failover::nights
