#include <array>
#include <cmath>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/ops.h"

namespace anemone::ops::elementwise_binary {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;

// Each operator as a function of two numbers: of floats, of int32s, of bools.
struct Add {
  float operator()(float x, float y) const { return x + y; }
  int32_t operator()(int32_t x, int32_t y) const { return exec::WrapAdd(x, y); }
};
struct Sub {
  float operator()(float x, float y) const { return x - y; }
  int32_t operator()(int32_t x, int32_t y) const { return exec::WrapSub(x, y); }
};
struct Mul {
  float operator()(float x, float y) const { return x * y; }
  int32_t operator()(int32_t x, int32_t y) const { return exec::WrapMul(x, y); }
};
struct RealDiv {
  float operator()(float x, float y) const { return x / y; }
  int32_t operator()(int32_t x, int32_t y) const { return exec::TruncDiv(x, y); }
};
struct Mod {
  float operator()(float x, float y) const {
    const float remainder = std::fmod(x, y);
    if (remainder == 0) return std::copysign(0.0f, y);
    return (remainder < 0) != (y < 0) ? remainder + y : remainder;
  }
  int32_t operator()(int32_t x, int32_t y) const { return exec::FloorMod(x, y); }
};
struct FloorDiv {
  float operator()(float x, float y) const {
    if (y == 0) return x / y;
    // Not floor(x / y): the quotient may round up to a whole number n with y * n > x.
    const float remainder = std::fmod(x, y);
    float quotient = (x - remainder) / y;
    if (remainder != 0 && (remainder < 0) != (y < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(0.0f, x / y);
    const float floor = std::floor(quotient);
    return quotient - floor > 0.5f ? floor + 1 : floor;
  }
  int32_t operator()(int32_t x, int32_t y) const { return exec::FloorDiv(x, y); }
};
struct Pow {
  float operator()(float x, float y) const { return std::pow(x, y); }
  int32_t operator()(int32_t x, int32_t y) const { return exec::WrapPow(x, y); }
};
struct Maximum {
  template <typename T>
  T operator()(T x, T y) const {
    return x >= y || x != x ? x : y;  // x != x: NaN
  }
};
struct Minimum {
  template <typename T>
  T operator()(T x, T y) const {
    return x <= y || x != x ? x : y;
  }
};
struct Equal {
  template <typename T>
  bool operator()(T x, T y) const {
    return x == y;
  }
};
struct NotEqual {
  template <typename T>
  bool operator()(T x, T y) const {
    return x != y;
  }
};
struct Greater {
  template <typename T>
  bool operator()(T x, T y) const {
    return x > y;
  }
};
struct GreaterEqual {
  template <typename T>
  bool operator()(T x, T y) const {
    return x >= y;
  }
};
struct Less {
  template <typename T>
  bool operator()(T x, T y) const {
    return x < y;
  }
};
struct LessEqual {
  template <typename T>
  bool operator()(T x, T y) const {
    return x <= y;
  }
};
struct And {
  bool operator()(uint8_t x, uint8_t y) const { return x != 0 && y != 0; }
};
struct Or {
  bool operator()(uint8_t x, uint8_t y) const { return x != 0 || y != 0; }
};
struct Xor {
  bool operator()(uint8_t x, uint8_t y) const { return (x != 0) != (y != 0); }
};

template <typename In, typename Out, typename Op>
void Apply(const ConstTensor& x, const ConstTensor& y, const MutableTensor& out, Op op) {
  const In* a = x.As<In>();
  const In* b = y.As<In>();
  Out* z = out.As<Out>();
  if (x.shape == y.shape) {
    const int64_t count = out.count();
    for (int64_t i = 0; i < count; ++i) z[i] = op(a[i], b[i]);
    return;
  }
  exec::ForEachOffset<2>(
      out.shape,
      {exec::BroadcastStrides(x.shape, out.shape), exec::BroadcastStrides(y.shape, out.shape)},
      [&](const auto& at) { *z++ = op(a[at[0]], b[at[1]]); });
}

// Result of the operands' own type.
template <typename Op>
Status Arithmetic(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor y, context.Input("y"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kFp32) {
    Apply<float, float>(x, y, out, Op());
  } else if (x.dtype == DType::kInt32) {
    Apply<int32_t, int32_t>(x, y, out, Op());
  } else {
    return Unsupported("no kernel for tensors of {}", DTypeName(x.dtype));
  }
  return {};
}

// Bool result.
template <typename Op>
Status Compare(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor y, context.Input("y"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  if (x.dtype == DType::kFp32) {
    Apply<float, uint8_t>(x, y, out, Op());
  } else if (x.dtype == DType::kInt32) {
    Apply<int32_t, uint8_t>(x, y, out, Op());
  } else {
    return Unsupported("no kernel for tensors of {}", DTypeName(x.dtype));
  }
  return {};
}

template <typename Op>
Status Logical(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(ConstTensor y, context.Input("y"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  Apply<uint8_t, uint8_t>(x, y, out, Op());
  return {};
}

constexpr std::array<KernelEntry, 18> kKernels{{
    {"add", Arithmetic<Add>},
    {"equal", Compare<Equal>},
    {"floor_div", Arithmetic<FloorDiv>},
    {"greater", Compare<Greater>},
    {"greater_equal", Compare<GreaterEqual>},
    {"less", Compare<Less>},
    {"less_equal", Compare<LessEqual>},
    {"logical_and", Logical<And>},
    {"logical_or", Logical<Or>},
    {"logical_xor", Logical<Xor>},
    {"maximum", Arithmetic<Maximum>},
    {"minimum", Arithmetic<Minimum>},
    {"mod", Arithmetic<Mod>},
    {"mul", Arithmetic<Mul>},
    {"not_equal", Compare<NotEqual>},
    {"pow", Arithmetic<Pow>},
    {"real_div", Arithmetic<RealDiv>},
    {"sub", Arithmetic<Sub>},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::elementwise_binary
