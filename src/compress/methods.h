// All compression methods (methods.inc). Thread rules: immutable.
#pragma once

#include <span>
#include <string_view>

#include "compress/method.h"

namespace anemone::compress {

std::span<const Method* const> Methods();
// The one that documents call so; null when none does.
const Method* FindMethod(std::string_view config_type);

}  // namespace anemone::compress
