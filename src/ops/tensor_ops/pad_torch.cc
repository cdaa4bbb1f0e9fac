#include "ops/tensor_ops/pad_torch.h"

#include <algorithm>

#include "torch/context.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

std::string_view ListName(const Context& c) { return c.Has("pad") ? "pad" : "padding"; }

// The sizes as ONNX lists them: all before, then all after, of the axes in their order.
std::vector<IntItem> InOrder(const std::vector<IntItem>& pads, int64_t rank) {
  std::vector<IntItem> ordered(2 * static_cast<size_t>(rank));
  for (size_t i = 0; 2 * i + 1 < pads.size(); ++i) {
    const size_t axis = static_cast<size_t>(rank) - 1 - i;
    if (i >= static_cast<size_t>(rank)) break;
    ordered[axis] = pads[2 * i];
    ordered[axis + static_cast<size_t>(rank)] = pads[2 * i + 1];
  }
  return ordered;
}

Status Padded(Context& c, const std::string& mode, double value) {
  const Argument* pads = c.Find(ListName(c));
  if (pads == nullptr) return InvalidInput("it has no padding");
  const int64_t rank = c.Rank("self");
  if (std::ssize(pads->ints) > 2 * rank || pads->ints.size() % 2 != 0)
    return InvalidInput("it pads {} sides of rank {}", pads->ints.size(), rank);
  const Category category = c.OutCategory();
  const Category computed = std::max(category, Category::kInt);
  const std::string x = c.Operand("self", computed);
  const std::string sizes = c.IntVector(InOrder(pads->ints, rank));
  Values inputs = {x, sizes};
  if (mode == "constant") inputs.push_back(c.Constant(value, computed));
  return c.SetAs(0, c.Op("Pad", inputs, {Text("mode", mode)}), computed);
}

}  // namespace

Status EmitConstantPad(Context& c) { return Padded(c, "constant", c.Number("value", 0)); }
Status EmitReflectionPad(Context& c) { return Padded(c, "reflect", 0); }
Status EmitReplicationPad(Context& c) { return Padded(c, "edge", 0); }

// What leaves at one end comes in at the other; negative sizes crop.
Status EmitCircularPad(Context& c) {
  const std::vector<int64_t> pads = c.Ints(ListName(c));
  const int64_t rank = c.Rank("self");
  std::string x = c.Need("self");
  for (size_t i = 0; 2 * i + 1 < pads.size(); ++i) {
    const int64_t axis = rank - 1 - static_cast<int64_t>(i);
    if (axis < 0) return InvalidInput("it pads more axes than rank {}", rank);
    const int64_t size = c.FixedDim("self", axis), before = pads[2 * i], after = pads[2 * i + 1];
    if (before > size || after > size || before + after + size < 1)
      return InvalidInput("padding of {} and {} around {}", before, after, size);
    Values parts;
    if (before > 0) parts.push_back(c.Slice(x, axis, size - before, size));
    const int64_t first = std::max<int64_t>(-before, 0), last = size - std::max<int64_t>(-after, 0);
    parts.push_back(first == 0 && last == size ? x : c.Slice(x, axis, first, last));
    if (after > 0) parts.push_back(c.Slice(x, axis, 0, after));
    x = parts.size() == 1 ? parts[0] : c.Op("Concat", parts, {Int("axis", axis)});
  }
  return c.Set(0, c.Op("Identity", {x}));
}

Status EmitPad(Context& c) {
  const std::string mode = c.Text("mode", "constant");
  if (mode == "constant") return EmitConstantPad(c);
  if (mode == "reflect") return EmitReflectionPad(c);
  if (mode == "replicate") return EmitReplicationPad(c);
  if (mode == "circular") return EmitCircularPad(c);
  return Unsupported("the mode '{}'", mode);
}

}  // namespace anemone::ops::tensor_ops
