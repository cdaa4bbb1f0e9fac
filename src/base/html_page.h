// Pages that carry their data: a template whose marks are replaced. Thread rules: pure functions.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace anemone {

// JSON as the text of a script element. There "</script" and "<!--" would end or hide it, and JSON
// allows an escape in place of any "<".
std::string JsonForScript(std::string_view json);

// The template with the first occurrence of each mark replaced, in order. Data comes last: it may
// hold any of the marks.
std::string FillPage(
    std::string_view page_template,
    std::initializer_list<std::pair<std::string_view, std::string_view>> replacements);

}  // namespace anemone
