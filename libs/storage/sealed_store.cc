#include "libs/storage/sealed_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

std::string RowContext(const RowKey& key) {
  const char family = static_cast<char>(key.family);
  return JoinParts({"keyferry/row/v1", std::string_view(&family, 1), key.bytes});
}

class SealedStore final : public Store {
 public:
  SealedStore(Store& beneath, BarrierKeys& keys) : beneath_(beneath), keys_(keys) {}

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return beneath_.AcquireWriter(lineage); }

  void CommitAsync(Commit commit, CommitDone done) override {
    for (Mutation& mutation : commit.mutations) {
      if (absl::Status sealed = Seal(mutation); !sealed.ok())
        return Refuse(beneath_, std::move(sealed), std::move(done));
    }
    beneath_.CommitAsync(std::move(commit), std::move(done));
  }

  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    ASSIGN_OR_RETURN(std::optional<Row> row, beneath_.Get(key));
    if (row) RETURN_IF_ERROR(Open(key, row->value));
    return row;
  }

  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    ASSIGN_OR_RETURN(std::vector<KeyedRow> rows, beneath_.Scan(begin, end, limit));
    for (KeyedRow& row : rows) RETURN_IF_ERROR(Open(row.key, row.row.value));
    return rows;
  }

  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return beneath_.Ring(begin, end, std::move(ring));
  }
  Revision Head() const override { return beneath_.Head(); }
  absl::Status Backup(const std::string& directory) override { return beneath_.Backup(directory); }

 private:
  absl::Status Seal(Mutation& mutation) {
    if (!mutation.value || mutation.value->empty()) return absl::OkStatus();
    const std::optional<std::string> owner = keys::BarrierOwner(mutation.key);
    if (!owner) return absl::OkStatus();
    if (mutation.revision_offset != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("row ", Printable(mutation.key), " carries its revision and so no value"));
    }
    const auto key = keys_.OwnerOf(*owner);
    if (absl::IsNotFound(key.status())) return absl::FailedPreconditionError(key.status().message());
    RETURN_IF_ERROR(key.status());
    mutation.value = (*key)->sealer.Seal(*mutation.value, RowContext(mutation.key));
    return absl::OkStatus();
  }

  absl::Status Open(const RowKey& row, std::string& value) const {
    const std::optional<std::string> owner = keys::BarrierOwner(row);
    if (value.empty() || !owner) return absl::OkStatus();
    const auto key = keys_.OwnerOf(*owner);
    if (absl::IsNotFound(key.status()))
      return absl::DataLossError(absl::StrCat("row ", Printable(row), ": ", key.status().message()));
    RETURN_IF_ERROR(key.status());
    auto opened = (*key)->sealer.Open(value, RowContext(row));
    if (!opened.ok()) {
      return absl::DataLossError(absl::StrCat("row ", Printable(row),
                                              " does not open: it is damaged, or belongs to another place; "
                                              "restore a backup"));
    }
    value = *std::move(opened);
    return absl::OkStatus();
  }

  Store& beneath_;
  BarrierKeys& keys_;
};

}  // namespace

std::unique_ptr<Store> NewSealedStore(Store& beneath, BarrierKeys& keys) {
  return std::make_unique<SealedStore>(beneath, keys);
}

}  // namespace keyferry
