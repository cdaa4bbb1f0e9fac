// The parts of lab.html, embedded at build time from src/lab/report/ and the installed Chart.js
// (cmake/pages.cmake). Thread rules: constants.
#pragma once

#include <string_view>

namespace anemone::lab {

std::string_view PageTemplate();
std::string_view PageStyle();
std::string_view PageScript();
// Chart.js (MIT), minified; empty when the build did not find it: the page then shows
// only its tables.
std::string_view ChartLibrary();

}  // namespace anemone::lab
