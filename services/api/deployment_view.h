// A deployment as answers show it, alone or shared by many answers of one moment.
//
// Thread safety: DeploymentView as a value; SharedDeploymentView from any thread.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_VIEW_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_VIEW_H_

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "libs/model/secret_set.h"
#include "services/api/placements.h"

namespace keyferry {

inline constexpr absl::Duration kMaxSharedAge = absl::Milliseconds(100);

struct DeploymentView {
  Deployment deployment;
  PlacementStatus status;
  // nullopt: not known.
  std::optional<bool> region_connected;
  // Answers a write that had nothing to do: kRequireSkipUnchanged.
  bool unchanged = false;
};

// A view that many answers share.
class SharedDeploymentView {
 public:
  explicit SharedDeploymentView(DeploymentView view) : view_(std::move(view)) {}

  const DeploymentView& view() const { return view_; }
  // What whoever shows it makes of it, made once. REQUIRES: always of the same type.
  template <typename Shown, typename Make>
  std::shared_ptr<const Shown> ShownBy(Make make) const {
    std::call_once(once_, [&] { shown_ = make(view_); });
    return std::static_pointer_cast<const Shown>(shown_);
  }

 private:
  const DeploymentView view_;
  mutable std::once_flag once_;
  mutable std::shared_ptr<const void> shown_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_VIEW_H_
