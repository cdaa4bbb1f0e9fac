#include "onnx/interpolation.h"

namespace anemone::onnx {
namespace {

// Between the first and the last element; `margin` elements more on both sides. What is further away
// reads as what is there, and an integer holds it.
std::string WithinSize(Expansion& e, const std::string& at, int64_t size, int64_t margin = 0) {
  return e.Op("Clip", {at, e.Number(static_cast<double>(-margin)),
                       e.Number(static_cast<double>(size - 1 + margin))});
}

// The tap at the whole number `at` (float), with what it reads when that is outside.
Tap TapAt(Expansion& e, std::string at, std::string weight, int64_t size, const Outside& outside) {
  if (outside.kind == Outside::kZeros) {
    const auto last = e.Number(static_cast<double>(size - 1));
    const auto inside =
        e.Op("And", {e.Op("GreaterOrEqual", {at, e.Number(0)}), e.Op("LessOrEqual", {at, last})});
    weight = e.Op("Where", {inside, weight, e.Number(0)});
  } else if (outside.kind == Outside::kReflect) {
    at = Reflected(e, at, outside.low, outside.high);
  }
  return {e.Cast(WithinSize(e, at, size), ElementType::kInt64), std::move(weight)};
}

// The position itself before its taps are looked for, as ONNX has it: the border and the mirrors hold
// for it first.
std::string Inside(Expansion& e, const std::string& position, int64_t size,
                   const Outside& outside) {
  constexpr int64_t kReach = 4;  // farther than any tap
  if (outside.kind == Outside::kBorder) return WithinSize(e, position, size);
  if (outside.kind == Outside::kReflect) return Reflected(e, position, outside.low, outside.high);
  return WithinSize(e, position, size, kReach);
}

// ((c3 x + c2) x + c1) x + c0.
std::string Cubic(Expansion& e, const std::string& x, double c3, double c2, double c1, double c0) {
  auto y = e.Op("Mul", {x, e.Number(c3)});
  y = e.Op("Mul", {e.Op("Add", {y, e.Number(c2)}), x});
  y = e.Op("Mul", {e.Op("Add", {y, e.Number(c1)}), x});
  return e.Op("Add", {y, e.Number(c0)});
}

}  // namespace

std::string Reflected(Expansion& e, const std::string& position, double low, double high) {
  const double range = high - low;
  if (range <= 0) return e.Op("Add", {e.Op("Mul", {position, e.Number(0)}), e.Number(low)});
  // A wave of triangles: of the distance from `low`, what is beyond a period is dropped.
  const auto from = e.Op("Sub", {position, e.Number(low)});
  const auto periods = e.Op("Floor", {e.Op("Div", {from, e.Number(2 * range)})});
  const auto rest = e.Op("Sub", {from, e.Op("Mul", {periods, e.Number(2 * range)})});
  const auto away = e.Op("Abs", {e.Op("Sub", {rest, e.Number(range)})});
  return e.Op("Sub", {e.Number(high), away});
}

Taps NearestTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside) {
  // Half-way goes to the even one, before what is outside is looked for.
  const auto at = Inside(e, e.Op("Round", {position}), size, outside);
  const auto one = e.Op("Add", {e.Op("Mul", {at, e.Number(0)}), e.Number(1)});
  return {TapAt(e, at, one, size, outside)};
}

Taps LinearTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside) {
  const auto at = Inside(e, position, size, outside);
  const auto low = e.Op("Floor", {at});
  const auto fraction = e.Op("Sub", {at, low});
  const auto high = e.Op("Add", {low, e.Number(1)});
  return {TapAt(e, low, e.Op("Sub", {e.Number(1), fraction}), size, outside),
          TapAt(e, high, fraction, size, outside)};
}

Taps CubicTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside) {
  constexpr double kA = -0.75;
  // Each tap is looked for by itself: at a border, the kernel reaches over it.
  const bool mirrors = outside.kind == Outside::kReflect;
  const auto at = Inside(e, position, size, mirrors ? outside : Outside{});
  const auto low = e.Op("Floor", {at});
  const auto x = e.Op("Sub", {at, low});
  const auto far = [&](double step) { return e.Op("Add", {low, e.Number(step)}); };
  // The kernel within one element of the place, and beyond: polynomials of the distance.
  const auto near = [&](const std::string& d) { return Cubic(e, d, kA + 2, -(kA + 3), 0, 1); };
  const auto beyond = [&](const std::string& d) {
    return Cubic(e, d, kA, -5 * kA, 8 * kA, -4 * kA);
  };
  const auto rest = e.Op("Sub", {e.Number(1), x});
  Taps taps;
  taps.push_back(TapAt(e, far(-1), beyond(e.Op("Add", {x, e.Number(1)})), size, outside));
  taps.push_back(TapAt(e, low, near(x), size, outside));
  taps.push_back(TapAt(e, far(1), near(rest), size, outside));
  taps.push_back(TapAt(e, far(2), beyond(e.Op("Add", {rest, e.Number(1)})), size, outside));
  return taps;
}

std::string RowsOf(Expansion& e, const std::string& images, int64_t batch, int64_t channels,
                   int64_t elements) {
  auto rows = e.Op("Reshape", {images, e.Int64s({batch, channels, elements})});
  rows = e.Op("Transpose", {rows}, {attribute::Ints("perm", {0, 2, 1})});
  return e.Op("Reshape", {rows, e.Int64s({-1, channels})});
}

std::string FirstRows(Expansion& e, int64_t batch, int64_t elements) {
  if (Symbols::IsSymbol(batch)) {
    const auto counted = e.Op("Range", {e.Int64(0), e.Int64(batch), e.Int64(1)});
    return e.Op("Reshape", {e.Op("Mul", {counted, e.Int64(elements)}), e.Int64s({-1, 1})});
  }
  std::vector<int64_t> first;
  for (int64_t b = 0; b < batch; ++b) first.push_back(b * elements);
  return e.Int64s(std::move(first), {batch, 1});
}

std::vector<std::string> TappedRows(Expansion& e, const std::string& rows, const std::string& first,
                                    const std::vector<Taps>& taps, const ir::Shape& spatial) {
  // The row of each combination and its weight, dimension after dimension.
  Taps all = {{first, ""}};
  for (size_t d = 0; d < taps.size(); ++d) {
    int64_t stride = 1;
    for (size_t i = d + 1; i < spatial.size(); ++i) stride *= spatial[i];
    Taps next;
    for (const Tap& tap : taps[d]) {
      const auto offset = stride == 1 ? tap.at : e.Op("Mul", {tap.at, e.Int64(stride)});
      for (const Tap& before : all) {
        next.push_back(
            {e.Op("Add", {before.at, offset}),
             before.weight.empty() ? tap.weight : e.Op("Mul", {before.weight, tap.weight})});
      }
    }
    all = std::move(next);
  }
  std::vector<std::string> parts;
  for (const Tap& tap : all) {
    const auto values = e.Op("Gather", {rows, tap.at}, {attribute::Int("axis", 0)});
    parts.push_back(e.Op("Mul", {values, e.Op("Unsqueeze", {tap.weight, e.Int64s({-1})})}));
  }
  return parts;
}

std::string SampleRows(Expansion& e, const std::string& rows, const std::string& first,
                       const std::vector<Taps>& taps, const ir::Shape& spatial) {
  const auto parts = TappedRows(e, rows, first, taps, spatial);
  std::string sum = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) sum = e.Op("Add", {sum, parts[i]});
  return sum;
}

}  // namespace anemone::onnx
