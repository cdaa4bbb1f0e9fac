// quantize and dequantize. Where nothing but dequantize and casts to float read the integers that
// quantize makes, they are kept as whole numbers in float32: then both are a few steps, which join
// the kernels before and after, and no layout is changed for them.
#include <algorithm>

#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

using K = StepKind;

// One scale and zero point for the whole tensor.
struct OneScale {
  float scale = 1;
  float zero = 0;
};

const ir::Literal* KnownScalar(const Specialized& facts, const ir::Operation& operation,
                               std::string_view parameter) {
  const ir::Value* value = operation.Input(parameter);
  const ir::Literal* known = value != nullptr ? facts.values.at(value).known : nullptr;
  return known != nullptr && known->element_count() == 1 ? known : nullptr;
}

bool HasOneScale(const Specialized& facts, const ir::Operation& operation) {
  const bool zero = operation.Input("zero_point") == nullptr ||
                    KnownScalar(facts, operation, "zero_point") != nullptr;
  return zero && KnownScalar(facts, operation, "scale") != nullptr;
}

bool ReadsAsFloat(const Specialized& facts, const ir::Operation& user) {
  if (user.outputs().size() != 1) return false;
  const ir::Type& type = facts.values.at(user.output()).type;
  if (type.is_tensor() && type.has_rank() && user.type() == "cast") return IsFloat(type.dtype());
  return user.type() == "dequantize" && HasOneScale(facts, user);
}

Result<OneScale> ReadScale(Planner& planner, const ir::Operation& operation) {
  OneScale one;
  ANEMONE_ASSIGN(const LiteralRef scale, planner.LiteralOf(operation.Input("scale")));
  one.scale = static_cast<float>(scale->AsDouble().value_or(1));
  if (const ir::Value* value = operation.Input("zero_point"); value != nullptr) {
    ANEMONE_ASSIGN(const LiteralRef zero, planner.LiteralOf(value));
    one.zero = static_cast<float>(zero->AsDouble().value_or(0));
  }
  return one;
}

Result<bool> AddSteps(Planner& planner, const Node& node, std::vector<GroupStep> steps,
                      bool exact) {
  const ir::Value* input = node.operation->Input("input");
  Group* group = planner.Joinable(input, *node.operation);
  if (group != nullptr) {
    planner.Join(*group, *node.operation, std::move(steps));
  } else {
    ANEMONE_ASSIGN(group, OpenElementwise(planner, node, input, planner.LayoutOf(input)));
    group->steps = std::move(steps);
  }
  planner.FinishOperation(*group, exact);
  return true;
}

Result<bool> LowerQuantize(Planner& planner, const Node& node) {
  // The type of the result says whether it is held in float.
  if (!IsFloat32(node.types[0])) return false;
  ANEMONE_ASSIGN(const OneScale one, ReadScale(planner, *node.operation));
  ANEMONE_ASSIGN(const std::string dtype, node.args->String("output_dtype"));
  const bool is_signed = dtype == "int8";
  std::vector<GroupStep> steps = {
      {.step = {.kind = K::kDiv}, .buffer = planner.NewConstant({one.scale})},
      {.step = {.kind = K::kRoundEven}}};
  if (one.zero != 0) {
    steps.push_back({.step = {.kind = K::kLinear, .alpha = 1.0f, .beta = one.zero}});
  }
  steps.push_back({.step = {.kind = K::kSaturate,
                            .alpha = is_signed ? -128.0f : 0.0f,
                            .beta = is_signed ? 127.0f : 255.0f}});
  return AddSteps(planner, node, std::move(steps), true);
}

Result<bool> LowerDequantize(Planner& planner, const Node& node) {
  const ir::Value* input = node.operation->Input("input");
  if (!IsFloat32(planner.TypeOf(input)) || planner.IsKnown(input)) return false;
  ANEMONE_ASSIGN(const OneScale one, ReadScale(planner, *node.operation));
  std::vector<GroupStep> steps;
  if (one.zero != 0) {
    steps.push_back({.step = {.kind = K::kLinear, .alpha = 1.0f, .beta = -one.zero}});
  }
  steps.push_back({.step = {.kind = K::kLinear, .alpha = one.scale}});
  return AddSteps(planner, node, std::move(steps), false);
}

constexpr LoweringEntry kEntries[] = {{"quantize", LowerQuantize}, {"dequantize", LowerDequantize}};

}  // namespace

void HoldIntegersInFloat(Specialized& facts) {
  for (Node& node : facts.nodes) {
    const ir::Operation& operation = *node.operation;
    if (node.interpreted || operation.type() != "quantize" || !HasOneScale(facts, operation))
      continue;
    ValueFacts& result = facts.values.at(operation.output());
    const ir::Type& input = facts.values.at(operation.Input("input")).type;
    if (result.is_output || !IsFloat32(input) || CountOf(result.type) == 0) continue;
    const bool only_floats = std::ranges::all_of(
        result.users, [&](const ir::Operation* user) { return ReadsAsFloat(facts, *user); });
    if (!only_floats) continue;
    result.type = ir::Type::Tensor(DType::kFp32, result.type.shape());
    node.types[0] = result.type;
  }
}

std::span<const LoweringEntry> QuantizeLowerings() { return kEntries; }

}  // namespace anemone::cpu
