// The JSON that the runtime's line formats need. Thread rules: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace anemone::runtime {

// `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD, so that a name from the
// system or a model's author cannot make a line unreadable.
std::string JsonString(std::string_view text);

}  // namespace anemone::runtime
