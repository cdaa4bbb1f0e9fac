// The list of lowerings: how the planner turns an operation into fast kernels. One file per kind of
// work. Thread rules: pure functions of the planner that they are given.
#pragma once

#include <optional>
#include <string_view>

#include "base/status.h"
#include "cpu/kernels/conv.h"
#include "cpu/planner.h"

namespace anemone::cpu {

// Returns true when it took the operation; false leaves it to the reference kernel. Must decide
// before it changes the planner.
using Lowering = Result<bool> (*)(Planner& planner, const Node& node);

struct LoweringEntry {
  std::string_view operation;
  Lowering lower;
};

std::span<const LoweringEntry> ConvLowerings();         // lower_conv.cc
std::span<const LoweringEntry> LinearLowerings();       // lower_linear.cc
std::span<const LoweringEntry> ElementwiseLowerings();  // lower_elementwise.cc
std::span<const LoweringEntry>
RowLowerings();  // lower_rows.cc: softmax, norms, reductions, pooling
std::span<const LoweringEntry> MoveLowerings();  // lower_move.cc: reshapes, transposes, concat, pad
std::span<const LoweringEntry> SpatialLowerings();    // lower_spatial.cc: pad, slices, resizing
std::span<const LoweringEntry> QuantizeLowerings();   // lower_quantize.cc
std::span<const LoweringEntry> RecurrentLowerings();  // lower_recurrent.cc
std::span<const LoweringEntry> UpdateLowerings();     // lower_state.cc: slice_update
std::span<const LoweringEntry> StateLowerings();      // lower_state.cc; of interpreted operations

// Attention, one of the products. lower_attention.cc
Result<bool> LowerAttention(Planner& planner, const Node& node);
// Gives the result of each quantize that only dequantize and casts to float read the type float32,
// which is what its lowering, and theirs, go by.
void HoldIntegersInFloat(Specialized& facts);
// Products of integers, where `x` is known to be dequantized ones and the weights are integers with a
// scale for each output channel. lower_int8.cc
Result<bool> LowerInt8Conv(Planner& planner, const Node& node, const ConvShape& shape,
                           const ir::Value* x, const ir::Value* weight, const ir::Value* bias);
Result<bool> LowerInt8Product(Planner& planner, const Node& node, const ir::Value* x,
                              const ir::Value* weight, const ir::Value* bias);
// The layout in which `user` would take the integers of its operand `value`, or nothing.
std::optional<Layout> TakesIntegers(const Planner& planner, const ir::Operation& user,
                                    const ir::Value* value);
// Opens a group that only reads `base`, in `layout`; steps join it. lower_elementwise.cc
Result<Group*> OpenElementwise(Planner& planner, const Node& node, const ir::Value* base,
                               Layout layout);

// The lowering of an operator type, or null.
Lowering FindLowering(std::string_view operation);
// The same among those that read and write states.
Lowering FindStateLowering(std::string_view operation);
// Whether an operation adds steps to the kernel that computes `value`, whatever its other operand
// is: a function of one argument, or arithmetic with a known scalar.
bool IsPlainStep(const Planner& planner, const ir::Operation& operation);
// Whether the operation is arithmetic of two values.
bool IsBinary(const ir::Operation& operation);

}  // namespace anemone::cpu
