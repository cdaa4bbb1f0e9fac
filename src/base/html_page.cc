#include "base/html_page.h"

namespace anemone {

std::string JsonForScript(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

std::string FillPage(
    std::string_view page_template,
    std::initializer_list<std::pair<std::string_view, std::string_view>> replacements) {
  std::string page(page_template);
  for (const auto& [mark, text] : replacements) {
    const size_t at = page.find(mark);
    if (at != std::string::npos) page.replace(at, mark.size(), text);
  }
  return page;
}

}  // namespace anemone
