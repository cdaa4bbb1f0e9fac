#include "ops/slice/ranges.h"

#include <algorithm>

#include "ops/infer.h"

namespace anemone::ops::slice {
namespace {

constexpr std::string_view kLengths = "slice_c1";
constexpr std::string_view kStride = "slice_c2";
constexpr std::string_view kSqueeze = "slice_c3";

// The values of a vector parameter; empty when it is unknown, or absent without default.
Result<std::vector<int64_t>> VectorOf(const OpArgs& args, std::string_view param, size_t rank) {
  if (!args.Has(param)) return std::vector<int64_t>();
  const Type& type = args.TypeOf(param);
  const bool vector = !type.has_rank() ||
                      (type.rank() == 1 && DimsAgree(type.shape()[0], static_cast<int64_t>(rank)));
  if (!vector) {
    return Violates(kLengths, "{} is {}, but x has rank {}", param, type.ToString(), rank);
  }
  if (args.ValueOf(param) == nullptr) return std::vector<int64_t>();
  return args.Ints(param);
}

// ceil(a / b) for a of any sign and b > 0, but not below 0.
int64_t Steps(int64_t a, int64_t b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// A dimension of `size`, sliced as NumPy does; `begin` and `end` are null where masked.
Range KnownRange(int64_t size, const int64_t* begin, const int64_t* end, int64_t step) {
  // Indices run over [low, high]; for a negative step one before the first element is -1.
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? size : size - 1;
  const auto clamp = [&](int64_t at) {
    return std::clamp(at < 0 ? at + size : at, low, std::max(low, high));
  };
  Range range;
  range.step = step;
  range.first = begin != nullptr ? clamp(*begin) : (step > 0 ? low : high);
  const int64_t last = end != nullptr ? clamp(*end) : (step > 0 ? high : low);
  range.count = step > 0 ? Steps(last - range.first, step) : Steps(range.first - last, -step);
  return range;
}

// The same for an unknown `size`: only slices whose length cannot depend on it.
Range DynamicRange(const int64_t* begin, const int64_t* end, int64_t step) {
  Range range{.first = kDynamic, .step = step, .count = kDynamic};
  if (begin != nullptr && end != nullptr) {
    // A slice of at most one element, away from the end that moves.
    const bool from_front = *begin >= 0 && *end >= 0 && step > 0;
    const bool from_back = *begin < 0 && *end < 0 && step < 0;
    if (from_front || from_back) {
      const int64_t count = step > 0 ? Steps(*end - *begin, step) : Steps(*begin - *end, -step);
      if (count <= 1) range.count = count;
    }
  }
  if (begin != nullptr && end == nullptr) {
    if ((*begin == 0 && step < 0) || (*begin == -1 && step > 0)) range.count = 1;
  }
  return range;
}

}  // namespace

Result<std::vector<Range>> SliceRanges(const OpArgs& args) {
  const Type& x = args.TypeOf("x");
  const size_t rank = x.shape().size();
  ANEMONE_ASSIGN(const std::vector<int64_t> begin, VectorOf(args, "begin", rank));
  ANEMONE_ASSIGN(const std::vector<int64_t> end, VectorOf(args, "end", rank));
  ANEMONE_ASSIGN(const std::vector<int64_t> stride, VectorOf(args, "stride", rank));
  ANEMONE_ASSIGN(const std::vector<int64_t> begin_mask, VectorOf(args, "begin_mask", rank));
  ANEMONE_ASSIGN(const std::vector<int64_t> end_mask, VectorOf(args, "end_mask", rank));
  ANEMONE_ASSIGN(const std::vector<int64_t> squeeze_mask, VectorOf(args, "squeeze_mask", rank));

  std::vector<Range> ranges;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t size = x.shape()[i];
    const int64_t step = stride.empty() ? 1 : stride[i];
    if (step == 0) return Violates(kStride, "stride is 0 in dimension {}", i);
    const bool from_border = !begin_mask.empty() && begin_mask[i] != 0;
    const bool to_border = !end_mask.empty() && end_mask[i] != 0;

    if (!squeeze_mask.empty() && squeeze_mask[i] != 0) {
      Range range{.first = kDynamic, .step = 1, .count = 1, .squeezed = true};
      if (from_border) {
        range.first = 0;
      } else if (!begin.empty() && size != kDynamic) {
        if (begin[i] < -size || begin[i] >= size) {
          return Violates(kSqueeze, "index {} is outside dimension {} of size {}", begin[i], i,
                          size);
        }
        range.first = begin[i] < 0 ? begin[i] + size : begin[i];
      }
      ranges.push_back(range);
      continue;
    }

    const bool known = (from_border || !begin.empty()) && (to_border || !end.empty());
    const int64_t* from = from_border || begin.empty() ? nullptr : &begin[i];
    const int64_t* to = to_border || end.empty() ? nullptr : &end[i];
    if (!known) {
      ranges.push_back({.first = kDynamic, .step = step, .count = kDynamic});
    } else if (size != kDynamic) {
      ranges.push_back(KnownRange(size, from, to, step));
    } else {
      ranges.push_back(DynamicRange(from, to, step));
    }
  }
  return ranges;
}

Shape SlicedShape(const std::vector<Range>& ranges) {
  Shape shape;
  for (const Range& range : ranges) {
    if (!range.squeezed) shape.push_back(range.count);
  }
  return shape;
}

}  // namespace anemone::ops::slice
