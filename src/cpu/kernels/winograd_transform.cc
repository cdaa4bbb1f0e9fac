#include "cpu/kernels/winograd_transform.h"

#include <cstddef>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels/winograd_transform.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "cpu/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {

// Of tile_finish.cc, for the same target.
void FinishFloats(const float* sums, int64_t stride, int width, const TileEpilogue& end);

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// The points of tiles of 4x4 beside 0 and infinity: +-kA and +-kB. All constants below but the filters' are
// exact in float32.
constexpr float kA = 0.625f, kB = 1.5f;
constexpr float kA2 = kA * kA, kB2 = kB * kB;

template <int kTile>
struct Lines;

template <>
struct Lines<2> {  // points 0, 1, -1, infinity
  static HWY_INLINE void Input(const V (&x)[4], V (&y)[4]) {
    y[0] = hn::Sub(x[0], x[2]);
    y[1] = hn::Add(x[1], x[2]);
    y[2] = hn::Sub(x[2], x[1]);
    y[3] = hn::Sub(x[3], x[1]);
  }
  static HWY_INLINE void Output(const V (&x)[4], V (&y)[2]) {
    y[0] = hn::Add(x[0], hn::Add(x[1], x[2]));
    y[1] = hn::Add(hn::Sub(x[1], x[2]), x[3]);
  }
  static HWY_INLINE void Filter(const V (&x)[3], V (&y)[4]) {
    const V half = hn::Set(D(), 0.5f);
    const V even = hn::Mul(hn::Add(x[0], x[2]), half), odd = hn::Mul(x[1], half);
    y[0] = x[0];
    y[1] = hn::Add(even, odd);
    y[2] = hn::Sub(even, odd);
    y[3] = x[2];
  }
};

template <>
struct Lines<4> {
  static HWY_INLINE void Input(const V (&x)[6], V (&y)[6]) {
    const D d;
    const V a2 = hn::Set(d, kA2), b2 = hn::Set(d, kB2);
    const V product = hn::Set(d, kA2 * kB2), sum = hn::Set(d, kA2 + kB2);
    y[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
    const V even_a = hn::NegMulAdd(b2, x[2], x[4]);
    const V odd_a = hn::Mul(hn::Set(d, kA), hn::NegMulAdd(b2, x[1], x[3]));
    y[1] = hn::Add(even_a, odd_a);
    y[2] = hn::Sub(even_a, odd_a);
    const V even_b = hn::NegMulAdd(a2, x[2], x[4]);
    const V odd_b = hn::Mul(hn::Set(d, kB), hn::NegMulAdd(a2, x[1], x[3]));
    y[3] = hn::Add(even_b, odd_b);
    y[4] = hn::Sub(even_b, odd_b);
    y[5] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
  }
  static HWY_INLINE void Output(const V (&x)[6], V (&y)[4]) {
    const D d;
    const V even_a = hn::Add(x[1], x[2]), odd_a = hn::Sub(x[1], x[2]);
    const V even_b = hn::Add(x[3], x[4]), odd_b = hn::Sub(x[3], x[4]);
    y[0] = hn::Add(x[0], hn::Add(even_a, even_b));
    y[1] = hn::MulAdd(hn::Set(d, kB), odd_b, hn::Mul(hn::Set(d, kA), odd_a));
    y[2] = hn::MulAdd(hn::Set(d, kB2), even_b, hn::Mul(hn::Set(d, kA2), even_a));
    y[3] = hn::MulAdd(hn::Set(d, kB2 * kB), odd_b, hn::MulAdd(hn::Set(d, kA2 * kA), odd_a, x[5]));
  }
  static HWY_INLINE void Filter(const V (&x)[3], V (&y)[6]) {
    const D d;
    constexpr float kAtA = 1.0f / (2.0f * kA2 * (kA2 - kB2));
    constexpr float kAtB = 1.0f / (2.0f * kB2 * (kB2 - kA2));
    y[0] = hn::Mul(x[0], hn::Set(d, 1.0f / (kA2 * kB2)));
    const V even_a = hn::Mul(hn::MulAdd(hn::Set(d, kA2), x[2], x[0]), hn::Set(d, kAtA));
    const V odd_a = hn::Mul(x[1], hn::Set(d, kAtA * kA));
    y[1] = hn::Add(even_a, odd_a);
    y[2] = hn::Sub(even_a, odd_a);
    const V even_b = hn::Mul(hn::MulAdd(hn::Set(d, kB2), x[2], x[0]), hn::Set(d, kAtB));
    const V odd_b = hn::Mul(x[1], hn::Set(d, kAtB * kB));
    y[3] = hn::Add(even_b, odd_b);
    y[4] = hn::Sub(even_b, odd_b);
    y[5] = x[2];
  }
};

template <int kTile>
HWY_NOINLINE void TransformInput(const WinogradInput& input) {
  constexpr int kWindow = kTile + 2;
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < input.channels; c += lanes) {
    const int64_t left = input.channels - c;
    V columns[kWindow][kWindow];  // [x][y]
    ANEMONE_UNROLL
    for (int x = 0; x < kWindow; ++x) {
      V line[kWindow];
      ANEMONE_UNROLL
      for (int y = 0; y < kWindow; ++y) {
        const float* from = input.pixels[y * kWindow + x] + c;
        line[y] =
            left >= lanes ? hn::LoadU(d, from) : LoadFirst(d, from, static_cast<size_t>(left));
      }
      Lines<kTile>::Input(line, columns[x]);
    }
    float* to = input.out + c;
    ANEMONE_UNROLL
    for (int y = 0; y < kWindow; ++y) {
      V line[kWindow], points[kWindow];
      ANEMONE_UNROLL
      for (int x = 0; x < kWindow; ++x) line[x] = columns[x][y];
      Lines<kTile>::Input(line, points);
      ANEMONE_UNROLL
      for (int x = 0; x < kWindow; ++x, to += input.plane) hn::StoreU(points[x], d, to);
    }
  }
}

