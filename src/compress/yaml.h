// YAML (and so JSON) as a JSON value, by libyaml. Plain scalars become null, booleans and numbers as in YAML 1.2's core schema; quoted ones
// are strings. Thread rules: pure functions. Errors: kUsage with line and column; documents that
// nest too deeply or unfold to too much are refused.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace anemone::compress {

Result<Json> ParseYaml(std::string_view text);

}  // namespace anemone::compress
