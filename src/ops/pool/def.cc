// avg_pool, max_pool and l2_pool: definitions.
#include "ir/spatial.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::pool {
namespace {

Status CheckCeilMode(const ir::Windows& windows) {
  constexpr std::string_view kLabel = "pool_c5";
  if (windows.dims.size() > 2) {
    return Violates(kLabel, "ceil_mode over {} spatial dimensions", windows.dims.size());
  }
  if (windows.pad_type == ir::PadType::kSame)
    return Violates(kLabel, "ceil_mode with pad_type same");
  for (const ir::WindowDim& dim : windows.dims) {
    if (dim.pad_before == dim.pad_after) continue;
    return Violates(kLabel, "ceil_mode with pads {} before and {} after", dim.pad_before,
                    dim.pad_after);
  }
  return {};
}

Status InferPool(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    *outputs = {x};
    return {};
  }
  ANEMONE_TRY(CheckRank(args, "x", 3, 5, "pool_c1"));
  ANEMONE_ASSIGN(const std::vector<int64_t> kernel, args.Ints("kernel_sizes"));
  if (kernel.size() != static_cast<size_t>(x.rank() - 2)) {
    return Violates("pool_c2", "{} kernel sizes for {} spatial dimensions", kernel.size(),
                    x.rank() - 2);
  }
  for (int64_t size : kernel) {
    if (size <= 0) return Violates("pool_c2", "kernel size {} is not positive", size);
  }
  ANEMONE_ASSIGN(ir::Windows windows,
                 ir::ReadWindows(args, kernel, {"pool_c2", "pool_c3", "pool_c4"}));
  ANEMONE_ASSIGN(const bool ceil_mode, args.Bool("ceil_mode"));
  if (ceil_mode) ANEMONE_TRY(CheckCeilMode(windows));

  Shape shape = {x.shape()[0], x.shape()[1]};
  for (size_t i = 0; i < windows.dims.size(); ++i) {
    Status placed =
        ir::PlaceWindow(x.shape()[i + 2], windows.pad_type, ceil_mode, &windows.dims[i]);
    if (!placed.ok())
      return Violates("pool_c6", "spatial dimension {}: {}", i, placed.error().message());
    shape.push_back(windows.dims[i].output);
  }
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

Status InferL2Pool(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 3, 4, "l2_pool_c1"));
  return InferPool(args, outputs);
}

// One flop for each element of the window.
OpCost PoolCost(const OpArgs& args, std::span<const Type> outputs) {
  Result<std::vector<int64_t>> kernel = args.Ints("kernel_sizes");
  if (!kernel.ok()) return {};
  return {CostProduct({OutputElements(outputs), CostProduct(*kernel)})};
}

OpDef Pool(std::string_view name, ElementRule elements, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .params = {{.name = "x", .types = "T"},
                     {.name = "kernel_sizes", .types = "int32", .constant = true},
                     {.name = "strides",
                      .types = "int32",
                      .required = false,
                      .constant = true,
                      .default_fn = ir::OnesForSpatialDims},
                     {.name = "pad_type", .types = "string", .constant = true},
                     {.name = "pad",
                      .types = "int32",
                      .required = false,
                      .constant = true,
                      .default_fn = ir::ZeroPadForSpatialDims},
                     {.name = "ceil_mode",
                      .types = "bool",
                      .required = false,
                      .constant = true,
                      .default_text = "false"}},
          .domains = {{"T", "fp16 fp32"}},
          .constraints =
              {{"pool_c1", "x has rank 3, 4 or 5"},
               {"pool_c2",
                "kernel_sizes and strides hold one positive value for each spatial dimension"},
               {"pool_c3", "pad_type is valid, same or custom, or from ios16 on same_lower"},
               {"pool_c4",
                "with pad_type custom, pad holds two values >= 0 for each spatial dimension"},
               {"pool_c5",
                "with ceil_mode there are at most 2 spatial dimensions, pad_type is not same, "
                "and the pads before and after each dimension are equal"},
               {"pool_c6", "the kernel fits into the padded input along every dimension"}},
          .infer = InferPool,
          .cost = PoolCost,
          .traits = TensorFunction(elements, SizeRule::kInferred)};
}

}  // namespace

std::vector<OpDef> Defs() {
  OpDef avg = Pool(
      "avg_pool", ElementRule::kScaleWithFirst,
      "Mean over windows of 1, 2 or 3 spatial dimensions of x [n, c, d...]; each output size is "
      "(d + pads - kernel) / stride + 1, rounded down or, with ceil_mode, up. Padding counts as "
      "zeros, or not at all with exclude_padding_from_average.");
  avg.params.push_back({.name = "exclude_padding_from_average",
                        .types = "bool",
                        .required = false,
                        .constant = true,
                        .default_text = "false"});
  OpDef l2 = Pool("l2_pool", ElementRule::kScaleWithFirst,
                  "Square root of the sum of squares over windows of 1 or 2 spatial dimensions "
                  "of x [n, c, d...]; sizes as in avg_pool.");
  l2.constraints.push_back({"l2_pool_c1", "x has rank 3 or 4"});
  l2.infer = InferL2Pool;
  return {avg, l2,
          Pool("max_pool", ElementRule::kOfFirst,
               "Largest element over windows of 1, 2 or 3 spatial dimensions of x [n, c, d...]; "
               "padding never wins, NaN always does. Sizes as in avg_pool.")};
}

}  // namespace anemone::ops::pool
