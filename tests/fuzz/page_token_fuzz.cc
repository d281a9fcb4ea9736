// Page tokens: nobody makes or changes one; one of another listing is refused. And pages: whatever size a client asks
// for, from page to page it is given each object once, in order. The input is a token, and as bytes: the page's size,
// each object's, and names.
#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libs/common/limits.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/paging.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

// No name holds a byte below it.
constexpr char kLeastOfNames = '-';
constexpr size_t kBytesPerUnit = 8 * 1024;
// A listing passes over what ends so.
constexpr char kOfAnotherRegion = '_';

std::shared_ptr<const OrganizationKeys> Keys() {
  static const auto keys = [] {
    auto made = std::make_shared<OrganizationKeys>();
    made->fingerprint = SecretBytes::Take(std::string(32, 'f'));
    return made;
  }();
  return keys;
}

void CheckToken(const std::string& text) {
  const PageTokens tokens(Keys(), "listing"), others(Keys(), "another");
  if (const auto forged = tokens.Parse(text); !text.empty()) RequireCleanError(forged.status(), "INVALID_PAGE_TOKEN");
  const std::string token = tokens.Make(text);
  const auto name = tokens.Parse(token);
  Require(text.empty() || (name.ok() && *name == text), "a token tells the name that it was made for");
  Require(!others.Parse(token).ok(), "a token is good for its own listing alone");
  std::string changed = token;
  const size_t place = text.size() % changed.size();
  changed[place] = static_cast<char>(changed[place] ^ 1);
  const auto of_changed = tokens.Parse(changed);
  Require(!of_changed.ok() || *of_changed == text, "a changed token is refused, or another spelling of the same");
}

std::set<std::string> NamesIn(std::string_view text) {
  std::set<std::string> names;
  std::string name;
  for (const char c : std::string(text) + '\0') {
    if (static_cast<unsigned char>(c) >= kLeastOfNames) {
      name += c;
    } else if (!name.empty()) {
      names.insert(std::exchange(name, ""));
    }
  }
  return names;
}

std::unique_ptr<Store> StoreOf(const std::set<std::string>& names) {
  std::unique_ptr<Store> store = NewMemoryStore();
  Commit commit{.term = *store->AcquireWriter(Lineage::kKeep)};
  for (const std::string& name : names)
    commit.mutations.push_back({.key = keys::Deployment("acme", name), .value = name});
  Require(CommitAndWait(*store, std::move(commit)).ok(), "the rows are written");
  return store;
}

class Listing {
 public:
  Listing(const Store& store, size_t page_size, size_t object_bytes)
      : store_(store), page_size_(page_size), object_bytes_(object_bytes) {}

  // The next page's names; the token of the page behind it into `token`.
  std::vector<std::string> Next(std::string& token) const {
    const PageTokens tokens(Keys(), "listing");
    PageBudget budget(page_size_);
    std::vector<std::string> page;
    const absl::Status visited = VisitRows(store_, keys::Deployments("acme"), *tokens.Parse(token),
                                           [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                                             const std::string name = keys::LastPart(row.key);
                                             if (!budget.Look(row.key)) return false;
                                             if (name.ends_with(kOfAnotherRegion)) return true;
                                             if (!budget.Admit(object_bytes_ + TextBytesOf({name}))) return false;
                                             page.push_back(name);
                                             return true;
                                           });
    Require(visited.ok() && page.size() <= page_size_, "a page holds what was asked for and no more");
    Require(page.size() <= 1 || page.size() * object_bytes_ + TextBytesOf(page) <= kMaxPageBytes,
            "nor more than one message does");
    token = budget.last_name().empty() ? "" : tokens.Make(budget.last_name());
    return page;
  }

 private:
  const Store& store_;
  const size_t page_size_;
  const size_t object_bytes_;
};

void CheckPages(std::string_view text) {
  if (text.size() < 2) return;
  const auto page_size = PageSizeOf(static_cast<signed char>(text[0]));
  if (!page_size.ok()) return RequireCleanError(page_size.status(), "INVALID_PAGE_SIZE");
  const std::set<std::string> names = NamesIn(text.substr(2));
  const std::unique_ptr<Store> store = StoreOf(names);
  const Listing listing(*store, *page_size, static_cast<unsigned char>(text[1]) * kBytesPerUnit);
  std::vector<std::string> listed;
  std::string token;
  for (size_t pages = 0; pages == 0 || !token.empty(); ++pages) {
    Require(pages <= names.size(), "every page gets on");
    for (std::string& name : listing.Next(token)) listed.push_back(std::move(name));
  }
  std::vector<std::string> expected;
  std::ranges::copy_if(names, std::back_inserter(expected),
                       [](const std::string& name) { return !name.ends_with(kOfAnotherRegion); });
  Require(listed == expected, "each object is listed once, in order");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::CheckToken(std::string(text));
  keyferry::CheckPages(text);
  return 0;
}
