// Folding of operators that move elements: the bytes are copied, whatever their type.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "onnx/fold.h"
#include "onnx/fold_table.h"
#include "ops/infer.h"

namespace anemone::onnx {

using ir::Shape;

namespace {

std::vector<int64_t> RowMajor(const Shape& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// Elements of `x` at offset + sum(index[d] * strides[d]) for every index of `dims`, row-major.
Constant Gathered(const Constant& x, Shape dims, int64_t offset,
                  const std::vector<int64_t>& strides) {
  const size_t width = static_cast<size_t>(BitWidth(x.dtype)) / 8;
  const int64_t count = ir::ElementCount(dims).value_or(0);
  std::vector<std::byte> out(static_cast<size_t>(count) * width);
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out.data() + static_cast<size_t>(i) * width,
                x.data.data() + static_cast<size_t>(offset) * width, width);
    for (size_t d = dims.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < dims[d]) break;
      offset -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
  return {x.dtype, std::move(dims), Bytes::FromVector(std::move(out))};
}

Result<Constant> Concat(const std::vector<const Constant*>& parts, size_t axis) {
  Shape dims = parts[0]->dims;
  const size_t width = static_cast<size_t>(BitWidth(parts[0]->dtype)) / 8;
  dims[axis] = 0;
  for (const auto* part : parts) {
    Shape expected = dims;
    if (part->dims.size() != dims.size() || part->dtype != parts[0]->dtype) {
      return InvalidInput("the inputs of Concat differ in rank or element type");
    }
    expected[axis] = part->dims[axis];
    if (part->dims != expected) {
      return InvalidInput("the inputs of Concat differ in a dim other than the axis");
    }
    dims[axis] += part->dims[axis];
  }
  if (!FoldableCount(dims)) return NotFolded();
  size_t outer = 1, inner = width;
  for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(dims[d]);
  for (size_t d = axis + 1; d < dims.size(); ++d) inner *= static_cast<size_t>(dims[d]);
  std::vector<std::byte> out;
  out.reserve(outer * static_cast<size_t>(dims[axis]) * inner);
  for (size_t o = 0; o < outer; ++o) {
    for (const auto* part : parts) {
      const size_t run = static_cast<size_t>(part->dims[axis]) * inner;
      const auto* begin = part->data.data() + o * run;
      out.insert(out.end(), begin, begin + run);
    }
  }
  return Constant{parts[0]->dtype, std::move(dims), Bytes::FromVector(std::move(out))};
}

Result<std::vector<Constant>> FoldIdentity(const FoldArgs& args) {
  return std::vector<Constant>{*args.In(0)};
}

Result<std::vector<Constant>> FoldShape(const FoldArgs& args) {
  const auto& dims = args.In(0)->dims;
  const auto rank = static_cast<int64_t>(dims.size());
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(args.Int("start", 0));
  const int64_t end = std::max(start, clamp(args.Int("end", rank)));
  return std::vector<Constant>{Constant::Int64s({dims.begin() + start, dims.begin() + end})};
}

Result<std::vector<Constant>> FoldSize(const FoldArgs& args) {
  return std::vector<Constant>{Constant::Int64s({args.In(0)->count()}, {})};
}

Result<std::vector<Constant>> FoldReshape(const FoldArgs& args) {
  const auto shape = args.Ints(1, "shape");
  if (!shape) return InvalidInput("Reshape has no shape");
  ANEMONE_ASSIGN(Shape dims, ReshapedDims(args.In(0)->dims, *shape, args.Int("allowzero", 0) != 0));
  return std::vector<Constant>{args.In(0)->Reshaped(std::move(dims))};
}

Result<std::vector<Constant>> FoldFlatten(const FoldArgs& args) {
  const auto& dims = args.In(0)->dims;
  int64_t axis = args.Int("axis", 1);
  if (axis < 0) axis += static_cast<int64_t>(dims.size());
  if (axis < 0 || axis > static_cast<int64_t>(dims.size())) {
    return InvalidInput("axis {} is outside rank {}", axis, dims.size());
  }
  int64_t rows = 1;
  for (int64_t d = 0; d < axis; ++d) rows *= dims[static_cast<size_t>(d)];
  int64_t columns = 1;
  for (size_t d = static_cast<size_t>(axis); d < dims.size(); ++d) columns *= dims[d];
  return std::vector<Constant>{args.In(0)->Reshaped({rows, columns})};
}

Result<std::vector<Constant>> FoldSqueeze(const FoldArgs& args) {
  ANEMONE_ASSIGN(Shape dims, SqueezedDims(args.In(0)->dims, args.Ints(1, "axes")));
  return std::vector<Constant>{args.In(0)->Reshaped(std::move(dims))};
}

Result<std::vector<Constant>> FoldUnsqueeze(const FoldArgs& args) {
  const auto axes = args.Ints(1, "axes");
  if (!axes) return InvalidInput("Unsqueeze has no axes");
  ANEMONE_ASSIGN(Shape dims, UnsqueezedDims(args.In(0)->dims, *axes));
  return std::vector<Constant>{args.In(0)->Reshaped(std::move(dims))};
}

Result<std::vector<Constant>> FoldTranspose(const FoldArgs& args) {
  ANEMONE_ASSIGN(const auto perm, Permutation(args.node, args.In(0)->dims.size()));
  return std::vector<Constant>{TransposeConstant(*args.In(0), perm)};
}

Result<std::vector<Constant>> FoldConcat(const FoldArgs& args) {
  ANEMONE_ASSIGN(
      const int64_t axis,
      ops::NormalizeAxis(args.Int("axis", 1), static_cast<int64_t>(args.In(0)->dims.size())));
  ANEMONE_ASSIGN(Constant out, Concat(args.inputs, static_cast<size_t>(axis)));
  return std::vector<Constant>{std::move(out)};
}

Result<std::vector<Constant>> FoldSlice(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  const auto starts = args.Ints(1, "starts");
  const auto ends = args.Ints(2, "ends");
  if (!starts || !ends) return InvalidInput("Slice has no starts or no ends");
  ANEMONE_ASSIGN(const auto ranges,
                 SliceRanges(x.dims, *starts, *ends, args.Ints(3, "axes"), args.Ints(4, "steps")));
  const auto own = RowMajor(x.dims);
  Shape dims(x.dims.size());
  std::vector<int64_t> strides(x.dims.size());
  int64_t offset = 0;
  for (size_t d = 0; d < dims.size(); ++d) {
    dims[d] = ranges[d].count;
    strides[d] = own[d] * ranges[d].step;
    offset += own[d] * ranges[d].start;
  }
  return std::vector<Constant>{Gathered(x, std::move(dims), offset, strides)};
}

Result<std::vector<Constant>> FoldSplit(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  ANEMONE_ASSIGN(const int64_t axis,
                 ops::NormalizeAxis(args.Int("axis", 0), static_cast<int64_t>(x.dims.size())));
  const auto d = static_cast<size_t>(axis);
  ANEMONE_ASSIGN(const auto sizes,
                 SplitSizes(x.dims[d], args.node.outputs.size(), args.Ints(1, "split")));
  const auto strides = RowMajor(x.dims);
  std::vector<Constant> parts;
  int64_t offset = 0;
  for (const int64_t size : sizes) {
    Shape dims = x.dims;
    dims[d] = size;
    parts.push_back(Gathered(x, std::move(dims), offset * strides[d], strides));
    offset += size;
  }
  return parts;
}

Result<std::vector<Constant>> FoldGather(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  ANEMONE_ASSIGN(const int64_t axis,
                 ops::NormalizeAxis(args.Int("axis", 0), static_cast<int64_t>(x.dims.size())));
  const auto indices = args.In(1)->AsInts();
  if (!indices) return InvalidInput("the indices of Gather are not integers");
  const auto d = static_cast<size_t>(axis);
  const int64_t size = x.dims[d];
  const size_t width = static_cast<size_t>(BitWidth(x.dtype)) / 8;
  size_t outer = 1, inner = width;
  for (size_t i = 0; i < d; ++i) outer *= static_cast<size_t>(x.dims[i]);
  for (size_t i = d + 1; i < x.dims.size(); ++i) inner *= static_cast<size_t>(x.dims[i]);
  Shape dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), args.In(1)->dims.begin(), args.In(1)->dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  if (!FoldableCount(dims)) return NotFolded();
  std::vector<std::byte> out(outer * indices->size() * inner);
  size_t at = 0;
  for (size_t o = 0; o < outer; ++o) {
    for (int64_t index : *indices) {
      if (index < 0) index += size;
      if (index < 0 || index >= size) {
        return InvalidInput("an index of Gather is outside a dim of {}", size);
      }
      std::memcpy(
          out.data() + at,
          x.data.data() + (o * static_cast<size_t>(size) + static_cast<size_t>(index)) * inner,
          inner);
      at += inner;
    }
  }
  return std::vector<Constant>{{x.dtype, std::move(dims), Bytes::FromVector(std::move(out))}};
}

Result<std::vector<Constant>> FoldExpand(const FoldArgs& args) {
  const auto shape = args.Ints(1, "shape");
  if (!shape) return InvalidInput("Expand has no shape");
  ANEMONE_ASSIGN(const Shape dims, ExpandedDims(args.In(0)->dims, *shape));
  if (!ComputableCount(dims)) return NotFolded();
  return std::vector<Constant>{BroadcastConstant(*args.In(0), dims)};
}

Result<std::vector<Constant>> FoldTile(const FoldArgs& args) {
  const Constant& x = *args.In(0);
  const auto repeats = args.Ints(1, "repeats");
  if (!repeats || repeats->size() != x.dims.size()) {
    return InvalidInput("Tile needs one repeat for each dim");
  }
  // Each dim d of repeat r is read as [r, d] with stride 0 along r.
  Shape pairs, dims;
  std::vector<int64_t> strides;
  const auto own = RowMajor(x.dims);
  for (size_t d = 0; d < x.dims.size(); ++d) {
    if ((*repeats)[d] < 0) return InvalidInput("a repeat of Tile is negative");
    int64_t size;
    if (__builtin_mul_overflow((*repeats)[d], x.dims[d], &size)) return NotFolded();
    dims.push_back(size);
    pairs.insert(pairs.end(), {(*repeats)[d], x.dims[d]});
    strides.insert(strides.end(), {0, own[d]});
  }
  if (!ComputableCount(dims)) return NotFolded();
  return std::vector<Constant>{Gathered(x, pairs, 0, strides).Reshaped(std::move(dims))};
}

Result<std::vector<Constant>> FoldConstantOfShape(const FoldArgs& args) {
  const auto dims = args.Ints(0, "");
  if (!dims) return InvalidInput("the shape of ConstantOfShape is not an integer tensor");
  for (const int64_t dim : *dims) {
    if (dim < 0) return InvalidInput("a dim of ConstantOfShape is negative");
  }
  Constant value = Constant::Floats({0.0f}, {});
  if (const auto* attribute = args.node.Find("value"); attribute && !attribute->tensors.empty()) {
    ANEMONE_ASSIGN(value, Constant::FromTensor(attribute->tensors[0]));
    if (value.count() != 1) return InvalidInput("the value of ConstantOfShape needs one element");
  }
  if (!ComputableCount(*dims)) return NotFolded();
  return std::vector<Constant>{BroadcastConstant(value.Reshaped({}), *dims)};
}

Result<std::vector<Constant>> FoldWhere(const FoldArgs& args) {
  ANEMONE_ASSIGN(const Shape branches,
                 ops::BroadcastShapes("", args.In(1)->dims, args.In(2)->dims));
  ANEMONE_ASSIGN(const Shape dims, ops::BroadcastShapes("", args.In(0)->dims, branches));
  if (!FoldableCount(dims)) return NotFolded();
  if (args.In(0)->dtype != DType::kBool || args.In(1)->dtype != args.In(2)->dtype) {
    return InvalidInput("Where needs a bool condition and two values of one type");
  }
  const Constant condition = BroadcastConstant(*args.In(0), dims);
  const Constant a = BroadcastConstant(*args.In(1), dims);
  const Constant b = BroadcastConstant(*args.In(2), dims);
  const size_t width = static_cast<size_t>(BitWidth(a.dtype)) / 8;
  std::vector<std::byte> out(a.data.size());
  for (size_t i = 0; i < condition.data.size(); ++i) {
    const auto& from = condition.data.data()[i] != std::byte{0} ? a : b;
    std::memcpy(out.data() + i * width, from.data.data() + i * width, width);
  }
  return std::vector<Constant>{{a.dtype, dims, Bytes::FromVector(std::move(out))}};
}

}  // namespace

