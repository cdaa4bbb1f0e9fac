#include "ops/tensor_ops/complex_torch.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "torch/context.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

constexpr int64_t kMaxMatrix = int64_t{1} << 24;

bool IsComplex(const TensorMeta& meta) {
  return meta.type == ScalarType::kComplexHalf || meta.type == ScalarType::kComplexFloat ||
         meta.type == ScalarType::kComplexDouble;
}

struct Parts {
  std::string real, imaginary;  // "" : zero
};

std::string Part(Context& c, const std::string& x, int64_t index) {
  return c.Op("Gather", {x, c.Int64(index)}, {Int("axis", -1)});
}

Parts PartsOf(Context& c, std::string_view name) {
  if (!IsComplex(c.Meta(name))) return {c.FloatIn(name), ""};
  const std::string x = c.Need(name);
  return {Part(c, x, 0), Part(c, x, 1)};
}

std::string Stacked(Context& c, const Parts& parts, int64_t rank) {
  return c.Op("Concat", {c.Unsqueeze(parts.real, {rank}), c.Unsqueeze(parts.imaginary, {rank})},
              {Int("axis", rank)});
}

// cos and sin of 2 pi j k / n for rows j and columns k, each row or column with a weight.
struct Waves {
  std::string cosine, sine;
};
Waves WavesOf(Context& c, int64_t rows, int64_t columns, int64_t n,
              const std::vector<double>& weights, double factor) {
  std::vector<float> cosine, sine;
  for (int64_t j = 0; j < rows; ++j) {
    for (int64_t k = 0; k < columns; ++k) {
      const double angle =
          2 * std::numbers::pi * static_cast<double>((j * k) % n) / static_cast<double>(n);
      const double weight = factor * (weights.empty() ? 1 : weights[static_cast<size_t>(j)]);
      cosine.push_back(static_cast<float>(weight * std::cos(angle)));
      sine.push_back(static_cast<float>(weight * std::sin(angle)));
    }
  }
  return {c.Known(onnx::Constant::Floats(std::move(cosine), {rows, columns})),
          c.Known(onnx::Constant::Floats(std::move(sine), {rows, columns}))};
}

// a b + sign * d e, where the second product may be absent.
std::string Combined(Context& c, const std::string& a, const std::string& b, const std::string& d,
                     const std::string& e, bool plus) {
  std::string first = a.empty() ? "" : c.Op("MatMul", {a, b});
  std::string second = d.empty() ? "" : c.Op("MatMul", {d, e});
  if (second.empty()) return first;
  if (first.empty()) return plus ? second : c.Op("Neg", {second});
  return c.Op(plus ? "Add" : "Sub", {first, second});
}

enum class Form : uint8_t { kFull, kRealIn, kRealOut };

struct Transform {
  bool inverse = false;
  Form form = Form::kFull;
  std::string norm;

  // What PyTorch's norm multiplies with, over n elements.
  double Factor(int64_t n) const {
    const auto count = static_cast<double>(n);
    if (norm == "ortho") return 1 / std::sqrt(count);
    return inverse == (norm == "forward") ? 1 : 1 / count;
  }
};

// The last axis of `size` elements, cut or filled with zeros to `wanted`.
std::string Fitted(Context& c, const std::string& x, int64_t rank, int64_t size, int64_t wanted) {
  if (x.empty() || size == wanted) return x;
  if (size > wanted) return c.Slice(x, rank - 1, 0, wanted);
  std::vector<int64_t> pads(2 * static_cast<size_t>(rank), 0);
  pads.back() = wanted - size;
  return c.Op("Pad", {x, c.Int64s(pads), c.Number(0)});
}

