#include "cpu/kernels/int8_conv.h"

#include "cpu/kernels/conv_patches.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {

bool PackedInt8Conv::CanRun(const ConvShape& s) {
  if (ChooseConvMethod(s) == ConvMethod::kDepthwise) return s.in_c == s.out_c;
  return s.kernel_h * s.kernel_w * (s.in_c / s.groups) <= kMaxInt8Reduction;
}

PackedInt8Conv::PackedInt8Conv(const ConvShape& shape, const PackedInt8Conv& other)
    : shape_(shape), method_(ChooseConvMethod(shape)), weights_(other.weights_) {}

PackedInt8Conv::PackedInt8Conv(const ConvShape& s, const Int8Weights& weights, float in_scale,
                               const std::vector<float>& bias, bool bytes)
    : shape_(s), method_(ChooseConvMethod(s)) {
  auto packed = std::make_shared<Weights>();
  weights_ = packed;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.in_c / s.groups;
  const int64_t columns = s.out_c / s.groups;
  const int64_t k = taps * depth;
  if (method_ == ConvMethod::kDepthwise) {
    // Sums of so few products are exact in floats too.
    std::vector<float> floats(weights.integers.begin(), weights.integers.end());
    for (int64_t i = 0; i < std::ssize(floats); ++i) {
      floats[static_cast<size_t>(i)] *= weights.scale[static_cast<size_t>(i / taps)];
    }
    packed->depthwise =
        PackDepthwise(s, floats.data(), in_scale, bias.empty() ? nullptr : bias.data());
    return;
  }
  std::vector<float> scale = weights.scale;
  for (float& value : scale) value *= in_scale;
  std::vector<float> shift = bias;
  shift.resize(static_cast<size_t>(s.out_c), 0.0f);
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
    // With whole kernel rows, a row is one piece.
    const bool rows = method_ == ConvMethod::kRows;
    packed->groups.emplace_back(matrix.data(), rows ? s.kernel_h : taps,
                                rows ? s.kernel_w * depth : depth, columns, bytes ? kQuad : kPair,
                                scale.data() + g * columns, shift.data() + g * columns);
  }
  packed->zeros.assign(static_cast<size_t>(depth * s.kernel_w + kIntegerSlack), 0);
}

void PackedInt8Conv::Run(const Source& in, const Destination& out, std::span<const Step> steps,
                         ThreadPool& pool) const {
  if (method_ == ConvMethod::kDepthwise) {
    RunDepthwise(shape_, in, weights_->depthwise, out, steps, pool);
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
  const auto* zeros = reinterpret_cast<const Left*>(weights_->zeros.data());
  const TileProblem problem = ProductOf(s, method_, out, steps, sizeof(Left));
  RunTiles<Left>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, const Left** to) {
        FillConv(s, method_, in, zeros, group, row, rows, slot, to);
      },
      [&](int64_t group, int64_t panel) {
        const PackedInt8Matrix& matrix = weights_->groups[static_cast<size_t>(group)];
        return [compute, args = matrix.PanelArgs<Left>(panel)](const Left* const* rows,
                                                               const TileEpilogue& end) mutable {
          args.a = rows;
          compute(args, end);
        };
      });
}

}  // namespace anemone::cpu
