#include "ops/infer.h"
#include "ops/transformation/spatial.h"

namespace anemone::ops::transformation {
namespace {

constexpr std::string_view kRank = "space_c1";
constexpr std::string_view kFactor = "space_c2";
constexpr std::string_view kDivides = "space_c3";
constexpr std::string_view kBlock = "space_batch_c1";
constexpr std::string_view kBorders = "space_batch_c2";
constexpr std::string_view kBatchDivides = "space_batch_c3";

// x of rank 4 and a positive factor, small enough for its square.
Result<int64_t> Factor(const OpArgs& args, std::string_view param) {
  ANEMONE_TRY(CheckRank(args, "x", 4, kRank));
  ANEMONE_ASSIGN(int64_t factor, args.Int(param));
  if (factor < 1 || factor >= (int64_t{1} << 31)) {
    return Violates(kFactor, "{} is {}", param, factor);
  }
  return factor;
}

Result<int64_t> Divide(int64_t dim, int64_t by, std::string_view label) {
  if (dim == kDynamic) return kDynamic;
  if (dim % by != 0) return Violates(label, "size {} is not a multiple of {}", dim, by);
  return dim / by;
}

// [n, c, h, w] -> [n, c / f^2, h * f, w * f].
Status InferGrow(const OpArgs& args, std::string_view param, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const int64_t f, Factor(args, param));
  const Type& x = args.TypeOf("x");
  Shape shape = x.has_rank() ? x.shape() : Shape(4, kDynamic);
  ANEMONE_ASSIGN(shape[1], Divide(shape[1], f * f, kDivides));
  ANEMONE_ASSIGN(shape[2], MulDims(shape[2], f));
  ANEMONE_ASSIGN(shape[3], MulDims(shape[3], f));
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

// [n, c, h, w] -> [n, c * f^2, h / f, w / f].
Status InferShrink(const OpArgs& args, std::string_view param, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const int64_t f, Factor(args, param));
  const Type& x = args.TypeOf("x");
  Shape shape = x.has_rank() ? x.shape() : Shape(4, kDynamic);
  ANEMONE_ASSIGN(shape[1], MulDims(shape[1], f * f));
  ANEMONE_ASSIGN(shape[2], Divide(shape[2], f, kDivides));
  ANEMONE_ASSIGN(shape[3], Divide(shape[3], f, kDivides));
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

struct Blocks {
  int64_t height = 1;
  int64_t width = 1;
  std::vector<int64_t> borders;  // top, bottom, left, right
};

Result<Blocks> BlocksOf(const OpArgs& args, std::string_view border_param) {
  ANEMONE_TRY(CheckRank(args, "x", 4, kRank));
  ANEMONE_ASSIGN(std::vector<int64_t> block, args.Ints("block_shape"));
  if (args.TypeOf("block_shape").rank() != 1 || block.size() != 2 || block[0] < 1 || block[1] < 1 ||
      block[0] >= (int64_t{1} << 31) || block[1] >= (int64_t{1} << 31)) {
    return Violates(kBlock, "block_shape is {}", NumbersToString(block));
  }
  ANEMONE_ASSIGN(std::vector<int64_t> borders, args.Ints(border_param));
  bool fits = args.TypeOf(border_param).shape() == Shape{2, 2};
  for (int64_t border : borders) fits = fits && border >= 0;
  if (!fits) {
    return Violates(kBorders, "{} is {} with {}", border_param,
                    args.TypeOf(border_param).ToString(), NumbersToString(borders));
  }
  return Blocks{block[0], block[1], std::move(borders)};
}

Status InferSpaceToBatch(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const Blocks blocks, BlocksOf(args, "paddings"));
  const Type& x = args.TypeOf("x");
  Shape shape = x.has_rank() ? x.shape() : Shape(4, kDynamic);
  ANEMONE_ASSIGN(shape[0], MulDims(shape[0], blocks.height * blocks.width));
  ANEMONE_ASSIGN(shape[2], AddDims(shape[2], blocks.borders[0] + blocks.borders[1]));
  ANEMONE_ASSIGN(shape[3], AddDims(shape[3], blocks.borders[2] + blocks.borders[3]));
  ANEMONE_ASSIGN(shape[2], Divide(shape[2], blocks.height, kDivides));
  ANEMONE_ASSIGN(shape[3], Divide(shape[3], blocks.width, kDivides));
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferBatchToSpace(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const Blocks blocks, BlocksOf(args, "crops"));
  const Type& x = args.TypeOf("x");
  Shape shape = x.has_rank() ? x.shape() : Shape(4, kDynamic);
  ANEMONE_ASSIGN(shape[0], Divide(shape[0], blocks.height * blocks.width, kBatchDivides));
  ANEMONE_ASSIGN(shape[2], MulDims(shape[2], blocks.height));
  ANEMONE_ASSIGN(shape[3], MulDims(shape[3], blocks.width));
  for (size_t d : {size_t{2}, size_t{3}}) {
    if (shape[d] == kDynamic) continue;
    const int64_t cropped = blocks.borders[2 * d - 4] + blocks.borders[2 * d - 3];
    if (cropped > shape[d]) {
      return Violates(kBorders, "crops of {} exceed dimension {} of size {}", cropped, d, shape[d]);
    }
    shape[d] -= cropped;
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

constexpr Constraint kRankRule{kRank, "x has rank 4: batch, channels, height, width."};
constexpr Constraint kFactorRule{kFactor, "The block size or factor is positive and below 2^31."};
constexpr Constraint kDividesRule{kDivides,
                                  "The channels divide by the square of the factor, or height and "
                                  "width (with paddings) by the factor."};

OpDef Depth(std::string_view name, std::string_view doc, std::string_view param,
            std::string_view dtypes, ir::InferFn infer, Opset since = Opset::kIOS15) {
  return {
      .name = name,
      .doc = doc,
      .since = since,
      .params = {{.name = "x", .types = "T"}, {.name = param, .types = dtypes, .constant = true}},
      .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
      .constraints = {kRankRule, kFactorRule, kDividesRule},
      .infer = infer,
      .cost = NoCost,
      .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)};
}

}  // namespace

std::vector<OpDef> SpatialDefs() {
  return {
      {.name = "batch_to_space",
       .doc =
           "Undoes space_to_batch: the batch index gives the place within blocks of block_shape, "
           "then crops [[top, bottom], [left, right]] are cut off.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "block_shape", .types = "int32", .constant = true},
                  {.name = "crops", .types = "int32", .constant = true}},
       .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
       .constraints = {kRankRule,
                       {kBlock, "block_shape is two positive numbers below 2^31."},
                       {kBorders,
                        "paddings or crops is a 2 by 2 matrix of numbers that are not negative; "
                        "crops do not exceed the space."},
                       {kBatchDivides, "The batch divides by the product of block_shape."}},
       .infer = InferBatchToSpace,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      Depth("depth_to_space",
            "Channels into blocks of block_size by block_size: channel (bh * b + bw) * C + c goes "
            "to channel c at place (bh, bw) of the block. [n, C * b * b, h, w] -> [n, C, h * b, w "
            "* b].",
            "block_size", "int32",
            [](const OpArgs& args, std::vector<Type>* outputs) {
              return InferGrow(args, "block_size", outputs);
            }),
      Depth("pixel_shuffle",
            "Channels into blocks of f by f: channel c * f * f + fh * f + fw goes to channel c at "
            "place (fh, fw) of the block. [n, C * f * f, h, w] -> [n, C, h * f, w * f].",
            "upscale_factor", "int32",
            [](const OpArgs& args, std::vector<Type>* outputs) {
              return InferGrow(args, "upscale_factor", outputs);
            }),
      Depth(
          "pixel_unshuffle", "Undoes pixel_shuffle: [n, C, h * f, w * f] -> [n, C * f * f, h, w].",
          "downscale_factor", "uint32 int32",
          [](const OpArgs& args, std::vector<Type>* outputs) {
            return InferShrink(args, "downscale_factor", outputs);
          },
          Opset::kIOS16),
      {.name = "space_to_batch",
       .doc =
           "Pads height and width with zeros by paddings [[top, bottom], [left, right]], cuts them "
           "into blocks of block_shape, and moves the place within the block into the batch "
           "index: (bh * block_width + bw) * N + n.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "block_shape", .types = "int32", .constant = true},
                  {.name = "paddings", .types = "int32", .constant = true}},
       .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
       .constraints = {kRankRule,
                       kDividesRule,
                       {kBlock, "block_shape is two positive numbers below 2^31."},
                       {kBorders,
                        "paddings or crops is a 2 by 2 matrix of numbers that are not negative; "
                        "crops do not exceed the space."}},
       .infer = InferSpaceToBatch,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kScaleWithFirst, SizeRule::kInferred)},
      Depth("space_to_depth",
            "Undoes depth_to_space: [n, C, h * b, w * b] -> [n, C * b * b, h, w].", "block_size",
            "int32",
            [](const OpArgs& args, std::vector<Type>* outputs) {
              return InferShrink(args, "block_size", outputs);
            }),
  };
}

}  // namespace anemone::ops::transformation
