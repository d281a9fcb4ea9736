#include "services/api/call_scope.h"

#include <utility>

namespace keyferry {
namespace {

thread_local std::shared_ptr<const AuditedCall> current;

}  // namespace

CallScope::CallScope(std::shared_ptr<const AuditedCall> call) : before_(std::exchange(current, std::move(call))) {}

CallScope::~CallScope() { current = std::move(before_); }

std::shared_ptr<const AuditedCall> CallScope::Current() { return current; }

}  // namespace keyferry
