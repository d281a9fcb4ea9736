#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace keyferry {
namespace {

constexpr size_t kTailLines = 80;
constexpr absl::Duration kMaxHandover = absl::Microseconds(300);
constexpr absl::Duration kBeside = absl::Milliseconds(1);
// A day like any other: certificates, request ids and audit records need one.
constexpr int64_t kFirstSecond = 1'790'000'000;

Process* current = nullptr;

}  // namespace

uint64_t Random::Next() {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void Trace::Hash(uint64_t value) {
  for (int i = 0; i < 8; ++i, value >>= 8) hash_ = (hash_ ^ (value & 0xff)) * 1099511628211U;
}

void Trace::Note(std::string_view who, std::string_view what) {
  std::string line =
      absl::StrFormat("%11.6f %-14s %s", absl::ToDoubleSeconds(now_), absl::string_view(who.data(), who.size()),
                      absl::string_view(what.data(), what.size()));
  for (const char c : line) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 1099511628211U;
  ++line_count_;
  if (print_) std::printf("%s\n", line.c_str());
  tail_.push_back(std::move(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
}

void Scheduler::After(absl::Duration delay, Process* process, std::function<void()> work) {
  const Key key(now_ + std::max(delay, absl::ZeroDuration()), static_cast<uint32_t>(random_.Next()), ++event_count_);
  events_.emplace(key, Event{process, std::move(work)});
}

bool Scheduler::RunOne() {
  if (events_.empty()) return false;
  const auto first = events_.begin();
  now_ = std::max(now_, std::get<0>(first->first));
  const Key key = first->first;
  Event event = std::move(first->second);
  events_.erase(first);
  if (event.process != nullptr && event.process->alive() && event.process->paused_until() > now_) {
    events_.emplace(Key(event.process->paused_until(), std::get<1>(key), std::get<2>(key)), std::move(event));
    return true;
  }
  Run(std::move(event));
  return true;
}

void Scheduler::Run(Event event) {
  if (event.process != nullptr && !event.process->alive()) return;
  ++step_count_;
  trace_.Hash(static_cast<uint64_t>(absl::ToInt64Nanoseconds(now_)));
  Process* const before = std::exchange(current, event.process);
  try {
    event.work();
  } catch (const ProcessEnded&) {
    if (event.process == nullptr || event.process->alive()) throw;
  }
  current = before;
}

void Scheduler::RunBeside(Process& process, size_t count) {
  for (; count > 0; --count) {
    const auto found = std::find_if(events_.begin(), events_.end(),
                                    [&](const auto& event) { return event.second.process == &process; });
    if (found == events_.end() || std::get<0>(found->first) > now_ + kBeside) return;
    Event event = std::move(found->second);
    events_.erase(found);
    Run(std::move(event));
  }
}

void Process::Run(std::function<void()> work) {
  if (alive_) scheduler_.After(scheduler_.random().Between(absl::ZeroDuration(), kMaxHandover), this, std::move(work));
}

void Process::RunAfter(absl::Duration delay, std::function<void()> work) {
  if (alive_)
    scheduler_.After(delay + scheduler_.random().Between(absl::ZeroDuration(), kMaxHandover), this, std::move(work));
}

absl::Time Process::Now() const { return absl::FromUnixSeconds(kFirstSecond) + scheduler_.now() + wall_error_; }

Process* Process::Current() { return current; }

}  // namespace keyferry
