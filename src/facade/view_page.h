// The parts of the page of `anemone view`, embedded at build time from src/facade/view_page/ and the
// layout library (cmake/pages.cmake). Thread rules: constants.
#pragma once

#include <string_view>

namespace anemone::facade::view_page {

std::string_view Template();
std::string_view Style();
std::string_view Graph();
std::string_view Script();
// dagre (MIT), minified; empty when the build did not find it: operators then stand in one column.
std::string_view Layout();

}  // namespace anemone::facade::view_page
