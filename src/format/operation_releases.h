// The names that Core ML's compiler gives operators in metadata.json: "Ios16.conv", "Concat". The
// prefix is the release whose definition of the operator is in force at the function's op set; the
// definitions of iOS15 have none, and a capital letter. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "ir/op_def.h"

namespace anemone::format {

struct ReleasedName {
  std::string name;
  // Whether a public compiled model shows this operator with this prefix at this op set. Otherwise
  // the prefix is that of the nearest op set that is known.
  bool seen = false;
};
ReleasedName ReleasedNameOf(std::string_view operation, ir::Opset opset);

}  // namespace anemone::format
