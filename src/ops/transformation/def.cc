// Operators that keep all elements and change where they are: shapes, orders of axes, blocks of
// space and depth.
#include <algorithm>

#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/transformation/spatial.h"

namespace anemone::ops::transformation {
namespace {

constexpr std::string_view kReshapeShape = "reshape_c1";
constexpr std::string_view kReshapeUnknown = "reshape_c2";
constexpr std::string_view kReshapeZero = "reshape_c3";
constexpr std::string_view kReshapeCount = "reshape_c4";
constexpr std::string_view kLikeLists = "reshape_like_c1";
constexpr std::string_view kLikeStatic = "reshape_like_c2";
constexpr std::string_view kLikeCount = "reshape_like_c3";
constexpr std::string_view kExpandAxes = "expand_dims_c1";
constexpr std::string_view kSqueezeAxes = "squeeze_c1";
constexpr std::string_view kSqueezeSize = "squeeze_c2";
constexpr std::string_view kPerm = "transpose_c1";
constexpr std::string_view kReverseAxes = "reverse_c1";
constexpr std::string_view kSequenceAxes = "reverse_sequence_c1";
constexpr std::string_view kSequenceLengths = "reverse_sequence_c2";

constexpr std::string_view kBasic = "fp16 fp32 int32 bool";
constexpr std::string_view kSmallInts = "int8 uint8 int16 uint16";

// The sizes that stand for the zeros of reshape's `shape`: those of x at the same place; from ios17
// on counted from the right, and 1 where x has no such dimension.
Status ReplaceZeros(const OpArgs& args, const Shape& x, Shape* shape) {
  if (std::ranges::find(*shape, 0) == shape->end()) return {};
  const bool from_right = args.opset() >= Opset::kIOS17;
  if (!from_right && x.size() != shape->size()) {
    return Violates(kReshapeZero, "shape {} holds a 0, but has not the rank {} of x",
                    ir::ShapeToString(*shape), x.size());
  }
  for (size_t i = 0; i < shape->size(); ++i) {
    if ((*shape)[i] != 0) continue;
    const size_t right = shape->size() - i;  // 1 for the last dimension
    (*shape)[i] = right <= x.size() ? x[x.size() - right] : 1;
  }
  return {};
}

// Product of the known dimensions and number of the dynamic ones, `skip` left out.
struct Volume {
  int64_t known = 1;
  int dynamic = 0;
};
Result<Volume> VolumeOf(const Shape& shape, size_t skip = SIZE_MAX) {
  Volume volume;
  bool empty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i == skip) continue;
    if (shape[i] == kDynamic) {
      ++volume.dynamic;
    } else if (shape[i] == 0) {
      empty = true;
    } else {
      ANEMONE_ASSIGN(volume.known, MulDims(volume.known, shape[i]));
    }
  }
  if (empty) volume.known = 0;
  return volume;
}

