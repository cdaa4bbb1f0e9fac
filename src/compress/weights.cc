#include "compress/weights.h"

#include <cmath>

#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

// Smaller constants are written into the program itself.
constexpr int64_t kMinElements = 10;

bool MatmulTransposes(const ir::Operation& matmul, std::string_view param) {
  const ir::Value* value = matmul.Input(param);
  return value != nullptr && value->is_const() && value->literal->AsBool().value_or(false);
}

}  // namespace

std::vector<Weight> FindWeights(const passes::Rewriter& rewriter) {
  std::vector<Weight> weights;
  const ir::UseMap uses = ir::FindUses(rewriter.function());
  for (ir::Operation* op : rewriter.operations()) {
    if (!op->is_const()) continue;
    ir::Value* value = op->output();
    const ir::Type& type = value->type;
    const bool is_float =
        type.is_tensor() && (type.dtype() == DType::kFp32 || type.dtype() == DType::kFp16);
    if (!is_float || value->literal->element_count() < kMinElements) continue;
    const auto found = uses.find(value);
    if (found == uses.end()) continue;
    bool eligible = true;
    for (const ir::Use& use : found->second)
      eligible &= use.operation != nullptr && !use.operation->is_constexpr();
    if (eligible) weights.push_back({op, value, found->second});
  }
  return weights;
}

std::string WhyNotFinite(const ir::Literal& literal) {
  const auto name = [&](size_t i, bool infinite) {
    return fmt::format("element {} is {}", i, infinite ? "infinite" : "not a number");
  };
  if (literal.dtype() == DType::kFp16) {
    constexpr uint16_t kMagnitude = 0x7fff;
    constexpr uint16_t kInfinity = 0x7c00;
    if (LargestMagnitude(literal.As<Half>()) < kInfinity) return "";
    const auto bits = literal.As<uint16_t>();
    for (size_t i = 0; i < bits.size(); ++i) {
      if ((bits[i] & kMagnitude) >= kInfinity) return name(i, (bits[i] & kMagnitude) == kInfinity);
    }
    return "";
  }
  constexpr uint32_t kInfinity = 0x7f800000;
  const auto values = literal.As<float>();
  if (LargestMagnitude(values) < kInfinity) return "";
  size_t i = 0;
  while (std::isfinite(values[i])) ++i;
  return name(i, std::isinf(values[i]));
}

Status CheckFinite(const ir::Literal& literal) {
  if (!IsFloat(literal.dtype())) return {};
  const std::string reason = WhyNotFinite(literal);
  if (reason.empty()) return {};
  return InvalidInput("{}", reason);
}

ChannelAxes AxesOf(const Weight& weight) {
  const int rank = weight.value->type.rank();
  ChannelAxes axes;
  bool first = true;
  for (const ir::Use& use : weight.uses) {
    const ir::Operation& op = *use.operation;
    int output = 0;
    int input = 1;
    if (op.type() == "conv_transpose") {
      output = 1;
      input = 0;
    } else if (op.type() == "matmul") {
      const bool right = op.Input("y") == weight.value;
      const bool transposed = MatmulTransposes(op, right ? "transpose_y" : "transpose_x");
      output = right == transposed ? rank - 2 : rank - 1;
      input = right == transposed ? rank - 1 : rank - 2;
    }
    if (first) {
      axes = {output, input};
      first = false;
      continue;
    }
    if (axes.output != output) axes.output.reset();
    if (axes.input != input) axes.input.reset();
  }
  return axes;
}

TensorRecord RecordOf(const Weight& weight) {
  int64_t bytes = 0;
  if (weight.value->is_const()) {
    bytes = static_cast<int64_t>(weight.value->literal->bytes().size());
  } else {  // a constexpr operator: its arguments
    for (const ir::Argument& argument : weight.op->arguments()) {
      for (const ir::Value* value : argument.values)
        if (value->is_const()) bytes += static_cast<int64_t>(value->literal->bytes().size());
    }
  }
  return {.name = weight.value->name,
          .op = weight.uses[0].operation->type(),
          .shape = weight.value->type.shape(),
          .dtype = weight.value->type.dtype(),
          .form = {},
          .reason = {},
          .bytes_before = bytes,
          .bytes_after = bytes};
}

int64_t ConstantBytes(const ir::Function& function) {
  int64_t bytes = 0;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& op) {
    if (!op.is_const() || !op.output()->type.is_tensor() ||
        op.output()->literal->element_count() < kMinElements)
      return;
    bytes += static_cast<int64_t>(op.output()->literal->bytes().size());
  });
  return bytes;
}

}  // namespace anemone::compress
