#include "services/api/set_feed.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// What changes meanwhile is told together.
constexpr absl::Duration kShortestPause = absl::Milliseconds(2);
constexpr int kPausePerWork = 4;
constexpr size_t kNamesPerTurn = 256;

absl::Duration SteadyNow() { return SystemClock().Monotonic(); }

// What this thread has worked: time that it waited for a processor does not count.
absl::Duration Worked() {
  timespec worked{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
  return absl::DurationFromTimespec(worked);
}

SetState StateOf(const SecretSetView& view, Revision row_revision) {
  return {.row_revision = row_revision,
          .readiness = view.status.readiness,
          .observed_generation = view.status.observed_generation,
          .ready_generation = view.status.ready_generation,
          .region_connected = view.region_connected,
          .error_message = view.status.error_message};
}

}  // namespace

SetFeed::SetFeed(const UseCaseDeps& deps, WatchedSets watched, SaySet say)
    : deps_(deps),
      watched_(std::move(watched)),
      say_(std::move(say)),
      log_(std::make_shared<const std::string>(say_(SnapshotComplete{}))) {}

void SetFeed::Join(Reader* reader) {
  absl::MutexLock lock(&mutex_);
  reader->place = log_.Begin();
  reader->first_pass = pass_ + 1;
  readers_.push_back(reader);
}

void SetFeed::Leave(Reader* reader) {
  absl::MutexLock lock(&mutex_);
  std::erase(readers_, reader);
}

void SetFeed::Next(Reader* reader, SetWatch::Done done) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    reader->next = std::move(done);
    // What a turn would find now is newer than what the log has.
    const bool turn_comes = end_.ok() && !reader->cancelled && !scheduled_ && HasNews() && pause_end_ <= SteadyNow();
    if (!turn_comes) Serve(*reader, answers);
    Schedule();
  }
  for (auto& [next, answer] : answers) next(std::move(answer));
}

void SetFeed::Cancel(Reader* reader) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    reader->cancelled = true;
    Serve(*reader, answers);
  }
  for (auto& [next, answer] : answers) next(std::move(answer));
}

bool SetFeed::ended() const {
  absl::MutexLock lock(&mutex_);
  return !end_.ok();
}

void SetFeed::Wake() {
  absl::MutexLock lock(&mutex_);
  Schedule();
}

void SetFeed::Schedule() {
  if (scheduled_ || !end_.ok() || !SomebodyWaits()) return;
  const bool walk = SomebodyWalks();
  if (!walk && !HasNews()) return;
  scheduled_ = true;
  const std::function<void()> turn = [weak = weak_from_this()] {
    if (const std::shared_ptr<SetFeed> self = weak.lock()) self->Turn();
  };
  const absl::Duration left = walk ? absl::ZeroDuration() : pause_end_ - SteadyNow();
  left > absl::ZeroDuration() ? deps_.writer.executor.RunAfter(left, turn) : deps_.writer.executor.Run(turn);
}

bool SetFeed::SomebodyWaits() const {
  return std::any_of(readers_.begin(), readers_.end(), [](const Reader* reader) { return reader->next != nullptr; });
}

bool SetFeed::SomebodyWalks() const {
  return std::any_of(readers_.begin(), readers_.end(),
                     [](const Reader* reader) { return reader->next != nullptr && reader->place.walking; });
}

bool SetFeed::HasNews() const { return in_pass_ || pass_due_ || !missing_.empty() || (rings_ && !rings_->empty()); }

void SetFeed::Turn() {
  Work work = TakeWork();
  const absl::Duration begin = Worked();
  std::vector<Reading> readings;
  const absl::Status read = Read(work, readings);
  if (read.ok()) SayNews(readings);
  const absl::Duration pause = std::max(kShortestPause, kPausePerWork * (Worked() - begin));
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    if (read.ok()) {
      Apply(work, std::move(readings));
    } else {
      end_ = read;
    }
    Serve(answers);
  }
  for (auto& [next, answer] : answers) next(std::move(answer));
  absl::MutexLock lock(&mutex_);
  scheduled_ = false;
  if (!work.walked) pause_end_ = SteadyNow() + pause;
  Schedule();
}

