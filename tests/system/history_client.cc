// Many clients that get in each other's way, and a record of what each of them was told. An arena is some clients that call upon one secret
// set and one agent; after some calls they take the next name, and that history is done. Watchers follow each region.
//
// usage: history_client EDGE CA_FILE API_KEY SEED ARENAS CLIENTS CALLS HISTORY_FILE ASKED_FILE ANSWERED_FILE REGION FILES_DIR EPOCH_FILE [...]
// CALLS: of each client, in one history. ASKED_FILE: run, pause or stop; see Control. EPOCH_FILE: see load_client.cc.
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/history_player.h"
#include "tests/system/history_record.h"
#include "tests/system/history_watcher.h"

namespace keyferry {
namespace {

constexpr int kFirstRegion = 11;
// Of so many histories one stays until the end of the campaign.
constexpr int kKeptOneOf = 16;
// Of each region.
constexpr size_t kWatchers = 5;

struct Settings {
  HistoryServer server;
  uint64_t seed;
  int arenas, clients, calls;
  std::vector<HistoryRegion> regions;
};

Settings Parse(int count, char** arguments) {
  Settings settings;
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ReadHistoryFile(arguments[2]);
  settings.server = {arguments[1], arguments[3], grpc::SslCredentials(options)};
  settings.seed = std::strtoull(arguments[4], nullptr, 10);
  settings.arenas = std::atoi(arguments[5]);
  settings.clients = std::atoi(arguments[6]);
  settings.calls = std::atoi(arguments[7]);
  for (int i = kFirstRegion; i < count; i += 3) settings.regions.push_back({arguments[i], arguments[i + 1], arguments[i + 2]});
  return settings;
}

// Histories one after the other, each by all clients of the arena at once.
void PlayArena(const Settings& settings, int number, HistoryRecord& record, Gate& gate, const std::atomic<bool>& stopped) {
  Arena arena{.region = settings.regions[number % settings.regions.size()]};
  std::vector<std::unique_ptr<HistoryPlayer>> players;
  for (int i = 0; i < settings.clients; ++i) {
    players.push_back(std::make_unique<HistoryPlayer>(number * settings.clients + i, settings.seed, settings.server, arena,
                                                      record, gate));
  }
  std::vector<std::string> kept;
  for (int round = 0; !stopped; ++round) {
    arena.name = "h" + std::to_string(number) + "-" + std::to_string(round);
    arena.unknown = 0;
    std::vector<std::thread> threads;
    for (auto& player : players) {
      threads.emplace_back([&] {
        for (int i = 0; i < settings.calls && !stopped; ++i) player->Step();
      });
    }
    for (std::thread& thread : threads) thread.join();
    const bool keep = round % kKeptOneOf == 0 || stopped;
    players.front()->Close(/*remove=*/!keep);
    if (keep) kept.push_back(arena.name);
  }
  for (const std::string& name : kept) {
    arena.name = name;
    players.front()->Close(/*remove=*/false);
  }
}

void Obey(const Control& control, Gate& gate, std::atomic<bool>& stopped) {
  std::string answered;
  while (!stopped) {
    const std::string asked = control.Asked();
    if (asked == "stop") {
      stopped = true;
      gate.Open();
    } else if (asked == "pause" && answered != "paused") {
      gate.Close();
      control.Answer(answered = "paused");
    } else if (asked == "run" && answered != "running") {
      gate.Open();
      control.Answer(answered = "running");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

int Play(const Settings& settings, HistoryRecord& record, const Control& control) {
  Gate gate;
  std::atomic<bool> stopped = false;
  std::list<HistoryWatcher> watchers;
  std::vector<std::thread> watching, playing;
  for (size_t i = 0; i < kWatchers * settings.regions.size(); ++i) {
    const HistoryRegion& region = settings.regions[i % settings.regions.size()];
    watchers.emplace_back(i, settings.seed, settings.server, region.name, record);
    watching.emplace_back([&watcher = watchers.back()] { watcher.Run(); });
  }
  for (int i = 0; i < settings.arenas; ++i) playing.emplace_back([&, i] { PlayArena(settings, i, record, gate, stopped); });
  Obey(control, gate, stopped);
  for (std::thread& thread : playing) thread.join();
  // What was changed last must reach every watcher.
  std::this_thread::sleep_for(std::chrono::seconds(3));
  for (HistoryWatcher& watcher : watchers) watcher.Stop();
  for (std::thread& thread : watching) thread.join();
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  using namespace keyferry;
  if (count <= kFirstRegion || (count - kFirstRegion) % 3 != 0) {
    return std::fputs("history_client: see its first lines for the arguments\n", stderr), 2;
  }
  HistoryRecord record(arguments[8]);
  return Play(Parse(count, arguments), record, Control(arguments[9], arguments[10]));
}
