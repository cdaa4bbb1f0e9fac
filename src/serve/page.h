// The page of `anemone serve` and the description of its interface, embedded at build time from
// src/serve/page/ (cmake/pages.cmake). Thread rules: constants.
#pragma once

#include <string_view>

namespace anemone::serve::page {

std::string_view Template();
std::string_view Style();
std::string_view Script();
std::string_view OpenApi();

}  // namespace anemone::serve::page
