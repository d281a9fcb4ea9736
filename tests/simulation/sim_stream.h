// One stream of the simulated network, both its ends.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_SIM_STREAM_H_
#define KEYFERRY_TESTS_SIMULATION_SIM_STREAM_H_

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "libs/model/placement.h"
#include "tests/simulation/sim_network.h"

namespace keyferry {

class SimStream final : public SyncStream, public SyncTransport, public std::enable_shared_from_this<SimStream> {
 public:
  SimStream(SimNetwork& network, Process& client, Link& link, Events events);
  void Connect();

  // The provisioner's end.
  void Send(v1::ProvisionerMessage message) override;
  std::vector<v1::ApiMessage> Take() override;
  void FinishSending() override;
  void Cancel() override;
  // The API's end.
  void Send(const v1::ApiMessage& message) override;
  void Finish(absl::Status status) override;

  void Cut(Told told);
  const Link& link() const { return link_; }
  const Process* client() const { return &client_; }
  const Process* server() const { return server_; }
  bool open() const { return !client_done_ || !server_done_; }
  void TellClient(absl::Status status, absl::Duration delay);
  void TellServer(absl::Duration delay);

 private:
  // The end of what one side says.
  struct End {};
  using ToApi = std::variant<v1::ProvisionerMessage, End>;
  using FromApi = std::variant<v1::ApiMessage, absl::Status>;

  void Accept();
  void CarryToApi();
  void CarryFromApi();
  void Arrive(ToApi message);
  void Arrive(FromApi message);
  void ReadNext();
  bool IsReset() const;
  bool Spoil(v1::ApiMessage& message);
  absl::Duration Latency(bool first);
  absl::Duration now() const { return network_.options_.scheduler.now(); }
  void Note(std::string_view who, const google::protobuf::Message& message);

  SimNetwork& network_;
  Process& client_;
  Link& link_;
  Events events_;
  const int number_;
  Process* server_ = nullptr;
  std::shared_ptr<RegionSession> session_;

  std::deque<ToApi> to_api_;
  std::deque<FromApi> from_api_;
  bool carrying_to_api_ = false;
  bool carrying_from_api_ = false;
  bool cut_ = false;
  bool client_done_ = false;
  bool client_told_ = false;
  bool finishing_ = false;
  bool server_done_ = false;
  bool server_told_ = false;
  bool finished_ = false;
  // Arrived at the API, one read at a time.
  std::deque<v1::ProvisionerMessage> heard_;
  bool reading_ = false;
  bool half_closed_ = false;
  // Arrived at the provisioner.
  std::vector<v1::ApiMessage> received_;
  // For a planted bug: what a full resync showed.
  std::set<ObjectId> shown_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIM_STREAM_H_
