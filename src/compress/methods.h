// All compression methods (methods.inc). Thread rules: immutable.
#pragma once

#include <span>

#include "compress/method.h"

namespace anemone::compress {

std::span<const Method* const> Methods();

}  // namespace anemone::compress
