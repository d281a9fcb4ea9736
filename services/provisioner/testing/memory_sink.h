// A Sink in memory, which passes sink_conformance. Faults are one-shot and taken in order.
//
// Thread safety: as Sink; the rest by the same thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_MEMORY_SINK_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_MEMORY_SINK_H_

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/provisioner/sink.h"

namespace keyferry {

class MemorySink final : public Sink {
 public:
  using Shown = std::map<std::string, std::string>;

  std::string_view name() const override { return "memory"; }

  absl::Status Apply(const OpenedObject& object) override {
    ++apply_count;
    if (absl::Status fault = Take(apply_faults); !fault.ok()) return fault;
    objects[object.id] = ShownOf(object);
    return absl::OkStatus();
  }

  absl::Status Remove(const ObjectId& id) override {
    if (absl::Status fault = Take(remove_faults); !fault.ok()) return fault;
    objects.erase(id);
    return absl::OkStatus();
  }

  absl::Status Verify(const OpenedObject& object) override {
    if (absl::Status fault = Take(verify_faults); !fault.ok()) return fault;
    const auto shown = objects.find(object.id);
    if (shown == objects.end()) return absl::NotFoundError("not shown");
    return shown->second == ShownOf(object) ? absl::OkStatus() : absl::DataLossError("shown otherwise");
  }

  absl::StatusOr<std::vector<ObjectId>> List() override {
    std::vector<ObjectId> ids;
    for (const auto& [id, shown] : objects) ids.push_back(id);
    return ids;
  }

  std::map<ObjectId, Shown> objects;
  int apply_count = 0;
  std::deque<absl::Status> apply_faults;
  std::deque<absl::Status> verify_faults;
  std::deque<absl::Status> remove_faults;

 private:
  static absl::Status Take(std::deque<absl::Status>& faults) {
    if (faults.empty()) return absl::OkStatus();
    absl::Status fault = std::move(faults.front());
    faults.pop_front();
    return fault;
  }

  static Shown ShownOf(const OpenedObject& object) {
    Shown shown;
    for (const OpenedValue& value : object.values) shown[value.key] = std::string(value.value.Access());
    if (object.pull_credentials)
      shown[".dockerconfigjson"] = std::string(DockerConfigJson(*object.pull_credentials).Access());
    return shown;
  }
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_MEMORY_SINK_H_