SetFeed::Work SetFeed::TakeWork() {
  absl::MutexLock lock(&mutex_);
  Work work{.walked = SomebodyWalks()};
  if (rings_) {
    SetRings::Rung rung = rings_->Take(kNamesPerTurn);
    work.names = std::move(rung.names);
    pass_due_ |= rung.all;
  }
  work.missing = std::exchange(missing_, {});
  const bool needed = std::any_of(readers_.begin(), readers_.end(), [started = pass_](const Reader* reader) {
    return reader->next != nullptr && reader->place.walking && reader->first_pass > started;
  });
  if (!in_pass_ && (needed || pass_due_)) {
    ++pass_;
    in_pass_ = true;
    pass_due_ = false;
    passed_.clear();
  }
  if (in_pass_) work.page_after = passed_;
  return work;
}

absl::Status SetFeed::Read(Work& work, std::vector<Reading>& readings) {
  RETURN_IF_ERROR(Begin());
  RETURN_IF_ERROR(CheckOrganization());
  RETURN_IF_ERROR(ReadNames(work.names, false, readings));
  if (work.page_after) RETURN_IF_ERROR(ReadPage(work, readings));
  return ReadNames(work.missing, true, readings);
}

// Before anything is read, so that no change falls between.
absl::Status SetFeed::Begin() {
  if (rings_) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOrganization());
  if (!watched_.name.empty()) RETURN_IF_ERROR(CheckSetName(watched_.name));
  auto rings = std::make_unique<SetRings>(deps_.writer.store, deps_.writer.executor, watched_.organization,
                                          watched_.name, [weak = weak_from_this()] {
                                            if (const std::shared_ptr<SetFeed> self = weak.lock()) self->Wake();
                                          });
  {
    absl::MutexLock lock(&mutex_);
    rings_ = std::move(rings);
  }
  WakeRegularly();
  return absl::OkStatus();
}

void SetFeed::WakeRegularly() {
  deps_.writer.executor.RunAfter(kRescanInterval, [weak = weak_from_this()] {
    const std::shared_ptr<SetFeed> self = weak.lock();
    if (!self) return;
    {
      absl::MutexLock lock(&self->mutex_);
      self->pass_due_ = true;
      self->Schedule();
    }
    self->WakeRegularly();
  });
}

// Ends when it is deleted.
absl::Status SetFeed::CheckOrganization() const {
  Transaction reads(deps_.writer.store);
  return ReadOrganization(reads, watched_.organization).status();
}

absl::Status SetFeed::ReadNames(const std::vector<std::string>& names, bool wanted, std::vector<Reading>& readings) {
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::optional<Row> row, deps_.writer.store.Get(keys::SecretSet(watched_.organization, name)));
    ASSIGN_OR_RETURN(Reading reading, ReadRow(name, row));
    reading.wanted = wanted;
    readings.push_back(std::move(reading));
  }
  return absl::OkStatus();
}

absl::Status SetFeed::ReadPage(Work& work, std::vector<Reading>& readings) {
  RowKey begin = Sets();
  if (!work.page_after->empty()) begin.bytes = keys::SecretSet(watched_.organization, *work.page_after).bytes + '\0';
  const std::string end = watched_.name.empty() ? PrefixEnd(Sets().bytes) : Sets().bytes + '\0';
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, deps_.writer.store.Scan(begin, end, kWatchPageSets));
  for (const KeyedRow& row : rows) {
    ASSIGN_OR_RETURN(Reading reading, ReadRow(keys::LastPart(row.key), row.row));
    reading.wanted = work.walked;
    if (reading.view) work.page_names.insert(reading.name);
    readings.push_back(std::move(reading));
  }
  if (rows.size() == kWatchPageSets) work.page_last = readings.back().name;
  return absl::OkStatus();
}

