// The text form of a program: a readable dialect of Apple's MIL text. The parser also reads Apple's
// own form where it names no weight file; format/mil_text.h reads the model.mil of a .mlmodelc.
//
//   program(1.0)
//   {
//     func main<ios16>(tensor<fp32, [1, 3, 8, 8]> image) {
//       w = const()[val = tensor<fp32, [4, 3, 1, 1]>(splat 0.5)];
//       y = conv(x = image, weight = w, strides = [2, 2], pad_type = "valid",
//                groups = 1)[name = "stem"];
//       (a, b) = split(x = y, num_splits = 2, axis = 1);
//       z = concat(values = (b, a), axis = 1, interleave = false);
//     } -> (z);
//   }
//
// Apple's form spells a type before each name; ours may leave it out, because it is inferred.
// Constants may be inline:
//   3 (int32)  0.5 (fp32)  fp16(0.5)  true  "same"
//   [1, 2] (int32 tensor)  [0.5, 1.5] (fp32 tensor)
//   tensor<fp16, [2, 2]>([1, 2, 3, 4])  tensor<fp16, [2, 2]>(splat 1.5)
//   tensor<fp32, [64, 3, 7, 7]>(seed 7)
// "seed" gives deterministic values in [-1, 1), for tests. Comments run from // to the end of the
// line. Thread rules: pure functions. Errors: kInvalidInput with line and column.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "ir/program.h"

namespace anemone::ir {

// Parses and infers types; the result passes Verify.
Result<Program> ParseText(std::string_view text);
// Parses one literal, such as a parameter's default. Untyped floats get `float_dtype`.
Result<Literal> ParseLiteral(std::string_view text, DType float_dtype = DType::kFp32);

struct PrintOptions {
  // Constants of at most this many elements are printed inline; larger ones as const operations.
  int64_t inline_elements = 8;
  // Tensors of more than this many elements are printed as a summary with a hash, which does not
  // parse back.
  int64_t value_elements = INT64_MAX;
};
std::string PrintText(const Program& program, const PrintOptions& options = {});
std::string PrintText(const Function& function, const PrintOptions& options = {});
std::string PrintLiteral(const Literal& literal, int64_t value_elements = INT64_MAX);

}  // namespace anemone::ir
