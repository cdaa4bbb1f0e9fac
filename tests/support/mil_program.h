// Programs and models from MIL text, for tests: what cannot be read fails the test that asked. Thread
// rules: test code.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <utility>

#include "ir/model.h"
#include "ir/text.h"

namespace anemone::test {

inline ir::Program ParseProgram(std::string_view text) {
  auto program = ir::ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString() << "\n" << text;
  return program.ok() ? std::move(program).value() : ir::Program();
}

// Null when the text cannot be read.
inline std::shared_ptr<const ir::Model> ParseModel(std::string_view text) {
  auto model = ir::MakeModel(ParseProgram(text));
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return model.ok() ? std::make_shared<const ir::Model>(std::move(model).value()) : nullptr;
}

// How many operations of the main function have that type.
inline int CountOps(const ir::Program& program, std::string_view type) {
  int count = 0;
  ir::ForEachOperation(*program.functions[0]->block,
                       [&](const ir::Operation& op) { count += op.type() == type; });
  return count;
}

}  // namespace anemone::test
