// Apple's MIL text, the model.mil of a compiled model, to and from the wire message of a program.
//
//   program(1.0)
//   [buildInfo = dict<tensor<string, []>, tensor<string, []>>({{"coremlc-version", "3500.32.1"}})]
//   {
//       func main<ios16>(tensor<fp16, [4]> x) {
//               tensor<fp16, [4]> y = relu(x = x)[name = tensor<string, []>("y_op")];
//           } -> (y);
//   }
//
// There are two dialects: up to specification version 8, program(1.0) with scalars as tensors of
// rank 0; from 9 on, program(1.3) with plain scalars. Printing gives what Core ML's compiler gives,
// byte for byte; what no public file shows is refused by name, not guessed. Parsing takes both
// dialects and makes the message that a package holds, so that one decoder reads both.
// (ir/text.h has the project's own form of a program, which leaves types out.)
//
// Thread rules: pure functions. Errors: kInvalidInput with line and column for text that breaks the
// grammar; kUnsupported for what is not known to be right.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/compiled_form.h"
#include "format/proto/model.pb.h"
#include "ir/model.h"

namespace anemone::format {

// The flexible inputs of one function by name: the default shape and a range for each dimension, or
// the shapes that are allowed.
struct FlexibleShape {
  ir::Shape default_shape;
  std::vector<ir::SizeRange> ranges;  // empty for enumerated shapes
  std::vector<ir::Shape> enumerated;
};
using FlexibleShapes = std::map<std::string, FlexibleShape>;

// The text of an ML Program. `model` gives the specification version, which chooses the dialect,
// and the description, which has the flexible shapes.
Result<std::string> PrintMilText(const proto::Model& model, const CompilerVersions& versions = {});

struct MilText {
  proto::Program program;
  std::map<std::string, FlexibleShapes> flexible;  // by function; those without are left out
};
Result<MilText> ParseMilText(std::string_view text);

}  // namespace anemone::format
