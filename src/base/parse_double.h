// Reads a number from text, whatever the locale. std::from_chars would do, but in libc++ (Xcode's,
// and LLVM's before 20) it reads integers only. Thread rules: a pure function.
#pragma once

#include <optional>
#include <string_view>

namespace anemone {

// The double that the whole text writes in decimal ("-1.5e3", ".5"), rounded to the nearest;
// nullopt when the text is anything else (leading spaces and plus signs, hexadecimal, "inf" and
// "nan" included) or too large for a double.
std::optional<double> ParseDouble(std::string_view text);

}  // namespace anemone
