// The known names that a misspelled one may have meant. Thread rules: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace anemone {

// Those that few edits turn `name` into (a letter added, left out, changed, or swapped with its
// neighbor; letter case does not count), nearest first, at most `most`. A name that begins or
// continues another counts as near.
std::vector<std::string> NearestNames(std::string_view name,
                                      std::span<const std::string_view> known, size_t most = 3);

// "did you mean 'a' or 'b'?"; "the NOUN are a, b, c" when nothing is near. Empty without any name.
std::string SuggestNames(std::string_view name, std::span<const std::string_view> known,
                         std::string_view noun);

}  // namespace anemone
