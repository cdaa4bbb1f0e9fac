// Names of the cases of text tests, as gtest wants them: letters, digits and '_'.
#pragma once

#include <cctype>
#include <cstddef>
#include <string>

namespace anemone::test {

// Unique by `index`, the case's place among all of its suite.
inline std::string CaseName(const std::string& file, const std::string& name, size_t index) {
  std::string joined = file + "_" + name;
  for (char& c : joined) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return joined + "_" + std::to_string(index);
}

}  // namespace anemone::test