// One axis of `size` elements: the result has `n` of them, or n / 2 + 1 for a real input.
Result<Parts> Along(Context& c, Parts parts, int64_t rank, int64_t axis, int64_t size, int64_t n,
                    const Transform& how) {
  if (n < 1 || n * n > kMaxMatrix) return Unsupported("a transform of {} elements", n);
  std::vector<int64_t> perm;
  for (int64_t d = 0; d < rank; ++d) perm.push_back(d);
  std::swap(perm[static_cast<size_t>(axis)], perm.back());
  const auto turn = [&](const std::string& x) { return x.empty() ? x : c.Transpose(x, perm); };
  const int64_t half = n / 2 + 1;
  const int64_t taken = how.form == Form::kRealOut ? half : n;
  const int64_t given = how.form == Form::kRealIn ? half : n;
  parts.real = Fitted(c, turn(parts.real), rank, size, taken);
  parts.imaginary = Fitted(c, turn(parts.imaginary), rank, size, taken);
  std::vector<double> weights;
  if (how.form == Form::kRealOut) {
    // The other half of the spectrum is the conjugate: all but the ends count twice.
    weights.assign(static_cast<size_t>(half), 2);
    weights[0] = 1;
    if (n % 2 == 0) weights.back() = 1;
  }
  const Waves waves = WavesOf(c, taken, given, n, weights, how.Factor(n));
  Parts out;
  // (re + i im)(cos -+ i sin)
  out.real = Combined(c, parts.real, waves.cosine, parts.imaginary, waves.sine, !how.inverse);
  if (how.form != Form::kRealOut)
    out.imaginary = Combined(c, parts.imaginary, waves.cosine, parts.real, waves.sine, how.inverse);
  return Parts{turn(out.real), turn(out.imaginary)};
}

Transform ReadTransform(Context& c) {
  const std::string& target = c.node().target;
  Transform how;
  how.inverse = target.find("fft_i") != std::string::npos;
  const bool real = target.find("rfft") != std::string::npos;
  how.form = !real ? Form::kFull : how.inverse ? Form::kRealOut : Form::kRealIn;
  how.norm = c.Text("norm", "backward");
  return how;
}

Status Done(Context& c, const Parts& parts, int64_t rank) {
  if (parts.imaginary.empty()) return c.Set(0, parts.real);
  return c.Set(0, Stacked(c, parts, rank));
}

}  // namespace

Status EmitReal(Context& c) {
  if (!IsComplex(c.Meta("self"))) return c.Set(0, c.Need("self"));
  return c.Set(0, Part(c, c.Need("self"), 0));
}

Status EmitImag(Context& c) {
  if (!IsComplex(c.Meta("self"))) return InvalidInput("its input is real");
  return c.Set(0, Part(c, c.Need("self"), 1));
}

Status EmitComplex(Context& c) {
  const auto real = Context::DimsOf(c.Meta("real")), imaginary = Context::DimsOf(c.Meta("imag"));
  if (!real || real != imaginary) return Unsupported("parts of different or symbolic sizes");
  return c.Set(0, Stacked(c, {c.FloatIn("real"), c.FloatIn("imag")}, c.Rank("real")));
}

Status EmitSameParts(Context& c) { return c.Set(0, c.Need("self")); }

Status EmitFft(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", -1, rank);
  const Transform how = ReadTransform(c);
  const int64_t size = c.FixedDim("self", axis);
  const int64_t n = c.Int("n", how.form == Form::kRealOut ? 2 * (size - 1) : size);
  ANEMONE_ASSIGN(const Parts parts, Along(c, PartsOf(c, "self"), rank, axis, size, n, how));
  return Done(c, parts, rank);
}

