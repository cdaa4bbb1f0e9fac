#include "ops/tensor_ops/signal_onnx.h"

#include <cmath>
#include <numbers>

#include "onnx/expansion.h"
#include "ops/infer.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

constexpr double kTurn = 2 * std::numbers::pi;

DType OutputType(const NodeContext& c) {
  const DType type = ToDType(static_cast<int32_t>(c.Int("output_datatype", 1)));
  return type == DType::kInvalid ? DType::kFp32 : type;
}

// One transform of `length` elements: real or complex (interleaved) numbers in and out.
struct Transform {
  int64_t length = 0;
  int64_t in = 0;        // elements of the input along the axis
  int64_t in_parts = 1;  // 2: complex
  bool inverse = false;
  bool onesided = false;

  int64_t out() const { return onesided && !inverse ? length / 2 + 1 : length; }
  int64_t out_parts() const { return onesided && inverse ? 1 : 2; }
};

// [in * in_parts, out * out_parts]. Elements of the input beyond the transform are not read, and
// those that it lacks count as 0.
std::vector<float> TransformMatrix(const Transform& t) {
  const int64_t columns = t.out() * t.out_parts();
  std::vector<float> matrix(static_cast<size_t>(t.in * t.in_parts * columns), 0.0f);
  const bool half = t.onesided && t.inverse;  // the input is one half of a symmetric spectrum
  const int64_t used = std::min(t.in, half ? t.length / 2 + 1 : t.length);
  for (int64_t j = 0; j < used; ++j) {
    for (int64_t k = 0; k < t.out(); ++k) {
      // The product is reduced first: a large angle would lose digits.
      const double angle = kTurn * static_cast<double>(j * k % t.length) /
                           static_cast<double>(t.length) * (t.inverse ? 1 : -1);
      double scale = t.inverse ? 1 / static_cast<double>(t.length) : 1;
      if (half && j != 0 && 2 * j != t.length) scale *= 2;
      const double cosine = std::cos(angle) * scale, sine = std::sin(angle) * scale;
      float* real = &matrix[static_cast<size_t>(j * t.in_parts * columns + k * t.out_parts())];
      real[0] = static_cast<float>(cosine);
      if (t.out_parts() == 2) real[1] = static_cast<float>(sine);
      if (t.in_parts == 1) continue;
      float* imaginary = real + columns;
      imaginary[0] = static_cast<float>(-sine);
      if (t.out_parts() == 2) imaginary[1] = static_cast<float>(cosine);
    }
  }
  return matrix;
}

Result<int64_t> Scalar(const NodeContext& c, size_t input, std::string_view what) {
  ANEMONE_ASSIGN(const double value, c.Number(input, what));
  return static_cast<int64_t>(value);
}

Status CheckTransform(const Transform& t) {
  if (t.length < 1) return InvalidInput("the length of the transform is {}", t.length);
  constexpr int64_t kLongest = int64_t{1} << 26;
  if (t.length <= kLongest && t.in <= kLongest &&
      t.in * t.in_parts * t.out() * 2 <= int64_t{1} << 26)
    return {};
  return Unsupported("a transform of {} elements, whose matrix would be too large", t.length)
      .Advise("use shorter frames");
}

}  // namespace

Status EmitWindow(NodeContext& c) {
  // The declared shape is the only one that a size known at run time can give.
  const ir::Shape* declared = c.Declared(0);
  int64_t size = 0;
  if (c.Has(0) && !c.Known(0) && declared != nullptr && declared->size() == 1) {
    size = declared->front();
  } else {
    ANEMONE_ASSIGN(size, Scalar(c, 0, "the size"));
  }
  if (size < 1 || !FoldableCount({size})) return InvalidInput("the size is {}", size);
  const auto steps = static_cast<double>(c.Int("periodic", 1) != 0 ? size : size - 1);
  const std::string& op = c.node().op;
  std::vector<double> values;
  for (int64_t i = 0; i < size; ++i) {
    const double angle = steps == 0 ? 0 : kTurn * static_cast<double>(i) / steps;
    if (op == "HannWindow") values.push_back(0.5 - 0.5 * std::cos(angle));
    if (op == "HammingWindow") values.push_back(25.0 / 46 - 21.0 / 46 * std::cos(angle));
    if (op == "BlackmanWindow")
      values.push_back(0.42 - 0.5 * std::cos(angle) + 0.08 * std::cos(2 * angle));
  }
  return c.SetConstant(0, onnx::Constant::FromDoubles(OutputType(c), values, {size}));
}

