#include "cpu/kernels/bf16_conv.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/rounding.h"
#include "base/simd_level.h"
#include "base/thread_pool.h"
#include "cpu/kernels/amx_patches.h"
#include "cpu/kernels/amx_tile.h"
#include "cpu/kernels/conv_patches.h"
#include "cpu/kernels/tile_driver.h"

namespace anemone::cpu {
namespace {

// Neighbors that a register of AMX holds.
constexpr int64_t kRegisterDepth = kAmxRowBytes / int64_t{sizeof(Bf16)};
// Numbers behind the activations that a product may read.
constexpr int64_t kSlack = kRegisterDepth;

bool UsesWholeRegisters(const ConvShape& s) {
  constexpr int64_t kMostZeros = 3;
  return Dots().amx_bf16 && ChooseConvMethod(s) != ConvMethod::kRows &&
         RoundUp(s.in_c, kRegisterDepth) <= kMostZeros * s.in_c;
}

ConvShape WithChannels(ConvShape s, bool whole_registers) {
  s.in_c = RoundUp(s.in_c, whole_registers ? kRegisterDepth : kPair);
  return s;
}

// The nearest bfloat16 number, ties to even.
Bf16 Round(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return static_cast<Bf16>(bits >> 16 | 0x40);
  return static_cast<Bf16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Computes tiles of one panel.
class AmxBf16Panel {
 public:
  AmxBf16Panel(const AmxCut& cut, const Bf16TileArgs& panel, FinishFloatsFunction finish)
      : tiles_(cut), finish_(finish) {
    args_.taps = panel.taps;
    args_.chunks = panel.groups * kPair / kRegisterDepth;
    args_.b = panel.b;
    args_.panel_width = panel.panel_width;
    args_.start = panel.start;
  }
  void operator()(const AmxRows* rows, const TileEpilogue& end) const {
    alignas(64) float sums[kMaxTileSums];
    tiles_.MultiplyBf16(args_, rows, end.rows, sums);
    finish_(sums, args_.panel_width, args_.panel_width, end);
  }

 private:
  AmxTiles tiles_;
  AmxTileArgs args_;
  FinishFloatsFunction finish_;
};

}  // namespace

bool PackedBf16Conv::CanRun(const ConvShape& s) {
  return ChooseBf16DotTile() != nullptr && s.groups == 1;
}

PackedBf16Conv::PackedBf16Conv(const ConvShape& shape, const PackedBf16Conv& other)
    : channels_(shape.in_c),
      shape_(WithChannels(shape, other.weights_->whole_registers)),
      method_(ChooseConvMethod(shape_)),
      weights_(other.weights_) {}

PackedBf16Conv::PackedBf16Conv(const ConvShape& s, const float* weights, const float* bias)
    : channels_(s.in_c) {
  auto packed = std::make_shared<Weights>();
  weights_ = packed;
  packed->whole_registers = UsesWholeRegisters(s);
  shape_ = WithChannels(s, packed->whole_registers);
  method_ = ChooseConvMethod(shape_);
  const int64_t padded = PackedColumns(s.out_c);
  packed->bias.Reserve(padded);
  std::fill_n(packed->bias.data(), padded, 0.0f);
  if (bias != nullptr) std::copy_n(bias, s.out_c, packed->bias.data());
  packed->zeros.Reserve(Piece() + kSlack);
  std::fill_n(packed->zeros.data(), Piece() + kSlack, Bf16{0});
  const int64_t taps = s.kernel_h * s.kernel_w;
  packed->panels.Reserve(taps * shape_.in_c * padded);
  std::fill_n(packed->panels.data(), taps * shape_.in_c * padded, Bf16{0});
  Bf16* out = packed->panels.data();
  for (int64_t panel = 0; panel * PanelWidth() < s.out_c; ++panel) {
    const int64_t first = panel * PanelWidth();
    const int64_t width = PanelWidthAt(s.out_c, panel);
    const int64_t columns = std::min(width, s.out_c - first);
    for (int64_t tap = 0; tap < taps; ++tap, out += shape_.in_c * width) {
      for (int64_t c = 0; c < s.in_c; ++c) {
        Bf16* to = out + c / kPair * kPair * width + c % kPair;
        for (int64_t j = 0; j < columns; ++j) {
          to[j * kPair] = Round(weights[((first + j) * s.in_c + c) * taps + tap]);
        }
      }
    }
  }
}

int64_t PackedBf16Conv::Piece() const {
  return method_ == ConvMethod::kRows ? shape_.kernel_w * shape_.in_c : shape_.in_c;
}

int64_t PackedBf16Conv::Taps() const {
  return method_ == ConvMethod::kRows ? shape_.kernel_h : shape_.kernel_h * shape_.kernel_w;
}

int64_t PackedBf16Conv::ScratchFloats() const {
  const int64_t numbers = shape_.batch * shape_.in_h * shape_.in_w * shape_.in_c + kSlack;
  return (numbers + 1) / 2;
}

Bf16TileArgs PackedBf16Conv::PanelArgs(int64_t panel) const {
  const int64_t first = panel * PanelWidth();
  Bf16TileArgs args;
  args.taps = Taps();
  args.groups = Piece() / kPair;
  args.b = weights_->panels.data() + first * args.taps * Piece();
  args.panel_width = PanelWidthAt(shape_.out_c, panel);
  args.start = weights_->bias.data() + first;
  return args;
}

void PackedBf16Conv::Run(const float* in, const Destination& out, float* scratch,
                         std::span<const Step> steps, ThreadPool& pool) const {
  auto* rounded = reinterpret_cast<Bf16*>(scratch);
  const int64_t pixels = shape_.batch * shape_.in_h * shape_.in_w;
  const int64_t grain = std::max<int64_t>(1, 32 * 1024 / shape_.in_c);
  pool.ParallelFor(pixels, grain, [&](int64_t begin, int64_t end) {
    RoundToBf16(in + begin * channels_, end - begin, channels_, shape_.in_c,
                rounded + begin * shape_.in_c);
  });
  std::fill_n(rounded + pixels * shape_.in_c, kSlack, Bf16{0});
  const bool many = shape_.batch * shape_.out_h * shape_.out_w >= kAmxMinRows;
  if (weights_->whole_registers && many) {
    RunOnTiles(rounded, out, steps, pool);
  } else {
    RunOnVectors(rounded, out, steps, pool);
  }
}

void PackedBf16Conv::RunOnVectors(const Bf16* in, const Destination& out,
                                  std::span<const Step> steps, ThreadPool& pool) const {
  const TileProblem problem = ProductOf(shape_, method_, out, steps, sizeof(Bf16));
  const FinishFloatsFunction finish = ChooseFinishFloats();
  const Bf16TileFunction compute = ChooseBf16DotTile();
  RunTiles<const Bf16*>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, const Bf16** to) {
        FillConv(shape_, method_, in, weights_->zeros.data(), group, row, rows, slot, to);
      },
      [&](int64_t, int64_t panel) {
        return
            [=, args = PanelArgs(panel)](const Bf16* const* rows, const TileEpilogue& end) mutable {
              alignas(64) float sums[kMaxTileSums];
              args.a = rows;
              compute(args, end.rows, sums);
              finish(sums, args.panel_width, args.panel_width, end);
            };
      });
}

void PackedBf16Conv::RunOnTiles(const Bf16* in, const Destination& out, std::span<const Step> steps,
                                ThreadPool& pool) const {
  const ConvShape& s = shape_;
  TileProblem problem = ProductOf(s, method_, out, steps, sizeof(Bf16));
  problem.max_rows = method_ == ConvMethod::kPointwise ? 2 * kAmxRows : AmxMaxRows(s.out_w);
  const AmxCut cut(problem.m, problem.max_rows);
  const AmxPatches<Bf16> patches(s, method_, cut, in, weights_->zeros.data());
  const FinishFloatsFunction finish = ChooseFinishFloats();
  RunTiles<AmxRows>(
      problem, pool,
      [&](int64_t group, int64_t row, int rows, int64_t slot, AmxRows* to) {
        patches.Fill(group, row, rows, slot, to);
      },
      [&](int64_t, int64_t panel) { return AmxBf16Panel(cut, PanelArgs(panel), finish); });
}

}  // namespace anemone::cpu
