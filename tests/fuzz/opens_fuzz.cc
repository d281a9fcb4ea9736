// Everything that opens a ciphertext. The first byte chooses what, the others are edits of a genuine one: changed in
// any way it does not open, unchanged it does; bytes of the input alone never open, and a key or context that somebody
// else names does no harm.
#include <array>
#include <functional>
#include <string>

#include "libs/common/testing/fake_clock.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/envelope.h"
#include "libs/crypto/reseal.h"
#include "libs/crypto/sealed_box.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/storage/row_sealer.h"
#include "services/api/backup_keys.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr size_t kManyRegions = 1100;

SecretBytes Key(char byte) { return SecretBytes::Take(std::string(kKeyBytes, byte)); }

std::vector<SecretBytes> TwoKeys() {
  std::vector<SecretBytes> keys;
  keys.push_back(Key('o'));
  keys.push_back(Key('k'));
  return keys;
}

// A genuine ciphertext and what opens it.
struct Lock {
  std::string genuine;
  std::function<bool(std::string_view)> opens;
};

class Locks {
 public:
  Locks() : sender_(SealedBoxSender::Create(clock_)), region_(RegionKey::Generate()), present_(RegionKey::Generate()) {
    AddFrame();
    AddRow();
    AddBox();
    AddProof();
    AddDataKey();
    AddEntry();
    AddEscrow();
    AddOldRow();
    OpenManySenders();
    SealToManyRegions();
  }
  void CheckOthers(std::string_view bytes) {
    const bool has_keys_size = bytes.size() == kKeyBytes;
    const auto box = sender_->Seal(bytes, key_, "context");
    Require(!box.ok() || (has_keys_size && RecipientOf(*box) == SealingKeyId(bytes)), "a box names whom it is for");
    (void)RecipientOf(bytes);
    const auto made = RegionKey::FromPrivate(SecretBytes::Copy(bytes));
    Require(made.ok() == has_keys_size, "a key has its size");
    Require(!ProveSealingKey(region_, bytes, bytes).ok(), "nothing is proved of what the API did not ask");
    // Looks at salt and commitment alone, which are no secret.
    (void)rows_.IsUnderNewest(bytes);
  }
  const Lock& At(uint8_t choice) const { return locks_[choice % locks_.size()]; }

 private:
  void Add(std::string genuine, std::function<bool(std::string_view)> opens) {
    Require(opens(genuine), "a genuine ciphertext opens");
    locks_.push_back({std::move(genuine), std::move(opens)});
  }
  void AddFrame() {
    Add(SealFrame(key_, "value", "place"),
        [this](std::string_view bytes) { return OpenFrame(key_, bytes, "place").ok(); });
  }
  void AddRow() {
    Add(rows_.Seal("value", "place"), [this](std::string_view bytes) { return rows_.Open(bytes, "place").ok(); });
  }
  void AddBox() {
    Add(*sender_->Seal(region_.public_key(), key_, "context"),
        [this](std::string_view bytes) { return region_.OpenBox(bytes, "context").ok(); });
  }
  void AddProof() {
    const std::string context = SealingKeyProofContext("subject");
    const std::string boxes = JoinBoxes(*sender_->Seal(region_.public_key(), key_, context),
                                        *sender_->Seal(present_.public_key(), key_, context));
    Add(boxes, [this, context](std::string_view bytes) {
      std::vector<RegionKey> held;
      held.push_back(*RegionKey::FromPrivate(region_.private_key().Clone()));
      held.push_back(*RegionKey::FromPrivate(present_.private_key().Clone()));
      return ProveSealingKeyChange(held, bytes, context).ok();
    });
    std::vector<RegionKey> next_alone;
    next_alone.push_back(*RegionKey::FromPrivate(region_.private_key().Clone()));
    Require(!ProveSealingKeyChange(next_alone, boxes, context).ok(), "a change takes the present key");
  }
  void AddDataKey() {
    sealed_ = *data_key_.SealToRegion(*sender_, region_.public_key());
    const auto again = SealAgain(sealed_, key_, context_, *sender_, region_.public_key());
    Require(!again.ok(), "what is sealed again is the data key");
    Add(sealed_.region_box, [this](std::string_view bytes) {
      SealedDataKey changed = sealed_;
      changed.region_box = std::string(bytes);
      return OpenedDataKey::Open(region_, context_, changed).ok();
    });
  }
  void AddEntry() {
    entry_ = data_key_.Seal("KEY", key_);
    opened_.emplace(*OpenedDataKey::Open(region_, context_, sealed_));
    Add(entry_.ciphertext, [this](std::string_view bytes) {
      SealedEntry changed = entry_;
      changed.ciphertext = std::string(bytes);
      return opened_->Open(changed).ok();
    });
  }
  void AddEscrow() {
    Add(data_key_.Wrap(key_),
        [this](std::string_view bytes) { return UnwrapDataKey(key_, context_, data_key_.id(), bytes).ok(); });
  }
  void AddOldRow() {
    const std::string row = RowSealer(Key('o'), clock_).Seal("value", "place");
    Require(!rows_.IsUnderNewest(row) && rows_.IsUnderNewest(rows_.Seal("value", "place")),
            "it is known what is under the newest key");
    Add(row, [this](std::string_view bytes) { return rows_.Open(bytes, "place").ok(); });
  }
  void OpenManySenders() const {
    for (size_t i = 0; i <= kMaxAgreedSenders; ++i) {
      const std::string box = *SealedBoxSender::Create(clock_)->Seal(region_.public_key(), key_, "context");
      Require(region_.OpenBox(box, "context").ok(), "each sender's box opens");
    }
    Require(region_.agreed_sender_count() <= kMaxAgreedSenders, "the memory of senders is bounded");
  }

