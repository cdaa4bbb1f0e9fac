// A little of JSON for the runtime's line formats. Thread rules: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace anemone::runtime {

// `text` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD: what the system
// or a model's author called something must not make a line unreadable.
std::string JsonString(std::string_view text);

}  // namespace anemone::runtime