// Triangles on the mel scale over the bins of a spectrum.
Status EmitMelWeightMatrix(NodeContext& c) {
  ANEMONE_ASSIGN(const int64_t bands, Scalar(c, 0, "num_mel_bins"));
  ANEMONE_ASSIGN(const int64_t length, Scalar(c, 1, "dft_length"));
  ANEMONE_ASSIGN(const double rate, c.Number(2, "sample_rate"));
  ANEMONE_ASSIGN(const double low, c.Number(3, "lower_edge_hertz"));
  ANEMONE_ASSIGN(const double high, c.Number(4, "upper_edge_hertz"));
  const int64_t bins = length / 2 + 1;
  if (bands < 1 || length < 1 || !(rate > 0) || !FoldableCount({bins, bands})) {
    return InvalidInput("{} bands of {} elements at a rate of {}", bands, length, rate);
  }
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(high) - mel(low)) / static_cast<double>(bands + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < bands + 2; ++i) {
    const double hertz =
        700 * (std::pow(10.0, (mel(low) + step * static_cast<double>(i)) / 2595) - 1);
    const double edge = std::floor(static_cast<double>(length + 1) * hertz / rate);
    if (!(edge >= 0 && edge < static_cast<double>(bins))) {
      return InvalidInput("a band ends at {} Hz, beyond the spectrum", hertz);
    }
    edges.push_back(static_cast<int64_t>(edge));
  }
  std::vector<double> weights(static_cast<size_t>(bins * bands), 0.0);
  const auto at = [&](int64_t bin, int64_t band) -> double& {
    return weights[static_cast<size_t>(bin * bands + band)];
  };
  for (int64_t band = 0; band < bands; ++band) {
    const auto i = static_cast<size_t>(band);
    const int64_t left = edges[i], center = edges[i + 1], right = edges[i + 2];
    if (left == center) at(center, band) = 1;
    for (int64_t bin = left; center > left && bin <= center; ++bin) {
      at(bin, band) = static_cast<double>(bin - left) / static_cast<double>(center - left);
    }
    for (int64_t bin = center; bin < right; ++bin) {
      at(bin, band) = static_cast<double>(right - bin) / static_cast<double>(right - center);
    }
  }
  return c.SetConstant(0, onnx::Constant::FromDoubles(OutputType(c), weights, {bins, bands}));
}

