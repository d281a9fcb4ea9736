// Finds the messages of the provisioning stream in what stream_tap.c noted, and prints a JSON line for each, in the
// order in which they were sent or came. usage: stream_reader REGION TAP_DIRECTORY
//
// Of HTTP/2 it knows as much as that takes: DATA frames of those streams whose first message is a Hello. Lines: k
// "prov"; s stream, by process and connection; t CLOCK_MONOTONIC in nanoseconds; d up or down; m the message. Ids and
// hashes are hex.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/crypto/aead.h"
#include "libs/model/object_hash.h"

namespace keyferry {
namespace {

using nlohmann::json;

// As in stream_tap.c.
struct Header {
  uint64_t connection;
  int64_t nanoseconds;
  uint32_t what, bytes;
};
enum Word : uint32_t { kUp = 'u', kDown = 'd', kFreed = 'f', kFailed = 'x' };

constexpr size_t kFrameHeader = 9, kMessageHeader = 5;
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kData = 0, kPadded = 8;

uint64_t Number(const std::string& bytes, size_t at, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number = (number << 8) | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

std::string NameOf(const v1::ObjectId& object) {
  return std::to_string(object.kind()) + "/" + object.organization() + "/" + object.name();
}

// What came of one direction of a connection: whole DATA frames, and of those whole messages, stream by stream.
class Direction {
 public:
  template <typename Found>
  void Take(const std::string& bytes, const Found& found) {
    waiting_ += bytes;
    size_t at = 0;
    if (waiting_.rfind(kPreface, 0) == 0) at = sizeof kPreface - 1;
    while (waiting_.size() >= at + kFrameHeader) {
      const size_t length = Number(waiting_, at, 3);
      if (waiting_.size() < at + kFrameHeader + length) break;
      if (waiting_[at + 3] == kData) TakeData(at, length, found);
      at += kFrameHeader + length;
    }
    waiting_.erase(0, at);
  }

 private:
  template <typename Found>
  void TakeData(size_t at, size_t length, const Found& found) {
    const bool padded = waiting_[at + 4] & kPadded;
    const uint32_t stream = Number(waiting_, at + 5, 4);
    const size_t padding = padded ? static_cast<uint8_t>(waiting_[at + kFrameHeader]) : 0;
    std::string& data = data_[stream];
    data.append(waiting_, at + kFrameHeader + padded, length - padded - padding);
    while (data.size() >= kMessageHeader) {
      const size_t size = Number(data, 1, 4);
      if (data.size() < kMessageHeader + size) return;
      found(stream, data[0] != 0, data.substr(kMessageHeader, size));
      data.erase(0, kMessageHeader + size);
    }
  }

  std::string waiting_;
  std::map<uint32_t, std::string> data_;
};

class Process {
 public:
  Process(std::string region, std::string name) : region_(std::move(region)), name_(std::move(name)) {}

  void Take(const Header& header, const std::string& bytes) {
    Connection& connection = connections_[header.connection];
    if (connection.number == 0) connection.number = ++connection_count_;
    if (header.what == kFreed || header.what == kFailed) {
      for (const uint32_t stream : connection.streams) Print(Line(connection, stream, header, "up", "end"));
      connections_.erase(header.connection);
      return;
    }
    const bool up = header.what == kUp;
    (up ? connection.up : connection.down)
        .Take(bytes, [&](uint32_t stream, bool compressed, const std::string& message) {
          const bool known = std::count(connection.streams.begin(), connection.streams.end(), stream) > 0;
          if (compressed) throw std::runtime_error("compressed messages are not read");
          if (up) return FromProvisioner(connection, stream, known, header, message);
          if (known) FromApi(connection, stream, header, message);
        });
  }

 private:
  struct Connection {
    int number = 0;
    Direction up, down;
    std::vector<uint32_t> streams;
  };

  json Line(const Connection& connection, uint32_t stream, const Header& header, const char* direction,
            const char* message) const {
    return {{"k", "prov"},
            {"region", region_},
            {"s", name_ + "-" + std::to_string(connection.number) + "-" + std::to_string(stream)},
            {"t", header.nanoseconds},
            {"d", direction},
            {"m", message}};
  }
  static void Print(const json& line) { std::puts(line.dump().c_str()); }

  void FromProvisioner(Connection& connection, uint32_t stream, bool known, const Header& header,
                       const std::string& bytes) const;
  void FromApi(const Connection& connection, uint32_t stream, const Header& header, const std::string& bytes) const;

  const std::string region_, name_;
  std::map<uint64_t, Connection> connections_;
  int connection_count_ = 0;
};

void Process::FromProvisioner(Connection& connection, uint32_t stream, bool known, const Header& header,
                              const std::string& bytes) const {
  v1::ProvisionerMessage message;
  const bool parsed = message.ParseFromString(bytes);
  // Another service's call on the same connection.
  if (!known && !(parsed && message.has_hello() && message.hello().protocol_version() == 1)) return;
  json line = Line(connection, stream, header, "up", "other");
  if (message.has_hello()) {
    const v1::Hello& hello = message.hello();
    connection.streams.push_back(stream);
    line.update({{"m", "hello"},
                 {"inc", Hex(hello.target_incarnation())},
                 {"seen", hello.max_revision_seen()},
                 {"objects", hello.max_inflight_objects()},
                 {"bytes", hello.max_inflight_bytes()}});
  } else if (message.has_acks()) {
    line["m"] = "acks";
    for (const v1::Ack& ack : message.acks().acks()) {
      line["acks"].push_back({{"o", NameOf(ack.object())},
                              {"uid", Hex(ack.uid())},
                              {"rev", ack.revision()},
                              {"ready", ack.result() == v1::ACK_RESULT_READY},
                              {"why", ack.error_reason()},
                              {"inc", Hex(ack.target_incarnation())}});
    }
  } else if (message.has_sync_done()) {
    line.update(
        {{"m", "sync_done"}, {"sync", Hex(message.sync_done().sync_id())}, {"swept", message.sync_done().swept()}});
  } else if (message.has_drift()) {
    line.update({{"m", "drift"}, {"count", message.drift().objects_size()}});
  }
  Print(line);
}

json Described(const v1::Event& event) {
  json line = {{"o", NameOf(event.object())},     {"uid", Hex(event.uid())},
               {"rev", event.revision()},         {"op", static_cast<int>(event.operation())},
               {"epoch", event.epoch()},          {"inc", Hex(event.target_incarnation())},
               {"bytes", event.payload().size()}, {"sync", Hex(event.sync_id())}};
  line["hash"] = ObjectHash(
      {static_cast<ObjectKind>(event.object().kind()), event.object().organization(), event.object().name()});
  if (event.operation() != v1::OPERATION_APPLY) return line;
  line["digest_fits"] = Sha256(event.payload()) == event.digest();
  v1::SealedObject sealed;
  if (!sealed.ParseFromString(event.payload())) return line;
  line["gen"] = sealed.generation();
  line["set_uid"] = sealed.secret_set_uid();
  line["set_gen"] = sealed.secret_set_generation();
  line["set"] = sealed.secret_set();
  line["keys"] = json::array();
  for (const v1::SealedEntry& entry : sealed.entries()) line["keys"].push_back(entry.key());
  return line;
}

void Process::FromApi(const Connection& connection, uint32_t stream, const Header& header,
                      const std::string& bytes) const {
  v1::ApiMessage message;
  json line = Line(connection, stream, header, "down", "other");
  if (!message.ParseFromString(bytes)) {
    line["m"] = "garbage";
  } else if (message.has_welcome()) {
    line.update({{"m", "welcome"}, {"head", message.welcome().head_revision()}});
  } else if (message.has_grant()) {
    line.update({{"m", "grant"}, {"epoch", message.grant().epoch()}});
  } else if (message.has_standby()) {
    line["m"] = "standby";
  } else if (message.has_events()) {
    line["m"] = "events";
    for (const v1::Event& event : message.events().events()) line["events"].push_back(Described(event));
  } else if (message.has_sync_begin()) {
    line.update({{"m", "sync_begin"},
                 {"sync", Hex(message.sync_begin().sync_id())},
                 {"as_of", message.sync_begin().as_of_revision()}});
  } else if (message.has_sync_end()) {
    const v1::SyncEnd& end = message.sync_end();
    line.update({{"m", "sync_end"},
                 {"sync", Hex(end.sync_id())},
                 {"as_of", end.as_of_revision()},
                 {"count", end.object_count()},
                 {"hash", end.object_hash()}});
  } else if (message.has_bookmark()) {
    const v1::Bookmark& bookmark = message.bookmark();
    line.update({{"m", "bookmark"},
                 {"head", bookmark.head_revision()},
                 {"floor", bookmark.settled_floor()},
                 {"pending", bookmark.pending_count()}});
  } else if (message.has_drain()) {
    line.update({{"m", "drain"}, {"why", message.drain().reason()}});
  }
  Print(line);
}

void ReadProcess(const std::string& region, const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  Process process(region, path.filename());
  Header header;
  std::string bytes;
  while (file.read(reinterpret_cast<char*>(&header), sizeof header)) {
    bytes.resize(header.bytes);
    if (!file.read(bytes.data(), header.bytes)) return;
    process.Take(header, bytes);
  }
}

int Read(const std::string& region, const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) ReadProcess(region, path);
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("usage: stream_reader REGION TAP_DIRECTORY\n", stderr), 2;
  return keyferry::Read(arguments[1], arguments[2]);
}
