#include "services/provisioner/testing/sink_conformance.h"

#include <gmock/gmock.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {

OpenedObject Opened(ObjectId id, uint64_t revision, const std::vector<std::pair<std::string, std::string>>& values) {
  OpenedObject object{.id = std::move(id), .revision = revision};
  for (const auto& [key, value] : values) object.values.push_back({.key = key, .value = SecretBytes::Copy(value)});
  return object;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_P(SinkConformance, ShowsWhatWasAppliedByteForByte) {
  const OpenedObject object =
      Opened(SetId("env"), 1, {{"A", "one"}, {"B", ""}, {"C", std::string("\xff\n='\"\\ \x01", 8)}});
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Verify(object), IsOk());
  EXPECT_THAT(sink_.List(), IsOkAndHolds(ElementsAre(SetId("env"))));
}

TEST_P(SinkConformance, ShowsAValueOfTheLargestSize) {
  const OpenedObject object = Opened(SetId("env"), 1, {{"A", std::string(kMaxValueBytes, 'x')}});
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Verify(object), IsOk());
}

TEST_P(SinkConformance, ShowsAnObjectWithoutValues) {
  const OpenedObject object = Opened(AgentId("agent"), 1, {});
  EXPECT_THAT(sink_.Verify(object), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Verify(object), IsOk());
}

TEST_P(SinkConformance, ANewVersionReplacesTheWholeOldOne) {
  const OpenedObject old_object = Opened(SetId("env"), 1, {{"A", "one"}, {"B", "two"}});
  const OpenedObject new_object = Opened(SetId("env"), 2, {{"B", "two"}, {"C", "three"}});
  ASSERT_THAT(sink_.Apply(old_object), IsOk());
  ASSERT_THAT(sink_.Apply(new_object), IsOk());
  EXPECT_THAT(sink_.Verify(new_object), IsOk());
  EXPECT_THAT(sink_.Verify(old_object), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(SinkConformance, TheSameVersionCanBeAppliedAgain) {
  const OpenedObject object = Opened(SetId("env"), 1, {{"A", "one"}});
  ASSERT_THAT(sink_.Apply(object), IsOk());
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Verify(object), IsOk());
}

TEST_P(SinkConformance, VerifySeesEveryKindOfDifference) {
  ASSERT_THAT(sink_.Apply(Opened(SetId("env"), 1, {{"A", "one"}, {"B", "two"}})), IsOk());
  EXPECT_THAT(sink_.Verify(Opened(SetId("env"), 1, {{"A", "one"}, {"B", "twp"}})),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(sink_.Verify(Opened(SetId("env"), 1, {{"A", "one"}, {"B", "two "}})),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(sink_.Verify(Opened(SetId("env"), 1, {{"A", "one"}})), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(sink_.Verify(Opened(SetId("env"), 1, {{"A", "one"}, {"C", "two"}})),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(sink_.Verify(Opened(SetId("env"), 1, {{"A", "one"}, {"B", "two"}, {"C", ""}})),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(SinkConformance, RemoveShowsNothingAnyMoreAndCanBeRepeated) {
  const OpenedObject object = Opened(SetId("env"), 1, {{"A", "one"}});
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Remove(SetId("env")), IsOk());
  EXPECT_THAT(sink_.Verify(object), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(sink_.List(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(sink_.Remove(SetId("env")), IsOk());
}

TEST_P(SinkConformance, KeepsObjectsApartByKindOrganizationAndName) {
  ObjectId other_organization = SetId("name");
  other_organization.organization = "other";
  const std::vector<ObjectId> ids = {SetId("name"), AgentId("name"), other_organization, SetId("name.a")};
  for (const ObjectId& id : ids) ASSERT_THAT(sink_.Apply(Opened(id, 1, {{"A", id.organization + id.name}})), IsOk());
  EXPECT_THAT(sink_.List(), IsOkAndHolds(UnorderedElementsAre(ids[0], ids[1], ids[2], ids[3])));
  ASSERT_THAT(sink_.Remove(ids[0]), IsOk());
  for (size_t i = 1; i < ids.size(); ++i) {
    EXPECT_THAT(sink_.Verify(Opened(ids[i], 1, {{"A", ids[i].organization + ids[i].name}})), IsOk());
  }
}

TEST_P(SinkConformance, ShowsPullCredentialsWithTheValues) {
  OpenedObject object = Opened(AgentId("agent"), 1, {{"A", "one"}});
  object.pull_credentials =
      OpenedPullCredentials{.host = "registry.example/", .auth = SecretBytes::Copy("dXNlcjp0b2tlbg==")};
  ASSERT_THAT(sink_.Apply(object), IsOk());
  EXPECT_THAT(sink_.Verify(object), IsOk());
  EXPECT_THAT(sink_.Verify(Opened(AgentId("agent"), 1, {{"A", "one"}})), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace keyferry
