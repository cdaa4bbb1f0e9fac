// Completeness of the op table: what every definition must have, in every family.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "exec/kernel.h"
#include "ir/op_def.h"
#include "ops/ops.h"
#include "test_paths.h"

namespace anemone {
namespace {

// All text tests of all families in one string.
std::string AllTextTests() {
  std::string text;
  const auto root = std::filesystem::path(anemone::test::kSourceDir) / "src" / "ops";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".mil") continue;
    std::ifstream in(entry.path());
    std::stringstream contents;
    contents << in.rdbuf();
    text += contents.str();
  }
  return text;
}

TEST(OpTable, NamesAreUniqueAndSorted) {
  const auto defs = ir::AllOpDefs();
  ASSERT_FALSE(defs.empty());
  for (size_t i = 1; i < defs.size(); ++i) EXPECT_LT(defs[i - 1]->name, defs[i]->name);
}

TEST(OpTable, EveryOperatorIsDocumented) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    EXPECT_TRUE(def->doc.size() > 8 && def->doc.ends_with('.')) << def->name << ": " << def->doc;
    for (const ir::Constraint& constraint : def->constraints) {
      EXPECT_TRUE(constraint.text.size() > 10 && !constraint.label.empty())
          << def->name << ": " << constraint.label;
    }
  }
}

TEST(OpTable, EveryParameterHasADomain) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    std::set<std::string_view> names;
    for (const ir::Param& param : def->params) {
      EXPECT_TRUE(names.insert(param.name).second) << def->name << ": " << param.name;
      EXPECT_FALSE(param.types.empty()) << def->name << ": " << param.name;
      const bool variable = std::ranges::any_of(
          def->domains, [&](const ir::TypeDomain& domain) { return domain.name == param.types; });
      const bool dtype = DTypeFromName(param.types.substr(0, param.types.find(' '))).has_value();
      EXPECT_TRUE(variable || dtype || param.types == "any" || param.types == "list")
          << def->name << ": " << param.name << " is of '" << param.types << "'";
      EXPECT_TRUE(!param.required || (param.default_text.empty() && param.default_fn == nullptr))
          << def->name << ": " << param.name << " is required and has a default";
    }
  }
}

TEST(OpTable, DefaultsParse) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    const ir::OpArgs args(*def, ir::Opset::kIOS18);
    for (const ir::Param& param : def->params) {
      if (param.default_text.empty()) continue;
      EXPECT_NE(args.ValueOf(param.name), nullptr)
          << def->name << ": " << param.name << " = " << param.default_text;
    }
  }
}

TEST(OpTable, EveryOperatorSetsEveryTrait) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    EXPECT_NE(def->traits.run_by, ir::RunBy::kUnset) << def->name;
    EXPECT_NE(def->traits.effects, ir::Effects::kUnset) << def->name;
    EXPECT_NE(def->traits.precision, ir::Precision::kUnset) << def->name;
    EXPECT_NE(def->traits.elements, ir::ElementRule::kUnset) << def->name;
    EXPECT_NE(def->traits.sizes, ir::SizeRule::kUnset) << def->name;
  }
}

TEST(OpTable, WhatRunsAnOperatorIsThere) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    EXPECT_EQ(exec::FindReferenceKernel(def->name) != nullptr,
              def->traits.run_by == ir::RunBy::kKernel)
        << def->name;
    EXPECT_EQ(exec::FindInterpretFn(def->name) != nullptr,
              def->traits.run_by == ir::RunBy::kInterpreter)
        << def->name;
  }
}

// A kernel of an operator without a definition could never run: nothing would find it.
TEST(OpTable, EveryKernelIsOfAnOperator) {
#define ANEMONE_FAMILY(family)                                                  \
  for (const exec::KernelEntry& entry : ops::family::Kernels()) {               \
    EXPECT_NE(ir::FindOpDef(entry.op), nullptr) << entry.op;                    \
    EXPECT_NE(entry.kernel == nullptr, entry.interpret == nullptr) << entry.op; \
  }
#include "ops/families.inc"
#undef ANEMONE_FAMILY
}

TEST(OpTable, EffectsAndPrecisionFitTheParameters) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    // What is folded when the model is loaded has no effects.
    if (def->constexpr_op) {
      EXPECT_TRUE(def->pure()) << def->name;
    }
    for (const ir::Param& param : def->params) {
      if (!param.float32_since) continue;
      // Beside half data: under a type variable of its own, which admits float32.
      EXPECT_NE(param.types, def->params.front().types) << def->name << ": " << param.name;
      EXPECT_TRUE(std::ranges::any_of(def->domains,
                                      [&](const ir::TypeDomain& domain) {
                                        return domain.name == param.types &&
                                               domain.dtypes.find("fp32") != std::string_view::npos;
                                      }))
          << def->name << ": " << param.name;
    }
  }
}

// A family is its folder and its line in families.inc.
TEST(OpTable, EveryFamilyFolderIsListed) {
  std::set<std::string> listed;
#define ANEMONE_FAMILY(family) listed.insert(#family);
#include "ops/families.inc"
#undef ANEMONE_FAMILY
  const auto root = std::filesystem::path(anemone::test::kSourceDir) / "src" / "ops";
  std::set<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (!entry.is_directory()) continue;
    const std::string family = entry.path().filename().string();
    folders.insert(family);
    for (const std::string file : {"def.cc", "kernel.cc", "onnx.cc", "place.cc"}) {
      EXPECT_TRUE(std::filesystem::exists(entry.path() / file)) << family << "/" << file;
    }
    EXPECT_TRUE(std::filesystem::exists(entry.path() / (family + ".mil"))) << family;
  }
  EXPECT_EQ(listed, folders);
}

TEST(OpTable, EveryOperatorAppearsInATextTest) {
  const std::string tests = AllTextTests();
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    const std::string call = std::string(def->name) + "(";
    EXPECT_TRUE(tests.find(" " + call) != std::string::npos) << "no case has " << call;
  }
}

TEST(OpTable, EveryConstraintHasANegativeTest) {
  const std::string tests = AllTextTests();
  std::set<std::string_view> labels;
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    for (const ir::Constraint& constraint : def->constraints) labels.insert(constraint.label);
  }
  for (const std::string_view label : labels) {
    EXPECT_NE(tests.find("error: " + std::string(label) + "\n"), std::string::npos) << label;
  }
}

}  // namespace
}  // namespace anemone