// Several axes, one after the other; of a real input or output the last one alone is halved.
Status EmitFftN(Context& c) {
  const int64_t rank = c.Rank("self");
  const Transform how = ReadTransform(c);
  std::vector<int64_t> sizes = c.Ints("s"), axes = c.Ints("dim");
  if (axes.empty()) {
    const int64_t count = sizes.empty() ? rank : std::ssize(sizes);
    for (int64_t d = rank - count; d < rank; ++d) axes.push_back(d);
  }
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  if (!sizes.empty() && sizes.size() != axes.size())
    return InvalidInput("{} sizes for {} axes", sizes.size(), axes.size());
  if (axes.empty()) return InvalidInput("it has no axes");
  Parts parts = PartsOf(c, "self");
  const auto step = [&](size_t i, Form form) -> Status {
    const int64_t size = c.FixedDim("self", axes[i]);
    int64_t n = form == Form::kRealOut ? 2 * (size - 1) : size;
    if (!sizes.empty() && sizes[i] != -1) n = sizes[i];
    Transform one = how;
    one.form = form;
    ANEMONE_ASSIGN(parts, Along(c, parts, rank, axes[i], size, n, one));
    return {};
  };
  const size_t last = axes.size() - 1;
  if (how.form != Form::kRealOut) ANEMONE_TRY(step(last, how.form));
  for (size_t i = 0; i < last; ++i) ANEMONE_TRY(step(i, Form::kFull));
  if (how.form == Form::kRealOut) ANEMONE_TRY(step(last, how.form));
  return Done(c, parts, rank);
}

// [batch, samples] -> [batch, frequencies, frames].
Status EmitStft(Context& c) {
  const int64_t rank = c.Rank("self"), n = c.Int("n_fft", 1);
  const int64_t hop = c.Int("hop_length", n / 4), width = c.Int("win_length", n);
  if (c.Flag("center", false)) return Unsupported("center=True").Advise("pad the signal before");
  if (c.Has("window") && IsComplex(c.Meta("window"))) return Unsupported("a complex window");
  const int64_t samples = c.FixedDim("self", -1);
  if (n < 1 || hop < 1 || width < 1 || width > n || samples < n || n * n > kMaxMatrix)
    return InvalidInput("windows of {} over {} samples", n, samples);
  const bool onesided = c.Flag("onesided", !IsComplex(c.Meta("self")));
  const int64_t frames = (samples - n) / hop + 1, frequencies = onesided ? n / 2 + 1 : n;
  std::vector<int64_t> positions;
  for (int64_t frame = 0; frame < frames; ++frame) {
    for (int64_t i = 0; i < n; ++i) positions.push_back(frame * hop + i);
  }
  const std::string index = c.Known(onnx::Constant::Int64s(std::move(positions), {frames, n}));
  // A shorter window stands in the middle.
  const int64_t left = (n - width) / 2;
  std::string window;
  if (c.Has("window")) {
    window = c.FloatIn("window");
    if (width < n) window = c.Op("Pad", {window, c.Int64s({left, n - width - left}), c.Number(0)});
  } else if (width < n) {
    std::vector<float> values(static_cast<size_t>(n), 0.0f);
    std::fill_n(values.begin() + left, width, 1.0f);
    window = c.Known(onnx::Constant::Floats(std::move(values), {n}));
  }
  const auto framed = [&](const std::string& signal) {
    if (signal.empty()) return signal;
    const std::string x = c.Op("Gather", {signal, index}, {Int("axis", rank - 1)});
    return window.empty() ? x : c.Op("Mul", {x, window});
  };
  Parts parts = PartsOf(c, "self");
  parts = {framed(parts.real), framed(parts.imaginary)};
  const double factor = c.Flag("normalized", false) ? 1 / std::sqrt(static_cast<double>(n)) : 1;
  const Waves waves = WavesOf(c, n, frequencies, n, {}, factor);
  std::vector<int64_t> perm;
  for (int64_t d = 0; d <= rank; ++d) perm.push_back(d);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  const std::string real =
      c.Transpose(Combined(c, parts.real, waves.cosine, parts.imaginary, waves.sine, true), perm);
  const std::string imaginary =
      c.Transpose(Combined(c, parts.imaginary, waves.cosine, parts.real, waves.sine, false), perm);
  // Without return_complex the parts are a last dimension: the same tensor.
  return c.Set(0, Stacked(c, {real, imaginary}, rank + 1));
}

}  // namespace anemone::ops::tensor_ops
