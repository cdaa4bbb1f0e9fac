// ir::Program to and from the wire format. Internal to src/format.
//
// The two forms differ:
// - Constants bound in place (an argument's value, an attribute of a constexpr_ operation) are
//   operations of type "const" in the IR; writing puts them back where Core ML's compiler expects
//   them.
// - In a file, a name may be used in two sibling blocks, or hide an outer one; in the IR it is
//   unique within the function, so the reader renames the later one.
// - Arguments are in the order of the operator's definition in the IR, sorted by name in a file.
#pragma once

#include "base/status.h"
#include "format/literal_codec.h"
#include "ir/program.h"

namespace anemone::format {

namespace proto {
class Program;
}

// Types are taken as the file declares them, not inferred; ir::Verify compares the two.
Result<ir::Program> DecodeProgram(const proto::Program& wire, WeightFiles& weights);
Status EncodeProgram(const ir::Program& program, const LiteralTarget& target, proto::Program* wire);

}  // namespace anemone::format
