// The effect of half precision on a model, for `anemone doctor MODEL`.
#pragma once

#include <string>

#include "cli/command.h"

namespace anemone::cli {

struct Float16Flags {
  std::string images;  // a folder; empty: seeded inputs
  int64_t samples = 2;
  bool skip = false;
};
void AddFloat16Flags(Command command, Float16Flags& flags);

// The value of the key "float16"; {"skipped": REASON} for a model that cannot be run on such
// inputs.
Result<Json> Float16Json(const ir::Model& model, const Float16Flags& flags, const Globals& globals);
// Prints it as text on stdout.
void PrintFloat16(const Json& float16);

}  // namespace anemone::cli