absl::StatusOr<SetFeed::Reading> SetFeed::ReadRow(std::string name, const std::optional<Row>& row) {
  Reading reading{.name = std::move(name)};
  if (!row) return reading;
  ASSIGN_OR_RETURN(SecretSet set, Decode<SecretSet>(row->value));
  if (!watched_.region.empty() && set.region != watched_.region) return reading;
  set.organization = watched_.organization;
  set.name = reading.name;
  // Before the first of its rows is read.
  rings_->WatchRegion(set.region);
  const std::string etag = set.Etag();
  ASSIGN_OR_RETURN(reading.view, CurrentView(deps_, std::move(set)));
  if (!reading.view) return reading;
  if (reading.view->set.Etag() != etag) {
    // Written in between: the row is read anew, with its revision.
    ASSIGN_OR_RETURN(const std::optional<Row> now, deps_.writer.store.Get(keys::SecretSet(watched_.organization, reading.name)));
    return ReadRow(std::move(reading.name), now);
  }
  reading.state = StateOf(*reading.view, row->revision);
  return reading;
}

void SetFeed::SayNews(std::vector<Reading>& readings) {
  {
    absl::MutexLock lock(&mutex_);
    for (Reading& reading : readings)
      reading.news = reading.view && log_.Needs(reading.name, reading.state, reading.wanted);
  }
  for (Reading& reading : readings) {
    if (reading.news) reading.said = std::make_shared<const std::string>(say_(*std::move(reading.view)));
  }
}

void SetFeed::Apply(const Work& work, std::vector<Reading> readings) {
  const auto erase = [this](const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (log_.Has(name)) log_.Erase(name, std::make_shared<const std::string>(say_(SetDeleted{name})));
  };
  for (Reading& reading : readings) {
    if (!reading.view) {
      erase(reading.name);
    } else if (reading.said) {
      log_.Put(reading.name, reading.state, std::move(reading.said));
    }
  }
  if (work.page_after) {
    for (const std::string& name : log_.NamesBetween(*work.page_after, work.page_last)) {
      if (!work.page_names.contains(name)) erase(name);
    }
    in_pass_ = !work.page_last.empty();
    passed_ = work.page_last;
  }
  // Amid a pass there may be some that are gone.
  if (log_.set_count() > (in_pass_ ? 2 : 1) * kMaxWatchedSets) end_ = TooLarge();
}

void SetFeed::Serve(Answers& answers) {
  std::vector<const SetLog::Reader*> places;
  for (Reader* reader : readers_) {
    Serve(*reader, answers);
    places.push_back(&reader->place);
  }
  log_.Sweep(places);
}

void SetFeed::Serve(Reader& reader, Answers& answers) {
  if (!reader.next) return;
  const auto answer = [&](absl::StatusOr<std::vector<Said>> said) {
    answers.emplace_back(std::exchange(reader.next, nullptr), std::move(said));
  };
  if (reader.cancelled) return answer(absl::CancelledError("nobody watches any more"));
  if (!end_.ok()) return answer(end_);
  SetLog::Batch batch = log_.Take(reader.place, LimitOf(reader));
  if (!batch.said.empty()) return answer(std::move(batch.said));
  if (missing_.empty()) missing_ = std::move(batch.missing);
}

std::optional<std::string> SetFeed::LimitOf(const Reader& reader) const {
  const uint64_t completed = in_pass_ ? pass_ - 1 : pass_;
  if (reader.first_pass <= completed) return std::nullopt;
  return reader.first_pass <= pass_ ? passed_ : "";
}

// Without a time to retry after: the same watch would end the same way.
absl::Status SetFeed::TooLarge() const {
  const char* const advice = watched_.region.empty() ? "watch one region or one set" : "watch one set";
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("there are more than ", kMaxWatchedSets, " sets here; trying again is no use, ", advice),
      {.reason = "WATCH_TOO_LARGE", .metadata = {{"limit", absl::StrCat(kMaxWatchedSets)}, {"advice", advice}}});
}

RowKey SetFeed::Sets() const {
  return watched_.name.empty() ? keys::SecretSets(watched_.organization)
                               : keys::SecretSet(watched_.organization, watched_.name);
}

}  // namespace keyferry
