// What follows from an owner's keys while they change: escrowed data keys, wrapping by another root key, stores of
// before.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "libs/storage/barrier.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

class KeyHierarchyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(Keyring::Create(keyring_path_, {KeyPurpose::kRoot}), IsOk());
    root_keys_ = KeyringRootKeys::Create(*Keyring::Load(keyring_path_, ""));
    term_ = *memory_->AcquireWriter(Lineage::kKeep);
    Restart();
    for (const char* name : {"acme", "rival"}) {
      ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey(name)}}),
                  IsOk());
      ASSERT_THAT(Put(keys::Organization(name), Encode(OrganizationRow{.uid = absl::StrCat(name, "-uid")})), IsOk());
    }
  }
  void Restart() { barrier_ = *Barrier::Open(*memory_, *root_keys_, term_); }

  absl::StatusOr<Revision> Put(const RowKey& key, const std::string& value) {
    return CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = key, .value = value}}});
  }
  template <typename T>
  T Read(const RowKey& key) {
    return *Decode<T>((**barrier_->store().Get(key)).value);
  }
  Revision RevisionOf(const RowKey& key) { return (**memory_->Get(key)).revision; }
  SecretBytes BarrierKeyOf(const std::string& owner) {
    return (*barrier_->KeysOf(owner))->derived.back().barrier.Clone();
  }

  EscrowedKey Escrow(const DataKey& data_key) {
    return {.data_key_id = data_key.id(), .wrapped_key = data_key.Wrap((*barrier_->KeysOf("acme"))->escrow())};
  }
  // Opens under the newest escrow key and no other.
  bool IsUnderNewest(const EscrowedKey& key, const SealContext& context) {
    return UnwrapDataKey((*barrier_->KeysOf("acme"))->escrow(), context, key.data_key_id, key.wrapped_key).ok();
  }
  absl::Status ResealAll(const std::string& owner) {
    for (std::optional<ResealCursor> at = ResealCursor(); at;) {
      const auto step = barrier_->Reseal(owner, *at, 2, term_);
      if (!step.ok()) return step.status();
      at = step->next;
    }
    return absl::OkStatus();
  }

  const TempDir directory_;
  const std::string keyring_path_ = directory_.File("keyring");
  const std::unique_ptr<Store> memory_ = NewMemoryStore();
  std::unique_ptr<KeyringRootKeys> root_keys_;
  Term term_;
  std::unique_ptr<Barrier> barrier_;
  const SealContext web_{.organization_uid = "acme-uid", .set_uid = "web-uid"},
      pull_{.organization_uid = "acme-uid", .set_uid = "pull-uid"};
};

TEST_F(KeyHierarchyTest, ResealWrapsTheEscrowedKeysOfGenerationsAndDeploymentsAnew) {
  const RowKey generation = keys::Generation("acme", "web-uid", 7), deployment = keys::Deployment("acme", "bot");
  const DataKey of_web = DataKey::Create(web_), of_pull = DataKey::Create(pull_);
  ASSERT_THAT(Put(generation, Encode(Generation{.sealed_object = "object",
                                                .escrowed_keys = {Escrow(of_web), Escrow(DataKey::Create(web_))}})),
              IsOk());
  ASSERT_THAT(Put(deployment, Encode(Deployment{.secret_set_uid = "web-uid",
                                                .image_pull_secret_uid = "pull-uid",
                                                .sealed_object = "object",
                                                .escrowed_keys = {Escrow(of_pull), Escrow(of_web)}})),
              IsOk());
  const Revision before = RevisionOf(generation);

  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  EXPECT_FALSE(IsUnderNewest(Read<Generation>(generation).escrowed_keys[0], web_));
  EXPECT_THAT((*barrier_->KeysOf("acme"))
                  ->UnwrapDataKey(web_, of_web.id(), Read<Generation>(generation).escrowed_keys[0].wrapped_key),
              IsOk());
  ASSERT_THAT(ResealAll("acme"), IsOk());
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());

  const auto generation_now = Read<Generation>(generation);
  EXPECT_EQ(generation_now.sealed_object, "object");
  for (const EscrowedKey& key : generation_now.escrowed_keys) EXPECT_TRUE(IsUnderNewest(key, web_));
  const auto deployment_now = Read<Deployment>(deployment);
  EXPECT_TRUE(IsUnderNewest(deployment_now.escrowed_keys[0], pull_));
  EXPECT_TRUE(IsUnderNewest(deployment_now.escrowed_keys[1], web_));
  // Who carries a key over from here must read it again.
  EXPECT_GT(RevisionOf(generation), before);
}

