#include "base/parse_double.h"

#include <locale.h>
#include <stdlib.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <cmath>
#include <string>

namespace anemone {

std::optional<double> ParseDouble(std::string_view text) {
  // strtod takes more than a number: what it would skip or read otherwise is refused first.
  if (text.empty() || text.front() == '+') return std::nullopt;
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  static const locale_t kCLocale = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string copy(text);  // strtod wants a terminator
  char* end = nullptr;
  const double value = strtod_l(copy.c_str(), &end, kCLocale);
  const bool whole = end == copy.c_str() + copy.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace anemone
