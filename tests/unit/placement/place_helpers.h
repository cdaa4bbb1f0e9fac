// One-operator and small programs for the tests of placement. Thread rules: test code.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "ir/text.h"
#include "placement/analyze.h"
#include "support/mil_program.h"

namespace anemone::placement {

inline const Chip& ChipOrFail(std::string_view name) {
  const auto chip = FindChip(name);
  EXPECT_TRUE(chip.ok()) << chip.status().ToString();
  return chip.ok() ? **chip : AllChips()[0];
}

inline Analysis AnalyzeOnM4(const ir::Program& program) {
  return Analyze(*program.functions[0], ChipOrFail("m4"));
}

inline constexpr std::string_view kImage = "tensor<fp16, [1, 64, 32, 32]> x";

// "func main<ios18>(INPUTS) { BODY } -> (y);"
inline std::string Wrap(std::string_view inputs, std::string_view body) {
  return fmt::format("func main<ios18>({}) {{ {} }} -> (y);", inputs, body);
}

// The placement of the operation that makes `y`.
inline OpPlacement PlaceLast(std::string_view inputs, std::string_view body,
                             std::string_view chip = "m4",
                             FlexibleShapes flexible = FlexibleShapes::kNone) {
  const ir::Program program = test::ParseProgram(Wrap(inputs, body));
  if (program.functions.empty()) return {};
  const ir::Function& function = *program.functions[0];
  const ir::Value* result = function.outputs()[0];
  return Place(*result->producer, function.opset, ChipOrFail(chip), flexible);
}

}  // namespace anemone::placement
