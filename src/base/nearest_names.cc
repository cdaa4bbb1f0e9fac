#include "base/nearest_names.h"

#include <fmt/core.h>

#include <algorithm>

namespace anemone {
namespace {

constexpr size_t kLongestName = 100;  // longer ones are not compared: the table would grow

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The number of edits between two names, neighbors swapped counting as one.
size_t EditsBetween(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        edits[i][j] = i + j;
        continue;
      }
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      edits[i][j] = std::min(
          {edits[i - 1][j] + 1, edits[i][j - 1] + 1, edits[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
          Lower(a[i - 2]) == Lower(b[j - 1])) {
        edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

}  // namespace

std::vector<std::string> NearestNames(std::string_view name,
                                      std::span<const std::string_view> known, size_t most) {
  struct Near {
    size_t edits;
    std::string_view name;
  };
  std::vector<Near> found;
  if (name.size() > kLongestName) return {};
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestName) continue;
    const size_t shorter = std::min(name.size(), candidate.size());
    const size_t edits = EditsBetween(name, candidate);
    const bool continues = shorter >= 3 && name.substr(0, shorter) == candidate.substr(0, shorter);
    // One edit in three letters is a slip; more is another word.
    if (edits <= std::max<size_t>(1, shorter / 3) || continues) found.push_back({edits, candidate});
  }
  std::ranges::stable_sort(found, {}, &Near::edits);
  if (found.size() > most) found.resize(most);
  std::vector<std::string> names;
  for (const Near& near : found) names.emplace_back(near.name);
  return names;
}

std::string SuggestNames(std::string_view name, std::span<const std::string_view> known,
                         std::string_view noun) {
  std::string text;
  const std::vector<std::string> nearest = NearestNames(name, known);
  for (size_t i = 0; i < nearest.size(); ++i) {
    text += fmt::format("{}'{}'",
                        i == 0                   ? "did you mean "
                        : i + 1 < nearest.size() ? ", "
                                                 : " or ",
                        nearest[i]);
  }
  if (!nearest.empty()) return text + "?";
  for (const std::string_view candidate : known) {
    text += text.empty() ? fmt::format("the {} are ", noun) : ", ";
    text += candidate;
  }
  return text;
}

}  // namespace anemone