  // More than a sender remembers, twice: those that it forgets because they are old, and those whose time is over.
  void SealToManyRegions() const {
    FakeClock clock;
    const auto sender = SealedBoxSender::Create(clock);
    for (int turn = 0; turn < 2; ++turn, clock.Advance(absl::Minutes(2))) {
      for (size_t i = 0; i < kManyRegions; ++i) {
        Require(sender->Seal(Sha256(std::to_string(i)), key_, "context").ok(), "a value is sealed to every region");
      }
      Require(region_.OpenBox(*sender->Seal(region_.public_key(), key_, "context"), "context").ok(), "and opens there");
    }
  }

  const SecretBytes key_ = Key('k');
  const SealContext context_{"organization", "set"};
  FakeClock clock_;
  const std::unique_ptr<SealedBoxSender> sender_;
  const RegionKey region_;
  const RegionKey present_;
  RowSealer rows_{TwoKeys(), clock_};
  const DataKey data_key_ = DataKey::Create(context_);
  SealedDataKey sealed_;
  SealedEntry entry_;
  std::optional<OpenedDataKey> opened_;
  std::vector<Lock> locks_;
};

// Pairs of place and what is added there; a place past the end appends.
std::string Edit(std::string bytes, std::string_view edits) {
  for (size_t i = 0; i + 1 < edits.size(); i += 2) {
    const size_t place = static_cast<unsigned char>(edits[i]);
    if (place < bytes.size()) {
      bytes[place] = static_cast<char>(bytes[place] ^ edits[i + 1]);
    } else {
      bytes += edits[i + 1];
    }
  }
  // A single byte left over cuts.
  if (edits.size() % 2 == 1)
    bytes.resize(bytes.size() - std::min<size_t>(bytes.size(), static_cast<unsigned char>(edits.back())));
  return bytes;
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const locks = new keyferry::Locks();
  if (size == 0) return 0;
  const keyferry::Lock& lock = locks->At(data[0]);
  const std::string_view rest = keyferry::TextOf(data + 1, size - 1);
  const std::string edited = keyferry::Edit(lock.genuine, rest);
  keyferry::Require(lock.opens(edited) == (edited == lock.genuine), "only what is genuine opens");
  keyferry::Require(!lock.opens(rest), "nobody makes one without a key");
  locks->CheckOthers(rest);
  return 0;
}