Constant TransposeConstant(const Constant& x, const std::vector<int64_t>& perm) {
  const auto own = RowMajor(x.dims);
  Shape dims;
  std::vector<int64_t> strides;
  for (const int64_t from : perm) {
    dims.push_back(x.dims[static_cast<size_t>(from)]);
    strides.push_back(own[static_cast<size_t>(from)]);
  }
  return Gathered(x, std::move(dims), 0, strides);
}

Constant BroadcastConstant(const Constant& x, const Shape& dims) {
  if (x.dims == dims) return x;
  const auto own = RowMajor(x.dims);
  std::vector<int64_t> strides(dims.size(), 0);
  const size_t shift = dims.size() - x.dims.size();
  for (size_t d = 0; d < x.dims.size(); ++d) strides[shift + d] = x.dims[d] == 1 ? 0 : own[d];
  return Gathered(x, dims, 0, strides);
}

std::span<const FoldRow> StructureFolds() {
  static constexpr FoldRow kRows[] = {
      {"Identity", FoldIdentity, 1},   {"Shape", FoldShape, 1},
      {"Size", FoldSize, 1},           {"Reshape", FoldReshape, 1},
      {"Flatten", FoldFlatten, 1},     {"Squeeze", FoldSqueeze, 1},
      {"Unsqueeze", FoldUnsqueeze, 1}, {"Transpose", FoldTranspose, 1},
      {"Concat", FoldConcat, 1},       {"Slice", FoldSlice, 1},
      {"Split", FoldSplit, 1},         {"Gather", FoldGather, 2},
      {"Expand", FoldExpand, 2},       {"Tile", FoldTile, 2},
      {"Where", FoldWhere, 3},         {"ConstantOfShape", FoldConstantOfShape, 1},
  };
  return kRows;
}

}  // namespace anemone::onnx
