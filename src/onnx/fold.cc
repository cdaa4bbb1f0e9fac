#include "onnx/fold.h"

#include <algorithm>
#include <numeric>

#include "onnx/fold_table.h"
#include "ops/infer.h"

namespace anemone::onnx {

using ir::Shape;

namespace {

constexpr int64_t kMaxFoldedElements = int64_t{1} << 26;
// Arithmetic works on 8 bytes an element, of each operand and of the result.
constexpr int64_t kMaxComputedElements = int64_t{1} << 24;

}  // namespace

bool FoldableCount(const Shape& dims) {
  const auto count = ir::ElementCount(dims);
  return count && *count <= kMaxFoldedElements;
}

bool ComputableCount(const Shape& dims) {
  const auto count = ir::ElementCount(dims);
  return count && *count <= kMaxComputedElements;
}

int64_t FoldArgs::Int(std::string_view attribute, int64_t fallback) const {
  const auto* found = node.Find(attribute);
  return found != nullptr && found->kind == Attribute::Kind::kInt ? found->i : fallback;
}

std::optional<std::vector<int64_t>> FoldArgs::Ints(size_t i, std::string_view attribute) const {
  if (const auto* input = In(i)) return input->AsInts();
  if (const auto* found = node.Find(attribute)) return found->ints;
  return std::nullopt;
}

Result<Shape> ReshapedDims(const Shape& dims, const std::vector<int64_t>& shape, bool allow_zero) {
  Shape out = shape;
  const auto total = ir::ElementCount(dims);
  if (!total) return InvalidInput("the number of elements is not known");
  std::optional<size_t> inferred;
  int64_t known = 1;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == -1) {
      if (inferred) return InvalidInput("the shape {} holds -1 twice", ir::ShapeToString(shape));
      inferred = i;
      continue;
    }
    if (out[i] == 0 && !allow_zero) {
      if (i >= dims.size()) {
        return InvalidInput("the shape copies dim {}, but the input has rank {}", i, dims.size());
      }
      out[i] = dims[i];
    }
    if (out[i] < 0) return InvalidInput("the shape holds {}", out[i]);
    if (__builtin_mul_overflow(known, out[i], &known)) {
      return InvalidInput("the product of the shape overflows 64 bits");
    }
  }
  if (inferred) {
    if (known == 0 || *total % known != 0) {
      return InvalidInput("{} elements do not fill the shape {}", *total, ir::ShapeToString(shape));
    }
    out[*inferred] = *total / known;
  } else if (known != *total) {
    return InvalidInput("{} elements do not fill the shape {}", *total, ir::ShapeToString(out));
  }
  return out;
}

Result<Shape> ExpandedDims(const Shape& dims, const std::vector<int64_t>& shape) {
  for (const int64_t dim : shape) {
    if (dim < 0) return InvalidInput("the shape holds {}", dim);
  }
  return ops::BroadcastShapes("", dims, shape);
}

Result<std::vector<SliceRange>> SliceRanges(const Shape& dims, const std::vector<int64_t>& starts,
                                            const std::vector<int64_t>& ends,
                                            const std::optional<std::vector<int64_t>>& axes,
                                            const std::optional<std::vector<int64_t>>& steps) {
  std::vector<SliceRange> ranges(dims.size());
  for (size_t d = 0; d < dims.size(); ++d) ranges[d].count = dims[d];
  std::vector<int64_t> along(starts.size());
  std::iota(along.begin(), along.end(), 0);
  if (axes) along = *axes;
  if (ends.size() != starts.size() || along.size() != starts.size() ||
      (steps && steps->size() != starts.size())) {
    return InvalidInput("starts, ends, axes and steps differ in length");
  }
  ANEMONE_ASSIGN(along, ops::NormalizeAxes(along, static_cast<int64_t>(dims.size())));
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto d = static_cast<size_t>(along[i]);
    const int64_t size = dims[d];
    const int64_t step = steps ? (*steps)[i] : 1;
    if (step == 0) return InvalidInput("a step is 0");
    const auto resolve = [&](int64_t at, int64_t low, int64_t high) {
      if (at < 0) at = at < -size ? low : at + size;
      return std::clamp(at, low, high);
    };
    SliceRange& range = ranges[d];
    range.step = step;
    if (step > 0) {
      range.start = resolve(starts[i], 0, size);
      const int64_t end = resolve(ends[i], 0, size);
      range.count = end > range.start ? (end - range.start - 1) / step + 1 : 0;
    } else {
      range.start = resolve(starts[i], -1, size - 1);
      const int64_t end = resolve(ends[i], -1, size - 1);
      // The unsigned negation is right for the most negative step too.
      const uint64_t stride = 0 - static_cast<uint64_t>(step);
      range.count =
          range.start > end
              ? static_cast<int64_t>(static_cast<uint64_t>(range.start - end - 1) / stride) + 1
              : 0;
    }
    if (range.count <= 1) range.step = step > 0 ? 1 : -1;
    if (range.count == 0) range.start = 0;
  }
  return ranges;
}

