// The JSON documents that the command prints with --json and Python returns: how they begin, and
// how they are written; and sizes in the texts for a terminal. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace anemone::facade {

// A document that begins with its schema.
Json Document(const std::string& schema, int version = 1);

// Indented by two, without a line break at the end.
std::string DocumentText(const Json& document);

// "102.3 MB (97.6 MiB)".
std::string SizeText(int64_t bytes);

}  // namespace anemone::facade
