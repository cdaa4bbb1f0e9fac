#include "placement/workload.h"

#include <algorithm>

namespace anemone::placement {
namespace {

constexpr double kInt8Bytes = 0.5;  // of those of float16

double PaddedBytes(const ir::Type& type) {
  if (!type.is_tensor() || !type.is_static() || type.rank() == 0) return 0;
  const auto count = type.element_count();
  const auto row = ByteSize(type.dtype(), type.shape().back());
  if (!count || !row || type.shape().back() <= 0) return 0;
  const double rows = static_cast<double>(*count) / static_cast<double>(type.shape().back());
  return rows * static_cast<double>(PaddedRowBytes(static_cast<int64_t>(*row)));
}

struct Traffic {
  double inputs = 0;
  double largest_input = 0;
  double outputs = 0;
};

Traffic TrafficOf(const ir::Operation& operation) {
  Traffic traffic;
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      if (value->is_stored()) continue;
      const double bytes = PaddedBytes(value->type);
      traffic.inputs += bytes;
      traffic.largest_input = std::max(traffic.largest_input, bytes);
    }
  }
  for (const auto& output : operation.outputs()) traffic.outputs += PaddedBytes(output->type);
  return traffic;
}

bool IsDepthwise(const ir::Operation& operation) {
  const ir::Value* weight = operation.Input("weight");
  if (weight == nullptr || !weight->type.is_tensor() || weight->type.rank() < 3) return false;
  const int64_t taps_of_channels =
      operation.type() == "conv" ? weight->type.shape()[1] : weight->type.shape()[0];
  const ir::Value* x = operation.Input("x");
  const bool wide =
      x != nullptr && x->type.is_tensor() && x->type.rank() >= 2 && x->type.shape()[1] > 1;
  return taps_of_channels == 1 && wide;
}

// Both operands come from int8: the weight decompresses from it, the activation was just
// dequantized (W8A8, as the compressor writes it).
bool IsInt8(const ir::Operation& operation) {
  const ir::Value* x = operation.Input("x");
  const ir::Value* weight =
      operation.Input("weight") != nullptr ? operation.Input("weight") : operation.Input("y");
  if (x == nullptr || weight == nullptr || x->producer == nullptr || weight->producer == nullptr)
    return false;
  return x->producer->type() == "dequantize" &&
         (weight->producer->is_constexpr() || weight->producer->type() == "dequantize");
}

}  // namespace

void Workload::Add(const Workload& other) {
  conv_flops += other.conv_flops;
  depthwise_flops += other.depthwise_flops;
  matmul_flops += other.matmul_flops;
  other_flops += other.other_flops;
  int8_flops += other.int8_flops;
  weight_bytes += other.weight_bytes;
  weight_bytes_fp16 += other.weight_bytes_fp16;
  activation_bytes += other.activation_bytes;
  movement_bytes += other.movement_bytes;
  reduction_bytes += other.reduction_bytes;
  operations += other.operations;
}

Workload WorkloadOf(const AnalyzedOp& op, AneFamily family) {
  const ir::Operation& operation = *op.operation;
  const Traffic traffic = TrafficOf(operation);
  const auto flops = static_cast<double>(op.work.flops);
  const double both = traffic.inputs + traffic.outputs;
  Workload work;
  work.weight_bytes = static_cast<double>(op.work.weight_bytes);
  work.weight_bytes_fp16 = 2 * static_cast<double>(op.work.weight_elements);
  work.operations = 1;
  switch (op.placement.work) {
    case WorkKind::kConv:
      (IsDepthwise(operation) ? work.depthwise_flops : work.conv_flops) = flops;
      work.activation_bytes = both;
      break;
    case WorkKind::kMatmul:
      work.matmul_flops = flops;
      work.activation_bytes = both;
      break;
    case WorkKind::kElementwise:
      work.other_flops = flops;
      work.activation_bytes = traffic.inputs - traffic.largest_input;
      work.operations = 0;
      break;
    case WorkKind::kMovement:
      work.movement_bytes = both;
      break;
    case WorkKind::kReduction:
      work.other_flops = flops;
      work.reduction_bytes = both;
      break;
    case WorkKind::kNone:
    case WorkKind::kUnset:
      break;
  }
  if (IsInt8(operation)) {
    work.int8_flops = work.conv_flops + work.matmul_flops;
    if (family >= AneFamily::kH15) work.activation_bytes *= kInt8Bytes;
  }
  return work;
}

}  // namespace anemone::placement
