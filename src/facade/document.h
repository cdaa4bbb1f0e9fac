// The JSON documents that the command prints with --json and Python returns: how they begin, and
// how they are written. Thread rules: pure functions.
#pragma once

#include <string>

#include "base/json.h"

namespace anemone::facade {

// A document that begins with its schema.
Json Document(const std::string& schema, int version = 1);

// Indented by two, without a line break at the end.
std::string DocumentText(const Json& document);

}  // namespace anemone::facade
