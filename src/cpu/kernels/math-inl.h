// Vector forms of the functions of steps.h, for the current Highway target. Coefficients are
// minimax fits made for this file (weighted least squares, Lawson iteration); the relative error of
// each fit is noted.
#if defined(ANEMONE_CPU_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_MATH_INL_H_
#undef ANEMONE_CPU_KERNELS_MATH_INL_H_
#else
#define ANEMONE_CPU_KERNELS_MATH_INL_H_
#endif

#include <cstdint>

#include "base/dtype.h"
#include "cpu/kernels/memory-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V>
HWY_INLINE V Polynomial(D d, V x, float c0) {
  (void)x;
  return hn::Set(d, c0);
}
template <class D, class V, class... C>
HWY_INLINE V Polynomial(D d, V x, float c0, C... rest) {
  return hn::MulAdd(Polynomial(d, x, rest...), x, hn::Set(d, c0));
}

// 3e-9 relative before rounding. Gradual underflow is kept; overflow gives infinity.
template <class D, class V>
HWY_INLINE V VectorExp(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = Clamp(d, x, -105.0f, 90.0f);
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  const V q = Polynomial(d, r, 0.49999994f, 0.16666515f, 0.041668456f, 0.008369419f, 0.0013813142f);
  const V y = hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0f));
  // 2^n in two factors: n reaches -152 and 130.
  const auto ni = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(ni);
  const auto bias = hn::Set(di, 127);
  const V s1 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V s2 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(ni, half), bias)));
  return hn::Mul(hn::Mul(y, s1), s2);
}

template <class D, class V>
HWY_INLINE V VectorSigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, VectorExp(d, hn::Neg(x))));
}

// Odd polynomial below 0.625 (6e-9), 1 - 2 / (exp(2x) + 1) above.
template <class D, class V>
HWY_INLINE V VectorTanh(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V a = hn::Abs(x);
  const V s = hn::Mul(x, x);
  const V small = hn::Mul(x, Polynomial(d, s, 1.0f, -0.3333323f, 0.13330415f, -0.05366528f,
                                        0.020415189f, -0.0054682638f));
  const V e = VectorExp(d, hn::Add(a, a));
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(e, one)));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.625f)), small, hn::CopySign(large, x));
}

// x P(x^2) below 1 (3e-11), 1 - exp(Q(x)) up to 4 (6e-11), 1 above.
template <class D, class V>
HWY_INLINE V VectorErf(D d, V x) {
  const V a = MinOf(hn::Set(d, 4.0f), hn::Abs(x));
  const V s = hn::Mul(a, a);
  const V small =
      hn::Mul(x, Polynomial(d, s, 1.1283792f, -0.37612638f, 0.11283782f, -0.0268654f, 0.0052209455f,
                            -0.0008482829f, 0.0001125695f, -9.641521e-06f));
  const V q = Polynomial(d, a, 0.00016920513f, -1.1294883f, -0.63340086f, -0.10822038f,
                         0.025080616f, -0.0041562547f, 0.00043139356f, -2.0828618e-05f);
  const V large = hn::Sub(hn::Set(d, 1.0f), VectorExp(d, q));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 1.0f)), small, hn::CopySign(large, x));
}

// x (1 + erf(x / sqrt 2)) / 2 with erf as x P(x^2) / Q(x^2) (4e-8) up to 5.9, where it is 1.
template <class D, class V>
HWY_INLINE V GeluErf(D d, V x) {
  const V limit = hn::Set(d, 5.9f);
  const V s = hn::Mul(x, x);
  const V p = Polynomial(d, s, 0.7978845f, 0.07114497f, 0.009550343f, 0.0003697281f, 1.265089e-05f,
                         4.121652e-08f);
  const V q = Polynomial(d, s, 1.0f, 0.255833f, 0.029610071f, 0.0019771298f, 7.8027311e-05f,
                         1.1324973e-06f);
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  const V y = hn::MulAdd(half, hn::Div(hn::Mul(x, p), q), half);
  const V inside = hn::IfThenElse(hn::Lt(x, hn::Neg(limit)), hn::Set(d, -0.0f), y);
  return hn::IfThenElse(hn::Gt(x, limit), x, inside);
}

template <class D, class V>
HWY_INLINE V GeluTanh(D d, V x) {
  const V inner = hn::Mul(hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x),
                          hn::Set(d, 0.797884561f));
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::MulAdd(half, VectorTanh(d, inner), half);
}

// max(x, 0) + log1p(exp(-|x|)).
template <class D, class V>
HWY_INLINE V VectorSoftplus(D d, V x) {
  const V tail = hn::Log1p(d, VectorExp(d, hn::Neg(hn::Abs(x))));
  return hn::Add(MaxOf(hn::Zero(d), x), tail);
}

template <class D, class V>
HWY_INLINE V HardSigmoid(D d, V x, float alpha, float beta) {
  return Clamp(d, hn::MulAdd(x, hn::Set(d, alpha), hn::Set(d, beta)), 0.0f, 1.0f);
}
template <class D, class V>
HWY_INLINE V HardSwish(D d, V x, float alpha, float beta) {
  return hn::Mul(HardSigmoid(d, x, alpha, beta), x);
}

// The whole number round(x / scale) + zero, ties to even, within [low, high]; NaN gives 0. A product
// with the reciprocal replaces the division, which takes several times as long, but where the
// quotient is so near to a tie that the two might round differently. (Their difference is less than
// 1e-4 for all quotients that are not beyond any range.)
template <class D, class V>
HWY_INLINE V Quantize(D d, V x, float scale, float zero, float low, float high) {
  constexpr float kAlmostTie = 0.4999f;
  const bool has_reciprocal = scale > 1e-30f && scale < 1e30f;
  const V product = hn::Mul(x, hn::Set(d, has_reciprocal ? 1.0f / scale : 0.0f));
  V whole = hn::Round(product);
  const auto near_tie = hn::Gt(hn::Abs(hn::Sub(product, whole)), hn::Set(d, kAlmostTie));
  if (HWY_UNLIKELY(!has_reciprocal || !hn::AllFalse(d, near_tie))) {
    whole = hn::Round(hn::Div(x, hn::Set(d, scale)));
  }
  whole = hn::Add(whole, hn::Set(d, zero));
  return hn::IfThenElse(hn::IsNaN(whole), hn::Zero(d), Clamp(d, whole, low, high));
}

// x / (1 + |x|), 1 at infinity.
template <class D, class V>
HWY_INLINE V Softsign(D d, V x) {
  x = Clamp(d, x, -3e38f, 3e38f);
  return hn::Div(x, hn::Add(hn::Abs(x), hn::Set(d, 1.0f)));
}

// Nearest half, ties to even.
template <class D, class V>
HWY_INLINE V RoundHalf(D d, V x) {
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
  const hn::Rebind<hwy::float16_t, D> dh;
  return hn::PromoteTo(d, hn::DemoteTo(dh, x));
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(x, d, lanes);
  for (float& lane : lanes) lane = HalfToFloat(FloatToHalf(lane));
  return hn::Load(d, lanes);
#endif
}

template <class D, class V>
HWY_INLINE V HardSwishOfHalf(D d, V x, float alpha, float beta) {
  return hn::Mul(RoundHalf(d, HardSigmoid(d, x, alpha, beta)), x);
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard
