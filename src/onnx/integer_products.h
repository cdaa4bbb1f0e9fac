// Dynamic quantization as quantizers write it: a product of integers, cast to float, times the
// product of two scales. Read as one operator on scaled operands, its weights keep their scale, and
// its sums stay as small as those of the float network, also in half precision. Thread rules: pure
// functions.
#pragma once

#include <string_view>

#include "onnx/model.h"

namespace anemone::onnx {

// Of operators that no file has: those that FuseIntegerProducts makes.
constexpr std::string_view kOwnDomain = "anemone";

//   before                                          after
//     q, s, z = DynamicQuantizeLinear(x)              q, s, z = DynamicQuantizeLinear(x)
//     y = Mul(Cast(MatMulInteger(q, w, z, wz)),       y = MatMulIntegerToFloat(q, w, s, ws, z, wz)
//             Mul(s, ws))
//
// and the same with ConvInteger and a ws of one element (ConvIntegerToFloat of kOwnDomain). Nodes
// that nothing reads any more stay; the importer skips them. False: `graph` is as it was.
bool FuseIntegerProducts(Graph* graph);

}  // namespace anemone::onnx
