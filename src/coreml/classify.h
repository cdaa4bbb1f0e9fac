// Maps an error of Core ML to a kind of failure. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "exec/failure.h"

namespace anemone::coreml {

// One link of an NSError's chain, or an NSException (domain: its name).
struct Cause {
  std::string_view domain;
  int64_t code = 0;
  std::string_view text;
};

// The kind that `cause` itself shows, or else `stage`, the kind of failures at that stage.
exec::FailureKind Classify(exec::FailureKind stage, const Cause& cause);

}  // namespace anemone::coreml
