#include "cpu/kernels/int8_conv.h"

#include <algorithm>

#include "base/simd_level.h"
#include "cpu/kernels/amx_patches.h"
#include "cpu/kernels/conv_patches.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {
namespace {

// Whether AMX is worth the zeros that fill its registers up, of which each holds 64 neighbors of the
// reduction: it multiplies eight times as many bytes in a cycle as vectors do.
bool SuitsAmx(int64_t depth) {
  constexpr int64_t kMostZeros = 4;
  const int64_t padded = (depth + kAmxRowBytes - 1) / kAmxRowBytes * kAmxRowBytes;
  return Dots().amx_int8 && padded <= kMostZeros * depth;
}

// Computes tiles of one panel.
class AmxInt8Panel {
 public:
  AmxInt8Panel(const AmxCut& cut, const Int8TileArgs<uint8_t>& panel, bool has_start,
               FinishIntegersFunction finish)
      : tiles_(cut), panel_(panel), finish_(finish) {
    args_.taps = panel.taps;
    args_.chunks = panel.groups * kQuad / kAmxRowBytes;
    args_.b = panel.b;
    args_.panel_width = panel.panel_width;
    args_.start = has_start ? panel.start : nullptr;
  }
  void operator()(const AmxRows* rows, const TileEpilogue& end) const {
    alignas(64) int32_t sums[kMaxTileSums];
    tiles_.MultiplyBytes(args_, rows, end.rows, sums);
    finish_(sums, panel_.panel_width, panel_.scale, panel_.bias, end);
  }

 private:
  AmxTiles tiles_;
  Int8TileArgs<uint8_t> panel_;
  AmxTileArgs args_;
  FinishIntegersFunction finish_;
};

}  // namespace

bool PackedInt8Conv::CanRun(const ConvShape& s) {
  if (ChooseConvMethod(s) == ConvMethod::kDepthwise) return s.in_c == s.out_c;
  return s.kernel_h * s.kernel_w * (s.in_c / s.groups) <= kMaxInt8Reduction;
}

PackedInt8Conv::PackedInt8Conv(const ConvShape& shape, const PackedInt8Conv& other)
    : shape_(shape), method_(ChooseConvMethod(shape)), weights_(other.weights_) {}

PackedInt8Conv::PackedInt8Conv(const ConvShape& s, const Int8Weights& weights, float in_scale,
                               const std::vector<float>& bias, const StoredInput& input)
    : shape_(s), method_(ChooseConvMethod(s)) {
  auto packed = std::make_shared<Weights>();
  weights_ = packed;
  packed->zero = input.zero;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.in_c / s.groups;
  const int64_t columns = s.out_c / s.groups;
  const int64_t k = taps * depth;
  std::vector<float> scale = weights.scale;
  for (float& value : scale) value *= in_scale;
  std::vector<float> shift = bias;
  shift.resize(static_cast<size_t>(s.out_c), 0.0f);
  if (method_ == ConvMethod::kDepthwise && input.bytes && PackedInt8Depthwise::CanRun(s)) {
    packed->depthwise.emplace(s, weights.integers, scale, shift, input.zero);
    return;
  }
  if (method_ == ConvMethod::kDepthwise) {
    // Sums of so few products are exact in floats too.
    std::vector<float> floats(weights.integers.begin(), weights.integers.end());
    for (int64_t i = 0; i < std::ssize(floats); ++i) {
      floats[static_cast<size_t>(i)] *= weights.scale[static_cast<size_t>(i / taps)];
    }
    packed->float_depthwise =
        PackDepthwise(s, floats.data(), in_scale, bias.empty() ? nullptr : bias.data());
    return;
  }
  // With whole kernel rows, a row is one piece.
  const bool rows = method_ == ConvMethod::kRows;
  const int64_t piece = rows ? s.kernel_w * depth : depth;
  Int8Packing how{.group = input.bytes ? kQuad : kPair, .multiple = 1, .zero = input.zero};
  packed->padded = input.bytes && SuitsAmx(piece);
  if (packed->padded) how.multiple = kAmxRowBytes / kQuad;
  // A group's matrix has a column for each output channel, and in it taps of `depth` channels.
  std::vector<int8_t> matrix(static_cast<size_t>(columns * k));
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t n = 0; n < columns; ++n) {
      const int8_t* filter = weights.integers.data() + (g * columns + n) * k;
      for (int64_t c = 0; c < depth; ++c) {
        for (int64_t t = 0; t < taps; ++t) {
          matrix[static_cast<size_t>(n * k + t * depth + c)] = filter[c * taps + t];
        }
      }
    }
    packed->groups.emplace_back(matrix.data(), rows ? s.kernel_h : taps, piece, columns, how,
                                scale.data() + g * columns, shift.data() + g * columns);
  }
  const auto zeros = static_cast<size_t>(depth * s.kernel_w + kIntegerSlack);
  if (input.bytes) {
    packed->byte_zeros.assign(zeros, static_cast<uint8_t>(input.zero));
  } else {
    packed->zeros.assign(zeros, 0);
  }
}

