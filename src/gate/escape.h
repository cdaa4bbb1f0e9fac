// Makes text from files safe to display. Thread rules: pure functions.
#pragma once

#include <string>

namespace anemone::gate {

// Inside HTML, as text or in a quoted attribute; control characters become blanks.
std::string HtmlText(const std::string& text);

}  // namespace anemone::gate