Status InferReshape(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(Type unknown_type,
                 TypeOfUnknownShape(kReshapeShape, x.dtype(), args.TypeOf("shape")));
  if (!args.IsKnown("shape")) {
    outputs->push_back(std::move(unknown_type));
    return {};
  }
  ANEMONE_ASSIGN(Shape shape, args.Ints("shape"));
  size_t unknown = SIZE_MAX;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < -1) return Violates(kReshapeShape, "shape holds {}", shape[i]);
    if (shape[i] != -1) continue;
    if (unknown != SIZE_MAX) {
      return Violates(kReshapeUnknown, "shape {} holds -1 more than once", NumbersToString(shape));
    }
    unknown = i;
  }
  if (!x.has_rank()) {
    outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
    return {};
  }
  // Dynamic dimensions that a 0 copies are in both volumes and cancel.
  int copied = 0;
  const Shape wanted = shape;
  ANEMONE_TRY(ReplaceZeros(args, x.shape(), &shape));
  for (size_t i = 0; i < shape.size(); ++i) copied += wanted[i] == 0 && shape[i] == kDynamic;
  ANEMONE_ASSIGN(Volume from, VolumeOf(x.shape()));
  ANEMONE_ASSIGN(Volume to, VolumeOf(shape, unknown));
  from.dynamic -= copied;
  if (from.dynamic == 0) {
    if (unknown != SIZE_MAX && to.known != 0 && from.known % to.known == 0) {
      shape[unknown] = from.known / to.known;
    } else if (unknown != SIZE_MAX || from.known != to.known) {
      return Violates(kReshapeCount, "x of shape {} does not have as many elements as shape {}",
                      ir::ShapeToString(x.shape()), NumbersToString(wanted));
    }
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferReshapeLike(const OpArgs& args, std::vector<Type>* outputs) {
  const size_t count = args.Count("ref_tensors");
  for (std::string_view param : {"begins", "ends", "end_masks"}) {
    bool fits = args.Count(param) == count;
    for (size_t i = 0; fits && i < count; ++i) {
      fits = args.TypeOf(param, i).is_scalar() && args.ValueOf(param, i) != nullptr;
    }
    if (!fits) {
      return Violates(kLikeLists, "{} does not hold one known scalar for each of {} ref_tensors",
                      param, count);
    }
  }
  Shape shape;
  for (size_t i = 0; i < count; ++i) {
    const Type& ref = args.TypeOf("ref_tensors", i);
    if (!ref.has_rank()) return Violates(kLikeStatic, "ref_tensors[{}] has no known rank", i);
    // NumPy's slice of the shape: negative numbers count from the end, and all are clamped.
    const int64_t rank = ref.rank();
    const auto clamp = [rank](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const int64_t begin = clamp(args.ValueOf("begins", i)->AsInt().value_or(0));
    const bool to_end = args.ValueOf("end_masks", i)->AsBool().value_or(false);
    const int64_t end = to_end ? rank : clamp(args.ValueOf("ends", i)->AsInt().value_or(0));
    for (int64_t d = begin; d < end; ++d) shape.push_back(ref.shape()[static_cast<size_t>(d)]);
  }
  ANEMONE_ASSIGN(int64_t wanted, MulDims(shape, 0, shape.size()));
  if (std::ranges::find(shape, kDynamic) != shape.end()) {
    return Violates(kLikeStatic, "the new shape {} is dynamic", ir::ShapeToString(shape));
  }
  const Type& x = args.TypeOf("x");
  const std::optional<int64_t> elements = x.element_count();
  if (elements && *elements != wanted) {
    return Violates(kLikeCount, "x has {} elements, shape {} has {}", *elements,
                    ir::ShapeToString(shape), wanted);
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferExpandDims(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  ANEMONE_ASSIGN(std::vector<int64_t> axes, args.Ints("axes"));
  const int64_t rank = x.rank() + static_cast<int64_t>(axes.size());
  ANEMONE_ASSIGN(axes, NormalizeAxes(kExpandAxes, std::move(axes), rank));
  std::ranges::sort(axes);
  Shape shape = x.shape();
  for (int64_t axis : axes) shape.insert(shape.begin() + axis, 1);
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferSqueeze(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  std::vector<bool> dropped(x.shape().size(), false);
  if (args.Has("axes")) {
    ANEMONE_ASSIGN(std::vector<int64_t> axes, args.Ints("axes"));
    ANEMONE_ASSIGN(axes, NormalizeAxes(kSqueezeAxes, std::move(axes), x.rank()));
    for (int64_t axis : axes) {
      const auto at = static_cast<size_t>(axis);
      if (!DimsAgree(x.shape()[at], 1)) {
        return Violates(kSqueezeSize, "dimension {} has size {}", axis, x.shape()[at]);
      }
      dropped[at] = true;
    }
  } else {
    for (size_t i = 0; i < dropped.size(); ++i) dropped[i] = x.shape()[i] == 1;
  }
  Shape shape;
  for (size_t i = 0; i < dropped.size(); ++i) {
    if (!dropped[i]) shape.push_back(x.shape()[i]);
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferTranspose(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(std::vector<int64_t> perm, args.Ints("perm"));
  if (!x.has_rank()) {
    outputs->push_back(Type::Tensor(x.dtype(), Shape(perm.size(), kDynamic)));
    return {};
  }
  if (perm.size() != x.shape().size()) {
    return Violates(kPerm, "perm has {} elements, x has rank {}", perm.size(), x.rank());
  }
  ANEMONE_ASSIGN(perm, NormalizeAxes(kPerm, std::move(perm), x.rank()));
  Shape shape;
  for (int64_t axis : perm) shape.push_back(x.shape()[static_cast<size_t>(axis)]);
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferReverse(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (x.has_rank() && args.Has("axes")) {
    ANEMONE_ASSIGN(std::vector<int64_t> axes, args.Ints("axes"));
    ANEMONE_TRY(NormalizeAxes(kReverseAxes, std::move(axes), x.rank()).status());
  }
  outputs->push_back(x);
  return {};
}

Status InferReverseSequence(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (x.has_rank()) {
    ANEMONE_ASSIGN(int64_t seq, args.Int("seq_axis"));
    ANEMONE_ASSIGN(int64_t batch, args.Int("batch_axis"));
    ANEMONE_ASSIGN(seq, NormalizeAxis(kSequenceAxes, seq, x.rank()));
    ANEMONE_ASSIGN(batch, NormalizeAxis(kSequenceAxes, batch, x.rank()));
    const int64_t batches = x.shape()[static_cast<size_t>(batch)];
    const Type& lengths = args.TypeOf("lengths");
    if (lengths.has_rank() && (lengths.rank() != 1 || !DimsAgree(lengths.shape()[0], batches))) {
      return Violates(kSequenceLengths, "lengths is {}, the batch axis has size {}",
                      lengths.ToString(), batches);
    }
    if (args.IsKnown("lengths")) {
      ANEMONE_ASSIGN(std::vector<int64_t> values, args.Ints("lengths"));
      const int64_t size = x.shape()[static_cast<size_t>(seq)];
      for (int64_t value : values) {
        if (value < 0 || (size != kDynamic && value > size)) {
          return Violates(kSequenceLengths, "length {} on a sequence axis of size {}", value, size);
        }
      }
    }
  }
  outputs->push_back(x);
  return {};
}

std::vector<TypeDomain> Domains(bool with_u) {
  std::vector<TypeDomain> domains = {
      {.name = "T", .dtypes = kBasic, .wider_since = Opset::kIOS17, .wider_dtypes = kSmallInts}};
  if (with_u) {
    domains.push_back({.name = "U",
                       .dtypes = "int32",
                       .wider_since = Opset::kIOS17,
                       .wider_dtypes = "int8 int16"});
  }
  return domains;
}

}  // namespace

std::vector<OpDef> Defs() {
  std::vector<OpDef> defs = {
      {.name = "expand_dims",
       .doc = "x with dimensions of size 1 added, so that they stand at axes in the result.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "axes", .types = "int32", .constant = true}},
       .domains = Domains(false),
       .constraints = {{kExpandAxes,
                        "Each of axes is within [-r, r) for r = rank(x) + the number of axes, and "
                        "no two are the same."}},
       .infer = InferExpandDims,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "reshape",
       .doc = "The elements of x, in the same row-major order, under a new shape. A -1 stands for "
              "the size that makes the number of elements equal; a 0 for the size of x in that "
              "dimension, which from ios17 on is counted from the right.",
       .params = {{.name = "x", .types = "T"}, {.name = "shape", .types = "U"}},
       .domains = Domains(true),
       .constraints = {{kReshapeShape, "shape is a vector of at most 32 numbers, none below -1."},
                       {kReshapeUnknown, "shape holds -1 at most once."},
                       {kReshapeZero, "Before ios17, a shape with a 0 has the rank of x."},
                       {kReshapeCount, "x and the result have as many elements."}},
       .infer = InferReshape,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "reshape_like",
       .doc = "The elements of x under a shape pieced together from those of ref_tensors: "
              "dimensions begins[i] up to ends[i] of tensor i, or up to its last where "
              "end_masks[i] is set.",
       .since = Opset::kIOS16,
       .params = {{.name = "x", .types = "T"},
                  {.name = "ref_tensors", .types = "any", .variadic = true},
                  {.name = "begins", .types = "int32", .variadic = true},
                  {.name = "ends", .types = "int32", .variadic = true},
                  {.name = "end_masks", .types = "bool", .variadic = true}},
       .domains = Domains(false),
       .constraints = {{kLikeLists,
                        "begins, ends and end_masks hold one constant for each of ref_tensors."},
                       {kLikeStatic, "The new shape has no dynamic dimension."},
                       {kLikeCount, "x and the result have as many elements."}},
       .infer = InferReshapeLike,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "reverse",
       .doc = "x read backwards along axes, along all of them when absent.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "axes", .types = "int32", .required = false, .constant = true}},
       .domains = Domains(false),
       .constraints = {{kReverseAxes,
                        "Each of axes is within [-rank, rank), and no two are the same."}},
       .infer = InferReverse,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kOfFirst)},
      {.name = "reverse_sequence",
       .doc = "For each index b of batch_axis, the first lengths[b] elements along seq_axis read "
              "backwards; those after them stay.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "lengths", .types = "U"},
                  {.name = "seq_axis",
                   .types = "int32",
                   .required = false,
                   .constant = true,
                   .default_text = "0"},
                  {.name = "batch_axis",
                   .types = "int32",
                   .required = false,
                   .constant = true,
                   .default_text = "0"}},
       .domains = Domains(true),
       .constraints = {{kSequenceAxes, "seq_axis and batch_axis are within [-rank, rank)."},
                       {kSequenceLengths,
                        "lengths is a vector with one length, from 0 to the size of seq_axis, for "
                        "each index of batch_axis."}},
       .infer = InferReverseSequence,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kOfFirst)},
      {.name = "squeeze",
       .doc =
           "x without the dimensions at axes, which have size 1; without all of size 1 when axes "
           "is absent.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "axes", .types = "int32", .required = false, .constant = true}},
       .domains = Domains(false),
       .constraints = {{kSqueezeAxes,
                        "Each of axes is within [-rank, rank), and no two are the same."},
                       {kSqueezeSize, "The dimensions at axes have size 1."}},
       .infer = InferSqueeze,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "transpose",
       .doc = "x with its dimensions reordered: dimension i of the result is dimension perm[i] of "
              "x.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "perm", .types = "int32", .constant = true}},
       .domains = Domains(false),
       .constraints = {{kPerm, "perm names every dimension of x once."}},
       .infer = InferTranspose,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
  };
  std::ranges::move(SpatialDefs(), std::back_inserter(defs));
  return defs;
}

}  // namespace anemone::ops::transformation
