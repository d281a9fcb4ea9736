// Test vectors out of testing/vectors: lines of words, hex but for the first, `-` for an empty one, `#` for a comment.
#ifndef KEYFERRY_CRYPTO_TESTING_VECTORS_H_
#define KEYFERRY_CRYPTO_TESTING_VECTORS_H_

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"

namespace keyferry {

struct TestVector {
  std::string id;
  std::vector<std::string> fields;
};

inline std::string FromHex(const std::string& hex) { return hex == "-" ? "" : absl::HexStringToBytes(hex); }

// Empty when there is no such file: tests assert that there is something in it.
inline std::vector<TestVector> ReadVectors(const std::string& name) {
  std::ifstream file(std::string(KEYFERRY_VECTORS) + "/" + name);
  std::vector<TestVector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    TestVector vector;
    words >> vector.id;
    for (std::string word; words >> word;) vector.fields.push_back(FromHex(word));
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_TESTING_VECTORS_H_