void PackedInt8Conv::Run(const Source& in, const Destination& out, std::span<const Step> steps,
                         ThreadPool& pool) const {
  if (weights_->depthwise) {
    weights_->depthwise->Run(shape_, in.bytes, out, steps, pool);
  } else if (method_ == ConvMethod::kDepthwise) {
    RunDepthwise(shape_, in, weights_->zero, weights_->float_depthwise, out, steps, pool);
  } else if (weights_->padded && shape_.batch * shape_.out_h * shape_.out_w >= kAmxMinRows) {
    RunOnTiles(in.bytes, out, steps, pool);
  } else if (in.bytes != nullptr) {
    RunProducts(in.bytes, out, steps, ChooseByteTile(), pool);
  } else {
    RunProducts(in.narrow, out, steps, ChooseNarrowTile(), pool);
  }
}

template <typename Left>
void PackedInt8Conv::RunProducts(const Left* in, const Destination& out,
                                 std::span<const Step> steps, Int8TileFunction<Left> compute,
                                 ThreadPool& pool) const {
  const ConvShape& s = shape_;
  const Left* zeros = nullptr;
  if constexpr (sizeof(Left) == 1) {
    zeros = weights_->byte_zeros.data();
  } else {
    zeros = weights_->zeros.data();
  }
  const TileProblem problem = ProductOf(s, method_, out, steps, sizeof(Left));
  const FinishIntegersFunction finish = ChooseFinishIntegers();
  RunTiles<const Left*>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, const Left** to) {
        FillConv(s, method_, in, zeros, group, row, rows, slot, to);
      },
      [&](int64_t group, int64_t panel) {
        const PackedInt8Matrix& matrix = weights_->groups[static_cast<size_t>(group)];
        return [=, args = matrix.PanelArgs<Left>(panel)](const Left* const* rows,
                                                         const TileEpilogue& end) mutable {
          alignas(64) int32_t sums[kMaxTileSums];
          args.a = rows;
          compute(args, end.rows, sums);
          finish(sums, args.panel_width, args.scale, args.bias, end);
        };
      });
}

void PackedInt8Conv::RunOnTiles(const uint8_t* in, const Destination& out,
                                std::span<const Step> steps, ThreadPool& pool) const {
  const ConvShape& s = shape_;
  const uint8_t* zeros = weights_->byte_zeros.data();
  TileProblem problem = ProductOf(s, method_, out, steps, sizeof(uint8_t));
  problem.max_rows = method_ == ConvMethod::kPointwise ? 2 * kAmxRows : AmxMaxRows(s.out_w);
  const AmxCut cut(problem.m, problem.max_rows);
  const AmxPatches<uint8_t> patches(s, method_, cut, in, zeros);
  const FinishIntegersFunction finish = ChooseFinishIntegers();
  RunTiles<AmxRows>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, AmxRows* to) {
        patches.Fill(group, row, rows, slot, to);
      },
      [&](int64_t group, int64_t panel) {
        return AmxInt8Panel(cut,
                            weights_->groups[static_cast<size_t>(group)].PanelArgs<uint8_t>(panel),
                            weights_->zero != 0, finish);
      });
}

}  // namespace anemone::cpu