TEST_F(KeyHierarchyTest, AnEscrowedKeyThatWasCarriedOverIsFoundUnderANewSealToo) {
  const RowKey next = keys::Generation("acme", "web-uid", 8);
  const EscrowedKey old = Escrow(DataKey::Create(web_));
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  ASSERT_THAT(Put(next, Encode(Generation{.escrowed_keys = {old}})), IsOk());
  ASSERT_THAT(ResealAll("acme"), IsOk());
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_TRUE(IsUnderNewest(Read<Generation>(next).escrowed_keys[0], web_));
}

TEST_F(KeyHierarchyTest, AKeyCannotBeCarriedOverFromARowThatWasMovedMeanwhile) {
  const RowKey from = keys::Generation("acme", "web-uid", 7), to = keys::Generation("acme", "web-uid", 8);
  ASSERT_THAT(Put(from, Encode(Generation{.escrowed_keys = {Escrow(DataKey::Create(web_))}})), IsOk());
  const auto read = **barrier_->store().Get(from);
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  ASSERT_THAT(ResealAll("acme"), IsOk());
  const Commit late{
      .term = term_, .preconditions = {{from, read.revision}}, .mutations = {{.key = to, .value = read.value}}};
  EXPECT_THAT(CommitAndWait(barrier_->store(), late), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
}

TEST_F(KeyHierarchyTest, WhatAWriterWrappedUnderAnOlderKeyDoesNotArriveWhenItPinsTheKeyRow) {
  const auto key_row = **barrier_->store().Get(keys::WrappedKey("acme"));
  const EscrowedKey old = Escrow(DataKey::Create(web_));
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  const Commit late{.term = term_,
                    .preconditions = {{keys::WrappedKey("acme"), key_row.revision}},
                    .mutations = {{.key = keys::Generation("acme", "web-uid", 1),
                                   .value = Encode(Generation{.escrowed_keys = {old}})}}};
  EXPECT_THAT(CommitAndWait(barrier_->store(), late), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
}

TEST_F(KeyHierarchyTest, AnEscrowedKeyOfAnotherSetStopsReseal) {
  ASSERT_THAT(Put(keys::Generation("acme", "web-uid", 1),
                  Encode(Generation{.escrowed_keys = {Escrow(DataKey::Create(pull_))}})),
              IsOk());
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  EXPECT_THAT(ResealAll("acme"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(KeyHierarchyTest, RewrapMovesEveryOwnerToTheCurrentRootAndTheOldOneCanGo) {
  const std::string old_root = *root_keys_->CurrentId();
  ASSERT_THAT(Put(keys::SecretSet("acme", "web"), "value"), IsOk());
  ASSERT_THAT(barrier_->AddKey("rival", term_), IsOk());
  const SecretBytes before = BarrierKeyOf("acme");
  const std::string sealed = (**memory_->Get(keys::SecretSet("acme", "web"))).value;
  EXPECT_THAT(barrier_->Rewrap("acme", term_), IsOkAndHolds(false));

  ASSERT_THAT(Keyring::AddKey(keyring_path_, KeyPurpose::kRoot), IsOk());
  ASSERT_THAT(root_keys_->Replace(*Keyring::Load(keyring_path_, "")), IsOk());
  const std::vector<std::string> owners = *barrier_->Owners();
  for (const std::string& owner : owners) {
    EXPECT_THAT(barrier_->Rewrap(owner, term_), IsOkAndHolds(true));
    EXPECT_THAT(barrier_->Rewrap(owner, term_), IsOkAndHolds(false));
    const WrappedKeysRow stored = barrier_->StoredKeysOf(owner)->first;
    for (const WrappedKey& key : stored.keys) EXPECT_EQ(key.root_key_id, *root_keys_->CurrentId());
  }
  ASSERT_THAT(Keyring::Retire(keyring_path_, KeyPurpose::kRoot, old_root), IsOk());
  root_keys_ = KeyringRootKeys::Create(*Keyring::Load(keyring_path_, ""));
  Restart();
  EXPECT_TRUE(BarrierKeyOf("acme").Equals(before));
  EXPECT_EQ((*barrier_->KeysOf("rival"))->derived.size(), 2u);
  EXPECT_EQ((**memory_->Get(keys::SecretSet("acme", "web"))).value, sealed);
  EXPECT_EQ((**barrier_->store().Get(keys::SecretSet("acme", "web"))).value, "value");
}

TEST_F(KeyHierarchyTest, AWriterThatARewrapOvertakesNoticesNothing) {
  ASSERT_THAT(barrier_->KeysOf("acme"), IsOk());
  ASSERT_THAT(Keyring::AddKey(keyring_path_, KeyPurpose::kRoot), IsOk());
  ASSERT_THAT(root_keys_->Replace(*Keyring::Load(keyring_path_, "")), IsOk());
  ASSERT_THAT(barrier_->Rewrap("acme", term_), IsOkAndHolds(true));
  EXPECT_THAT(Put(keys::SecretSet("acme", "web"), "value"), IsOk());
}

TEST_F(KeyHierarchyTest, AWrappedKeyOpensOnlyUnderItsNumberAndAtItsOwner) {
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  WrappedKeysRow row = barrier_->StoredKeysOf("acme")->first;
  const auto refused = [&](const std::string& owner, const WrappedKeysRow& stored) {
    ASSERT_THAT(CommitAndWait(*memory_, {.term = term_,
                                         .mutations = {{.key = keys::WrappedKey(owner), .value = Encode(stored)}}}),
                IsOk());
    Restart();
    EXPECT_THAT(barrier_->KeysOf(owner), StatusIs(absl::StatusCode::kDataLoss));
  };
  refused("rival", row);
  WrappedKeysRow renumbered = row;
  renumbered.keys[1].number = 3;
  refused("acme", renumbered);
  WrappedKeysRow swapped = row;
  std::swap(swapped.keys[0].number, swapped.keys[1].number);
  refused("acme", swapped);
}

// Bytes that the first version wrote: root key 00…00, key-encryption key 11…11 of `acme`, one row.
TEST(StoreOfBeforeTest, TheFirstVersionsKeysAndRowsOpen) {
  const TempDir directory;
  const std::string root_id = "5liz4lgzabopvupv4aqu";
  const SecretBytes root(kKeyBytes), key = SecretBytes::Copy(std::string(kKeyBytes, '\x11'));
  const std::string wrapped = SealFrame(root, key.Access(), JoinParts({"keyferry/kek/v1", "acme", root_id}));
  const SecretBytes barrier = HkdfSha256(key.Access(), "", "keyferry/barrier/v1", kKeyBytes);
  const RowKey row = keys::SecretSet("acme", "web");
  const std::string sealed = SealFrame(barrier, "value", JoinParts({"keyferry/row/v1", "\x02", row.bytes}));
  // WrappedKeyRecord of then: root_key_id = 1, wrapped_key = 2, create_time = 3.
  const std::string record =
      absl::StrCat("\x01\x0a\x14", root_id, "\x12", std::string(1, static_cast<char>(wrapped.size() | 0x80)), "\x01",
                   wrapped, "\x1a\x06\x08\x80\xe2\xcf\xaa\x06");

  const std::string body =
      absl::StrCat("keyferry-keyring-v1\nroot current ", root_id, " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  const std::string path = directory.File("keyring");
  FILE* file = fopen(path.c_str(), "wx");
  ASSERT_NE(file, nullptr);
  const std::string text = absl::StrCat(body, "sha256 ", absl::BytesToHexString(Sha256(body)), "\n");
  ASSERT_EQ(fwrite(text.data(), 1, text.size(), file), text.size());
  fclose(file);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);

  const auto store = NewMemoryStore();
  const Term term = *store->AcquireWriter(Lineage::kKeep);
  const auto root_keys = KeyringRootKeys::Create(*Keyring::Load(path, ""));
  const auto opened = *Barrier::Open(*store, *root_keys, term);
  ASSERT_THAT(CommitAndWait(*store, {.term = term,
                                     .mutations = {{.key = keys::WrappedKey("acme"), .value = record},
                                                   {.key = row, .value = sealed}}}),
              IsOk());
  EXPECT_EQ((**opened->store().Get(row)).value, "value");
  const auto derived = *opened->KeysOf("acme");
  EXPECT_TRUE(derived->fingerprint.Equals(HkdfSha256(key.Access(), "", "keyferry/fingerprint/v1", kKeyBytes)));
  EXPECT_TRUE(derived->escrow().Equals(HkdfSha256(key.Access(), "", "keyferry/escrow/v1", kKeyBytes)));
}

}  // namespace
}  // namespace keyferry
