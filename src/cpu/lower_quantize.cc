// quantize and dequantize. Where nothing but dequantize and casts to float read the integers that
// quantize makes, they are kept as whole numbers: in 8 or 16 bits for a product of
// integers (lower_int8.cc), else in float32. Then both are a few steps, which join the kernels before and
// after, and no layout is changed for them.
#include <algorithm>
#include <optional>

#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/int8_tile.h"
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
  const K kind = dtype == "int8" ? K::kQuantizeInt8 : K::kQuantizeUint8;
  std::vector<GroupStep> steps = {{.step = {.kind = kind, .alpha = one.scale, .beta = one.zero}}};
  return AddSteps(planner, node, std::move(steps), true);
}

// Whether the only reader of the dequantized value is arithmetic that joins the kernel of its other
// operand, of which bytes with channels last can be an operand (Planner::BytesOf).
bool IsOperandOfJoined(Planner& planner, const ir::Operation& operation) {
  const ir::Value* value = operation.output();
  const ir::Value* input = operation.Input("input");
  const ir::Type& type = planner.TypeOf(value);
  const auto users = planner.UsersOf(value);
  if (!TakesAllBytes() || users.size() != 1 || !IsBinary(*users[0]) || !HasChannels(type) ||
      planner.Rounds(type) || planner.LayoutOf(input) != Layout::kChannelsLast) {
    return false;
  }
  const ir::Value* x = users[0]->Input("x");
  const ir::Value* other = x == value ? users[0]->Input("y") : x;
  if (other == value || planner.IntegersOf(other) != nullptr) return false;
  const Group* joined = planner.Joinable(other, *users[0]);
  return joined != nullptr && joined->layout == Layout::kChannelsLast &&
         planner.TypeOf(other).shape() == type.shape();
}

// The layout in which some reader of the dequantized value takes its integers.
std::optional<Layout> LayoutForIntegers(Planner& planner, const ir::Operation& operation) {
  for (const std::string_view parameter : {"scale", "zero_point"}) {
    if (!planner.IsFixed(operation.Input(parameter))) return std::nullopt;
  }
  for (const ir::Operation* user : planner.UsersOf(operation.output())) {
    if (const auto layout = TakesIntegers(planner, *user, operation.output())) return layout;
  }
  if (IsOperandOfJoined(planner, operation)) return Layout::kChannelsLast;
  return std::nullopt;
}

// Whether quantize and dequantize keep the sign: around 0, with a scale above 0.
bool KeepsSign(const ir::Operation& operation) {
  const ir::Value* scale = operation.Input("scale");
  return operation.Input("zero_point") == nullptr && scale != nullptr && scale->is_const() &&
         scale->literal->AsDouble().value_or(0) > 0;
}

// Whether no value of the tensor is below 0, as far as its operators say so.
bool IsNonNegative(const ir::Value* value, int depth = 0) {
  constexpr int kDepth = 8;
  const ir::Operation* producer = value->producer;
  if (producer == nullptr || depth > kDepth) return false;
  const auto operand = [&](std::string_view parameter) {
    const ir::Value* input = producer->Input(parameter);
    return input != nullptr && IsNonNegative(input, depth + 1);
  };
  const std::string& type = producer->type();
  if (type == "relu" || type == "relu6" || type == "sigmoid" || type == "softmax") return true;
  if (type == "add" || type == "mul" || type == "maximum") return operand("x") && operand("y");
  if (type == "max_pool" || type == "avg_pool" || type == "reduce_mean") return operand("x");
  const bool quantizes = type == "quantize" || type == "dequantize";
  return quantizes && KeepsSign(*producer) && operand("input");
}

// How the whole numbers are stored for products.
IntegerForm FormOf(const ir::Value* quantized, float zero) {
  const ir::Operation* quantize = quantized->producer;
  if (quantize == nullptr || quantize->type() != "quantize") return {false, zero};
  const bool is_signed = quantized->type.dtype() == DType::kInt8;
  // From 0 to 127 where they are signed and not negative.
  const bool small = zero == 0 && is_signed && IsNonNegative(quantized);
  if (TakesAllBytes()) return {true, small || !is_signed ? 0.0f : -128.0f};
  return {small && ChooseByteTile() != nullptr, zero};
}

// Keeps the whole numbers for products of integers. Floats are made of them when somebody reads
// floats.
Status KeepIntegers(Planner& planner, const Node& node, const OneScale& one, Layout layout) {
  const ir::Operation& operation = *node.operation;
  const ir::Value* input = operation.Input("input");
  ANEMONE_ASSIGN(IntegerBuffer from, planner.ReadIntegers(input, layout, FormOf(input, one.zero)));
  const float stored_zero = one.zero - from.form.zero;
  planner.SetIntegers(operation.output(), {from, one.scale, static_cast<int>(stored_zero)});
  Group& group = planner.Open(operation, "dequantize", layout);
  group.reads = {from.buffer};
  group.can_store_integers = true;
  group.steps = {{.step = {.kind = K::kLinear, .alpha = one.scale}}};
  from.form.zero = -stored_zero;  // what is scaled
  group.prepare = [self = &group, from]() -> Result<Group::Run> {
    const int64_t count = CountOf(self->type);
    const int64_t columns = self->columns == 0 ? count : self->columns;
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          Elementwise(steps, from.In(frame), out, count / columns, columns, *frame.pool);
          return {};
        });
  };
  planner.FinishOperation(group);
  return {};
}

Result<bool> LowerDequantize(Planner& planner, const Node& node) {
  const ir::Value* input = node.operation->Input("input");
  if (!IsFloat32(planner.TypeOf(input)) || planner.IsKnown(input)) return false;
  ANEMONE_ASSIGN(const OneScale one, ReadScale(planner, *node.operation));
  if (const auto layout = LayoutForIntegers(planner, *node.operation)) {
    ANEMONE_TRY(KeepIntegers(planner, node, one, *layout));
    return true;
  }
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
