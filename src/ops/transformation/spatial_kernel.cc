#include <algorithm>
#include <array>

#include "exec/indexing.h"
#include "ops/transformation/spatial.h"

namespace anemone::ops::transformation {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// A permutation of six axes: the tensor `x` seen as `shape` is read in the order of `perm`.
void Permute(const float* x, const Shape& shape, const std::array<size_t, 6>& perm, float* to) {
  const exec::Strides own = exec::RowMajorStrides(shape);
  Shape permuted;
  exec::Strides strides;
  for (size_t axis : perm) {
    permuted.push_back(shape[axis]);
    strides.push_back(own[axis]);
  }
  exec::ForEachOffset<1>(permuted, {strides}, [&](const auto& at) { *to++ = x[at[0]]; });
}

// The position of the place within the block (fh, fw) among the channels: before the channel proper
// (depth_to_space) or after it (pixel_shuffle).
enum class BlockFirst : bool { kNo, kYes };

template <BlockFirst kBlockFirst>
Status Grow(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const int64_t f, context.args().Int(param));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t n = x.shape[0], c = out.shape[1], h = x.shape[2], w = x.shape[3];
  if constexpr (kBlockFirst == BlockFirst::kYes) {
    Permute(x.As<float>(), {n, f, f, c, h, w}, {0, 3, 4, 1, 5, 2}, out.As<float>());
  } else {
    Permute(x.As<float>(), {n, c, f, f, h, w}, {0, 1, 4, 2, 5, 3}, out.As<float>());
  }
  return {};
}

template <BlockFirst kBlockFirst>
Status Shrink(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const int64_t f, context.args().Int(param));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t n = x.shape[0], c = x.shape[1], h = out.shape[2], w = out.shape[3];
  if constexpr (kBlockFirst == BlockFirst::kYes) {
    Permute(x.As<float>(), {n, c, h, f, w, f}, {0, 3, 5, 1, 2, 4}, out.As<float>());
  } else {
    Permute(x.As<float>(), {n, c, h, f, w, f}, {0, 1, 3, 5, 2, 4}, out.As<float>());
  }
  return {};
}

Status DepthToSpace(KernelContext& context) {
  return Grow<BlockFirst::kYes>(context, "block_size");
}
Status SpaceToDepth(KernelContext& context) {
  return Shrink<BlockFirst::kYes>(context, "block_size");
}
Status PixelShuffle(KernelContext& context) {
  return Grow<BlockFirst::kNo>(context, "upscale_factor");
}
Status PixelUnshuffle(KernelContext& context) {
  return Shrink<BlockFirst::kNo>(context, "downscale_factor");
}

Status SpaceToBatch(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> block, context.args().Ints("block_shape"));
  ANEMONE_ASSIGN(std::vector<int64_t> paddings, context.args().Ints("paddings"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
  const int64_t count = out.count();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t column = i % out.shape[3];
    const int64_t row = i / out.shape[3] % out.shape[2];
    const int64_t channel = i / (out.shape[3] * out.shape[2]) % c;
    const int64_t batch = i / (out.shape[3] * out.shape[2] * c);
    const int64_t place = batch / n;
    const int64_t y = row * block[0] + place / block[1] - paddings[0];
    const int64_t z = column * block[1] + place % block[1] - paddings[2];
    const bool inside = y >= 0 && y < h && z >= 0 && z < w;
    out.As<float>()[i] = inside ? x.As<float>()[((batch % n * c + channel) * h + y) * w + z] : 0.0f;
  }
  return {};
}

Status BatchToSpace(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(std::vector<int64_t> block, context.args().Ints("block_shape"));
  ANEMONE_ASSIGN(std::vector<int64_t> crops, context.args().Ints("crops"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const int64_t n = out.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
  const int64_t count = out.count();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t column = i % out.shape[3] + crops[2];
    const int64_t row = i / out.shape[3] % out.shape[2] + crops[0];
    const int64_t channel = i / (out.shape[3] * out.shape[2]) % c;
    const int64_t batch = i / (out.shape[3] * out.shape[2] * c);
    const int64_t place = row % block[0] * block[1] + column % block[1];
    out.As<float>()[i] =
        x.As<float>()[(((place * n + batch) * c + channel) * h + row / block[0]) * w +
                      column / block[1]];
  }
  return {};
}

constexpr std::array<KernelEntry, 6> kKernels{{
    {"batch_to_space", BatchToSpace},
    {"depth_to_space", DepthToSpace},
    {"pixel_shuffle", PixelShuffle},
    {"pixel_unshuffle", PixelUnshuffle},
    {"space_to_batch", SpaceToBatch},
    {"space_to_depth", SpaceToDepth},
}};

}  // namespace

std::span<const KernelEntry> SpatialKernels() { return kKernels; }

}  // namespace anemone::ops::transformation