// Goes `count` channels on.
HWY_INLINE void AdvanceColumns(TileEpilogue* end, int64_t count) {
  for (int i = 0; i < end->count; ++i) {
    TileStep& step = end->steps[i];
    if (step.operand != nullptr) step.operand += count * step.column_stride;
  }
  if (end->c != nullptr) end->c += count;
  if (end->narrow != nullptr) end->narrow += count;
  if (end->bytes != nullptr) end->bytes += count;
}

template <int kTile>
HWY_NOINLINE void TransformOutput(WinogradOutput& output) {
  constexpr int kWindow = kTile + 2;
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float finished[kTile * hn::MaxLanes(D())];
  for (int64_t c = 0; c < output.channels; c += lanes) {
    const V bias = hn::Load(d, output.bias + c);
    V columns[kWindow][kTile];  // [x][y]
    ANEMONE_UNROLL
    for (int x = 0; x < kWindow; ++x) {
      V line[kWindow];
      ANEMONE_UNROLL
      for (int y = 0; y < kWindow; ++y) {
        line[y] = hn::LoadU(d, output.sums + (y * kWindow + x) * output.plane + c);
      }
      Lines<kTile>::Output(line, columns[x]);
    }
    for (int y = 0; y < output.height; ++y) {
      V line[kWindow], pixels[kTile];
      ANEMONE_UNROLL
      for (int x = 0; x < kWindow; ++x) line[x] = columns[x][y];
      Lines<kTile>::Output(line, pixels);
      ANEMONE_UNROLL
      for (int x = 0; x < kTile; ++x) hn::Store(hn::Add(pixels[x], bias), d, finished + x * lanes);
      TileEpilogue& end = output.rows[y];
      end.columns = static_cast<int>(HWY_MIN(lanes, output.channels - c));
      FinishFloats(finished, lanes, static_cast<int>(lanes), end);
      AdvanceColumns(&end, lanes);
    }
  }
}

template <int kTile>
HWY_NOINLINE void TransformFilter(const WinogradFilter& filter) {
  constexpr int kWindow = kTile + 2;
  const D d;
  for (int64_t c = 0; c < filter.channels; c += static_cast<int64_t>(hn::Lanes(d))) {
    V columns[3][kWindow];  // [x][y]
    ANEMONE_UNROLL
    for (int x = 0; x < 3; ++x) {
      V line[3];
      ANEMONE_UNROLL
      for (int y = 0; y < 3; ++y) {
        line[y] = hn::LoadU(d, filter.taps + (y * 3 + x) * filter.stride + c);
      }
      Lines<kTile>::Filter(line, columns[x]);
    }
    float* to = filter.out + c;
    ANEMONE_UNROLL
    for (int y = 0; y < kWindow; ++y) {
      V line[3], points[kWindow];
      ANEMONE_UNROLL
      for (int x = 0; x < 3; ++x) line[x] = columns[x][y];
      Lines<kTile>::Filter(line, points);
      ANEMONE_UNROLL
      for (int x = 0; x < kWindow; ++x, to += filter.plane) hn::StoreU(points[x], d, to);
    }
  }
}

void Input2(const WinogradInput& input) { TransformInput<2>(input); }
void Input4(const WinogradInput& input) { TransformInput<4>(input); }
void Output2(WinogradOutput& output) { TransformOutput<2>(output); }
void Output4(WinogradOutput& output) { TransformOutput<4>(output); }
void Filter2(const WinogradFilter& filter) { TransformFilter<2>(filter); }
void Filter4(const WinogradFilter& filter) { TransformFilter<4>(filter); }

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::cpu {

HWY_EXPORT(Input2);
HWY_EXPORT(Input4);
HWY_EXPORT(Output2);
HWY_EXPORT(Output4);
HWY_EXPORT(Filter2);
HWY_EXPORT(Filter4);

WinogradTransforms ChooseWinogradTransforms(int tile) {
  if (tile == 2) {
    return {HWY_DYNAMIC_DISPATCH(Input2), HWY_DYNAMIC_DISPATCH(Output2),
            HWY_DYNAMIC_DISPATCH(Filter2)};
  }
  return {HWY_DYNAMIC_DISPATCH(Input4), HWY_DYNAMIC_DISPATCH(Output4),
          HWY_DYNAMIC_DISPATCH(Filter4)};
}

}  // namespace anemone::cpu
#endif  // HWY_ONCE
