// Convolutions. The largest kernels are those that Core ML accepted on M4 (width 15, height 31, a
// square of 16), and for older generations those of the compiler's tables.
#include <algorithm>

#include "placement/place.h"

namespace anemone::ops::conv {

using placement::BeliefKind;
using placement::Evidence;
using placement::Maybe;
using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

constexpr std::string_view kSmallerKernel =
    "split the kernel into several narrower ones and add their results";

// Depth, height, width of the kernel; 1 where the convolution has fewer dimensions.
struct Kernel {
  int64_t depth = 1;
  int64_t height = 1;
  int64_t width = 1;
};

Kernel KernelOf(const ir::Type& weight) {
  const ir::Shape& shape = weight.shape();
  Kernel kernel;
  if (shape.size() >= 3) kernel.width = shape[shape.size() - 1];
  if (shape.size() >= 4) kernel.height = shape[shape.size() - 2];
  if (shape.size() >= 5) kernel.depth = shape[shape.size() - 3];
  return kernel;
}

std::optional<Verdict> CheckKernel(const Query& query, const Kernel& kernel) {
  const Evidence evidence = query.evidence();
  const placement::Chip& chip = query.chip;
  const bool one_wider =
      kernel.width == chip.max_kernel_width + 1 && chip.at_least(placement::AneFamily::kH14);
  const bool square = kernel.width == kernel.height && one_wider;
  if (one_wider && !square && !query.follows_m4()) {
    return Maybe("conv_kernel_width_tables", false, placement::kTables,
                 fmt::format("kernel width {}: the compiler's tables allow it, Core ML on M4 did "
                             "not",
                             kernel.width),
                 std::string(kSmallerKernel));
  }
  if (kernel.width > chip.max_kernel_width && !square) {
    return No("conv_kernel_width", evidence,
              fmt::format("kernel width {} > {}", kernel.width, chip.max_kernel_width),
              std::string(kSmallerKernel));
  }
  if (kernel.height > chip.max_kernel_height) {
    return No("conv_kernel_height", evidence,
              fmt::format("kernel height {} > {}", kernel.height, chip.max_kernel_height),
              std::string(kSmallerKernel));
  }
  if (kernel.depth > chip.max_kernel_depth) {
    return No("conv_kernel_depth", placement::kTables,
              fmt::format("kernel depth {} > {}", kernel.depth, chip.max_kernel_depth),
              std::string(kSmallerKernel));
  }
  return std::nullopt;
}

// Convolutions that the engine takes, but at a cost.
std::optional<Verdict> Caution(const Query& query, const Kernel& kernel) {
  if (kernel.width >= 16 && kernel.height >= 16) {
    return placement::YesBut(query, "conv_slow_compile", placement::kMeasuredM4,
                             fmt::format("a kernel of {}x{} took 212 to 229 s and 11.7 GB to "
                                         "compile on M4",
                                         kernel.height, kernel.width),
                             std::string(kSmallerKernel));
  }
  for (const std::string_view param : {"strides", "dilations"}) {
    const auto values = query.args.Ints(param);
    for (const int64_t value : values.ok() ? *values : std::vector<int64_t>{}) {
      if (value <= 4 || value == 8) continue;
      return placement::YesBut(query, "conv_decomposed", placement::kTables,
                               fmt::format("{} of {}: taken apart into several steps, only 2, 3, 4 "
                                           "and 8 are native",
                                           param, value));
    }
  }
  const ir::Type& weight = query.args.TypeOf("weight");
  if (query.IntOr("groups", 1) > 1 && weight.has_rank() && weight.rank() >= 3) {
    constexpr int64_t kLargestGroup = 2048;
    const int64_t size = weight.shape()[1] * kernel.width * kernel.height;
    if (size > kLargestGroup) {
      return placement::YesBut(
          query, "conv_group_decomposed", placement::kTables,
          fmt::format("{} weights for each output of a group > {}: taken apart "
                      "into several steps",
                      size, kLargestGroup));
    }
  }
  return std::nullopt;
}

bool AnyAbove(const Query& query, std::string_view param, int64_t limit) {
  const auto values = query.args.Ints(param);
  if (!values.ok()) return false;
  return std::any_of(values->begin(), values->end(), [&](int64_t value) { return value > limit; });
}

Verdict Convolution(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  const ir::Type& weight = query.args.TypeOf("weight");
  if (auto verdict = CheckKernel(query, KernelOf(weight))) return std::move(*verdict);
  const bool dynamic = query.IsDynamic("weight");
  if (dynamic && x.has_rank() && x.rank() > 0 && x.shape()[0] > 1) {
    return No("conv_dynamic_weight_batch", placement::kStrings,
              fmt::format("weights known only at run time with batch {}", x.shape()[0]),
              "run it with batch 1");
  }
  if (!x.is_static() && AnyAbove(query, "strides", 2)) {
    return No("conv_dynamic_shape_stride", placement::kStrings, "dynamic shape with a stride > 2",
              "fix the shape");
  }
  const Kernel kernel = KernelOf(weight);
  if (query.IntOr("groups", 1) > 1 && AnyAbove(query, "dilations", 1) &&
      std::max(kernel.width, kernel.height) > 7) {
    return No(
        "conv_dilated_grouped", placement::kTables,
        fmt::format("dilated and grouped with a kernel of {}x{}", kernel.height, kernel.width),
        "drop the dilation, or the groups");
  }
  if (x.has_rank() && x.rank() == 5 && !query.chip.rules_measured) {
    return Maybe("conv_3d", true, placement::kMeasuredM4,
                 "three spatial dimensions: Core ML takes it on M4; other paths do not reach it",
                 "fold the depth into the batch");
  }
  if (auto caution = Caution(query, kernel)) return std::move(*caution);
  return placement::YesEverywhere(query);
}

Verdict ConvTranspose(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  const Kernel kernel = KernelOf(query.args.TypeOf("weight"));
  if (AnyAbove(query, "dilations", 1)) {
    return No("conv_transpose_dilated", placement::kTables, "dilated transposed convolution",
              "insert the zeros into the weight instead");
  }
  if (auto verdict = CheckKernel(query, kernel)) return std::move(*verdict);
  if (AnyAbove(query, "strides", 15)) {
    return No("conv_transpose_stride", {"coremltools issue 2450", placement::Confidence::kMeasured},
              fmt::format("stride > 15 with kernel {}x{}", kernel.height, kernel.width),
              "upsample in two steps");
  }
  if (x.has_rank() && x.rank() == 5 && !query.chip.rules_measured)
    return Maybe("conv_3d", true, placement::kMeasuredM4, "three spatial dimensions");
  return placement::YesEverywhere(query);
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "conv", .ane = Convolution, .work = WorkKind::kConv, .belief = BeliefKind::kConv},
      {.op = "conv_transpose",
       .ane = ConvTranspose,
       .work = WorkKind::kConv,
       .belief = BeliefKind::kConv},
  };
  return kRules;
}

}  // namespace anemone::ops::conv
