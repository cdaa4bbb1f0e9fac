// PyTorch: sizes as numbers, and numbers taken out of tensors.
#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::shape {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// An int64 scalar.
Status EmitSize(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  if (const auto size = c.Dim("self", axis)) return c.Set(0, c.Int64(*size));
  return c.Set(0, c.Squeeze(c.DimValue("self", axis), {0}));
}

Status EmitCount(Context& c) { return c.Set(0, c.Op("Size", {c.Need("self")})); }

// A number out of a tensor: a scalar of the program, which serves wherever no size is made of it.
Status EmitItem(Context& c) { return c.Set(0, c.Reshape(c.Need("self"), {})); }

constexpr Converter kConverters[] = {
    {.target = "aten.sym_size.int", .emit = EmitSize},
    {.target = "aten.size.int", .emit = EmitSize},
    {.target = "aten.sym_numel.default", .emit = EmitCount},
    {.target = "aten.numel.default", .emit = EmitCount},
    {.target = "aten.item.default", .emit = EmitItem},
    {.target = "aten._local_scalar_dense.default", .emit = EmitItem},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::shape
