#include "ops/tensor_ops/selection_torch.h"

#include "onnx/integer_products.h"
#include "torch/context.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// The positions [n, rank], which is how Core ML has them too.
Result<std::string> Positions(Context& c, std::string_view name) {
  if (c.Rank(name) == 0) {
    return Unsupported("the positions in a scalar: a result without elements")
        .Advise("use torch.where with three arguments");
  }
  return c.Transpose(c.Op("NonZero", {c.Need(name)}), {1, 0});
}

// The tensor and its mask, broadcast to each other.
struct Masked {
  std::string x, mask;
};
Masked Broadcast(Context& c) {
  std::string x = c.Need("self"), mask = c.Operand("mask", Category::kBool);
  const auto sizes = Context::DimsOf(c.Meta("self")), of_mask = Context::DimsOf(c.Meta("mask"));
  if (!sizes || !of_mask || *sizes != *of_mask) {
    x = c.Op("Expand", {x, c.Op("Shape", {mask})});
    mask = c.Op("Expand", {mask, c.Op("Shape", {x})});
  }
  return {x, mask};
}

}  // namespace

Status EmitPositions(Context& c) {
  ANEMONE_ASSIGN(const std::string positions, Positions(c, "self"));
  return c.Set(0, positions);
}

Status EmitPositionsByAxis(Context& c) {
  const std::string_view name = c.Has("condition") ? "condition" : "self";
  ANEMONE_ASSIGN(const std::string positions, Positions(c, name));
  for (int64_t axis = 0; axis < c.Rank(name); ++axis) {
    const std::string row = c.Op("Gather", {positions, c.Int64(axis)}, {Int("axis", 1)});
    ANEMONE_TRY(c.Set(static_cast<size_t>(axis), row));
  }
  return {};
}

Status EmitMaskedSelect(Context& c) {
  const auto [x, mask] = Broadcast(c);
  return c.Set(0, c.Op("Compress", {c.Reshape(x, {-1}), c.Reshape(mask, {-1})}, {Int("axis", 0)}));
}

Status EmitMaskedScatter(Context& c) {
  const auto [x, mask] = Broadcast(c);
  // How many are true up to each place, itself included. Before the first of them stands 0, and what is
  // read there is not used.
  std::string order = c.Op("CumSum", {c.Reshape(c.Cast(mask, DType::kInt64), {-1}), c.Int64(0)});
  order = c.Op("Max", {c.Op("Sub", {order, c.Int64(1)}), c.Int64(0)});
  const std::string source = c.Reshape(c.Operand("source", c.CategoryOf("self")), {-1});
  std::string values = c.Op("Gather", {source, order}, {Int("axis", 0)});
  values = c.Op("Reshape", {values, c.Op("Shape", {x})});
  return c.Set(0, c.Op("Where", {mask, values, x}));
}

Status EmitPickedBoxes(Context& c) {
  return c.Set(0, c.OpOf(std::string(onnx::kOwnDomain), "PickBoxes",
                         {c.FloatIn("dets"), c.FloatIn("scores")},
                         {Float("iou_threshold", c.Number("iou_threshold", 0.5))}));
}

}  // namespace anemone::ops::tensor_ops