Status EmitDft(NodeContext& c) {
  if (!c.Has(0) || c.Rank(0) < 2) return InvalidInput("the input needs rank 2 or more");
  int64_t axis = c.Int("axis", 1);
  if (c.opset() >= 20) {
    axis = -2;
    if (c.Has(2)) {
      ANEMONE_ASSIGN(axis, Scalar(c, 2, "the axis"));
    }
  }
  ANEMONE_ASSIGN(axis, NormalizeAxis(axis, c.Rank(0)));
  const ir::Shape& dims = c.Dims(0);
  const size_t last = dims.size() - 1, d = static_cast<size_t>(axis);
  if (d == last || dims[last] < 1 || dims[last] > 2) {
    return InvalidInput("an input of {} has no signal along axis {}", ir::ShapeToString(dims),
                        axis);
  }
  Transform t{.in = dims[d], .in_parts = dims[last]};
  t.inverse = c.Int("inverse", 0) != 0;
  t.onesided = c.Int("onesided", 0) != 0;
  t.length = t.onesided && t.inverse ? 2 * (t.in - 1) : t.in;
  if (c.Has(1)) {
    ANEMONE_ASSIGN(t.length, Scalar(c, 1, "dft_length"));
  }
  ANEMONE_TRY(CheckTransform(t));
  Expansion e(c);
  // The axis goes beside the parts, then both are one dimension of a product.
  std::vector<int64_t> perm;
  for (size_t i = 0; i < last; ++i) {
    if (i != d) perm.push_back(static_cast<int64_t>(i));
  }
  perm.push_back(axis);
  perm.push_back(static_cast<int64_t>(last));
  auto y = e.Op("Transpose", {e.In(0)}, {attribute::Ints("perm", perm)});
  ir::Shape out;
  int64_t rows = 1;
  for (size_t i = 0; i + 2 < perm.size(); ++i) {
    out.push_back(dims[static_cast<size_t>(perm[i])]);
    rows *= out.back();
  }
  y = e.Op("Reshape", {y, e.Int64s({rows, t.in * t.in_parts})});
  const auto matrix =
      onnx::Constant::Floats(TransformMatrix(t), {t.in * t.in_parts, t.out() * t.out_parts()});
  y = e.Op("MatMul", {y, e.Known(matrix)});
  out.push_back(t.out());
  out.push_back(t.out_parts());
  y = e.Op("Reshape", {y, e.Int64s(out)});
  std::vector<int64_t> back(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    back[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return e.Finish({e.Op("Transpose", {y}, {attribute::Ints("perm", back)})});
}

// The transforms of frames of a signal [batch, length, parts].
Status EmitStft(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("the signal or frame_step is missing");
  ir::Shape dims = c.Dims(0);
  if (dims.size() == 2) dims.push_back(1);
  if (dims.size() != 3 || dims[2] < 1 || dims[2] > 2) {
    return InvalidInput("a signal of {}", ir::ShapeToString(dims));
  }
  ANEMONE_ASSIGN(const int64_t step, Scalar(c, 1, "frame_step"));
  Transform t{.in_parts = dims[2]};
  t.onesided = c.Int("onesided", 1) != 0;
  t.length = c.Has(2) ? c.Dims(2)[0] : dims[1];
  if (c.Has(3)) {
    ANEMONE_ASSIGN(t.length, Scalar(c, 3, "frame_length"));
  }
  t.in = t.length;
  ANEMONE_TRY(CheckTransform(t));
  if (step < 1 || t.length > dims[1]) {
    return InvalidInput("frames of {} with a step of {} do not fit {} elements", t.length, step,
                        dims[1]);
  }
  const int64_t frames = (dims[1] - t.length) / step + 1;
  if (!FoldableCount({frames, t.length})) {
    return Unsupported("{} frames of {} elements", frames, t.length).Advise("use shorter signals");
  }
  std::vector<int64_t> at;
  for (int64_t frame = 0; frame < frames; ++frame) {
    for (int64_t j = 0; j < t.length; ++j) at.push_back(frame * step + j);
  }
  Expansion e(c);
  auto y = e.Op("Reshape", {e.In(0), e.Int64s(dims)});
  y = e.Op("Gather", {y, e.Int64s(std::move(at))}, {attribute::Int("axis", 1)});
  y = e.Op("Reshape", {y, e.Int64s({dims[0] * frames, t.length, t.in_parts})});
  if (e.Has(2)) y = e.Op("Mul", {y, e.Op("Unsqueeze", {e.In(2), e.Int64s({1})})});
  y = e.Op("Reshape", {y, e.Int64s({dims[0] * frames, t.length * t.in_parts})});
  const auto matrix =
      onnx::Constant::Floats(TransformMatrix(t), {t.in * t.in_parts, t.out() * t.out_parts()});
  y = e.Op("MatMul", {y, e.Known(matrix)});
  return e.Finish({e.Op("Reshape", {y, e.Int64s({dims[0], frames, t.out(), 2})})});
}

}  // namespace anemone::ops::tensor_ops