Result<std::vector<int64_t>> SplitSizes(int64_t size, size_t outputs,
                                        const std::optional<std::vector<int64_t>>& sizes) {
  if (outputs == 0) return InvalidInput("Split has no outputs");
  if (!sizes) {
    const auto parts = static_cast<int64_t>(outputs);
    const int64_t chunk = (size + parts - 1) / parts;
    std::vector<int64_t> out(outputs, chunk);
    out.back() = size - chunk * (parts - 1);
    if (out.back() < 0) return InvalidInput("a dim of {} cannot be split into {}", size, outputs);
    return out;
  }
  if (sizes->size() != outputs) {
    return InvalidInput("Split has {} outputs but {} sizes", outputs, sizes->size());
  }
  int64_t left = size;
  for (const int64_t part : *sizes) {
    if (part < 0 || part > left)
      return InvalidInput("the sizes of Split do not add up to {}", size);
    left -= part;
  }
  if (left != 0) return InvalidInput("the sizes of Split do not add up to {}", size);
  return *sizes;
}

Result<Shape> SqueezedDims(const Shape& dims, const std::optional<std::vector<int64_t>>& axes) {
  Shape out;
  if (!axes) {
    std::copy_if(dims.begin(), dims.end(), std::back_inserter(out),
                 [](int64_t d) { return d != 1; });
    return out;
  }
  ANEMONE_ASSIGN(const auto drop, ops::NormalizeAxes(*axes, static_cast<int64_t>(dims.size())));
  for (size_t d = 0; d < dims.size(); ++d) {
    if (std::find(drop.begin(), drop.end(), static_cast<int64_t>(d)) == drop.end()) {
      out.push_back(dims[d]);
    } else if (dims[d] != 1) {
      return InvalidInput("dim {} has {} elements and cannot be squeezed", d, dims[d]);
    }
  }
  return out;
}

Result<Shape> UnsqueezedDims(const Shape& dims, const std::vector<int64_t>& axes) {
  const size_t rank = dims.size() + axes.size();
  ANEMONE_ASSIGN(const auto added, ops::NormalizeAxes(axes, static_cast<int64_t>(rank)));
  Shape out(rank, 0);
  for (const int64_t axis : added) out[static_cast<size_t>(axis)] = 1;
  size_t from = 0;
  for (size_t d = 0; d < rank; ++d) {
    if (std::find(added.begin(), added.end(), static_cast<int64_t>(d)) == added.end()) {
      out[d] = dims[from++];
    }
  }
  return out;
}

Result<std::vector<int64_t>> Permutation(const Node& node, size_t rank) {
  std::vector<int64_t> perm(rank);
  if (const auto* attribute = node.Find("perm")) {
    if (attribute->ints.size() != rank) {
      return InvalidInput("perm has {} axes, but the input has rank {}", attribute->ints.size(),
                          rank);
    }
    return ops::NormalizeAxes(attribute->ints, static_cast<int64_t>(rank));
  }
  std::iota(perm.rbegin(), perm.rend(), 0);
  return perm;
}

Result<std::optional<std::vector<Constant>>> FoldNode(const FoldArgs& args) {
  if (!args.node.domain.empty()) return std::optional<std::vector<Constant>>();
  for (const auto rows : {StructureFolds(), MathFolds()}) {
    for (const auto& row : rows) {
      if (row.op != args.node.op) continue;
      for (size_t i = 0; i < row.required; ++i) {
        if (args.In(i) == nullptr) return InvalidInput("input {} is missing", i);
      }
      for (const auto* input : args.inputs) {
        if (input != nullptr && IsSubByte(input->dtype))
          return std::optional<std::vector<Constant>>();
      }
      auto outputs = row.fold(args);
      if (outputs.ok()) return std::optional(std::move(*outputs));
      if (outputs.error().code() == ErrorCode::kUnavailable)
        return std::optional<std::vector<Constant>>();
      return std::move(outputs).error();
    }
  }
  return std::optional<std::vector<Constant>>();
}

}  // namespace anemone::onnx
