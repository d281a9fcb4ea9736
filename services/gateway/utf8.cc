#include "services/gateway/utf8.h"

namespace keyferry::gateway {
namespace {

struct Lead {
  size_t length;
  // What the second byte may be.
  unsigned char low;
  unsigned char high;
};

// Length 0: no sequence begins with this byte.
Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

bool BeginsSequence(std::string_view text, const Lead& lead) {
  if (lead.length == 0 || lead.length > text.size()) return false;
  for (size_t i = 1; i < lead.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return false;
  }
  return true;
}

}  // namespace

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Lead lead = LeadOf(static_cast<unsigned char>(text[at]));
    if (!BeginsSequence(text.substr(at), lead)) return at;
    at += lead.length;
  }
  return std::string_view::npos;
}

}  // namespace keyferry::gateway
