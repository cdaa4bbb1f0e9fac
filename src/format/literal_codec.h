// ir::Literal to and from the wire format. Internal to src/format. Pure but for reading and
// planning weight files.
#pragma once

#include "base/status.h"
#include "format/weight_files.h"
#include "format/weight_writer.h"
#include "ir/literal.h"

namespace anemone::format {

namespace proto {
class Value;
}

Result<ir::Literal> DecodeLiteral(const proto::Value& wire, WeightFiles& weights);

// Where a literal's data goes when a model is written.
struct LiteralTarget {
  int32_t spec_version = 6;
  WeightWriter* weights = nullptr;  // null: everything stays in the model file
};
// Whether coremltools, at `spec_version`, would put `literal` into the weight file: ten or more
// elements of an element type that it writes there. Followed exactly, because Core ML's own
// compiler is only known to take that split.
bool BelongsInWeightFile(const ir::Literal& literal, int32_t spec_version);
Status EncodeLiteral(const ir::Literal& literal, const LiteralTarget& target, proto::Value* wire);

}  // namespace anemone::format
