#include "ops/tensor_ops/selection_onnx.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "onnx/places.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// Of non_maximum_suppression, which compares each with all that it has picked.
constexpr int64_t kMostBoxes = 1 << 20;

ir::Literal Int32(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }

// Of a constant the positions are known.
Status SetPlaces(NodeContext& c, const Constant& x, const std::vector<double>& values) {
  const size_t rank = x.dims.size();
  std::vector<size_t> found;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) found.push_back(i);
  }
  std::vector<int64_t> places(rank * found.size());
  int64_t stride = 1;
  for (size_t d = rank; d-- > 0; stride *= x.dims[d]) {
    for (size_t i = 0; i < found.size(); ++i) {
      places[d * found.size() + i] = static_cast<int64_t>(found[i]) / stride % x.dims[d];
    }
  }
  return c.SetConstant(
      0, Constant::FromInts(DType::kInt64, places,
                            {static_cast<int64_t>(rank), static_cast<int64_t>(found.size())}));
}

// The number that input `i` holds; `fallback` without one.
Result<double> Number(const NodeContext& c, size_t i, std::string_view what, double fallback) {
  if (!c.Has(i)) return fallback;
  const Constant* constant = c.Const(i);
  const auto numbers = constant != nullptr ? constant->AsDoubles() : std::nullopt;
  if (!numbers) {
    return Unsupported("{} that is known only at run time", what).Advise("make it an initializer");
  }
  if (numbers->size() != 1) return InvalidInput("{} is not one number", what);
  return numbers->front();
}

// Column `i` of the last axis, which stays.
ir::Value* Column(NodeContext& c, ir::Value* x, int64_t i) {
  return c.Op(
      "gather",
      {{"x", x}, {"indices", c.MakeConst(Constant::Int64s({i}), "column")}, {"axis", Int32(-1)}});
}

// Boxes [..., 4] with two opposite corners (y1, x1, y2, x2), in any order, as center x, center y,
// width, height.
ir::Value* FromCorners(NodeContext& c, ir::Value* boxes) {
  const auto center_and_size = [&](int64_t at) {
    ir::Value *a = Column(c, boxes, at), *b = Column(c, boxes, at + 2);
    ir::Value* center = c.Binary("mul", {c.Binary("add", {a, b}), c.Float32(0.5F)});
    return std::pair(center, c.Op("abs", {{"x", c.Binary("sub", {b, a})}}));
  };
  const auto [y, height] = center_and_size(0);
  const auto [x, width] = center_and_size(1);
  return c.Op("concat",
              {{"values", std::vector<ir::Value*>{x, y, width, height}}, {"axis", Int32(-1)}});
}

// What non_maximum_suppression gives of one class of an image each, int32 [pairs, most] with -1 in places
// that are not used, and the places that are used, [n, 2].
struct Picked {
  ir::Value* indices = nullptr;
  ir::Value* places = nullptr;
};
// `boxes` [pairs, count, 4] as center and size, `scores` of as many elements as there are boxes.
Picked PickBoxes(NodeContext& c, ir::Value* boxes, ir::Value* scores, int64_t pairs, int64_t count,
                 int64_t most, double overlap, std::optional<double> least) {
  // From iOS17 on features come before boxes, and there is no threshold of scores: boxes are picked by
  // descending score, so those below it can be left out afterward.
  const bool newer = c.target() >= ir::Opset::kIOS17;
  if (newer) boxes = c.Op("transpose", {{"x", boxes}, {"perm", ir::Ints({0, 2, 1})}});
  Args args{{"boxes", boxes},
            {"scores",
             c.Reshape(scores, newer ? ir::Shape{pairs, 1, count} : ir::Shape{pairs, count, 1})},
            {"iou_threshold", ir::Literal::Fp32(static_cast<float>(overlap))},
            {"max_boxes", Int32(most)},
            {"per_class_suppression", ir::Literal::Bool(false)}};
  if (!newer) {
    args.push_back({"score_threshold", ir::Literal::Fp32(std::numeric_limits<float>::lowest())});
  }
  const std::vector<ir::Value*> picked = c.MultiOp("non_maximum_suppression", std::move(args));
  if (!c.status().ok()) return {};
  ir::Value* used = c.Binary("greater_equal", {picked[2], c.MakeConst(Int32(0), "first")});
  if (least) {
    ir::Value* values = c.Reshape(picked[1], {pairs, most});
    used = c.Binary("logical_and",
                    {used, c.Binary("greater", {values, c.Float32(static_cast<float>(*least))})});
  }
  return {picked[2], PlacesOf(c, used)};
}

}  // namespace

Status EmitNonZero(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  if (c.Rank(0) == 0) return Unsupported("the positions of a scalar");
  if (const Constant* x = c.Const(0)) {
    if (const auto values = x->AsDoubles()) return SetPlaces(c, *x, *values);
  }
  return c.Emit("transpose", {{"x", PlacesOf(c, c.Value(0))}, {"perm", ir::Ints({1, 0})}});
}

Status EmitNonMaxSuppression(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (c.Rank(0) != 3 || c.Rank(1) != 3 || c.Dims(0)[2] != 4)
    return InvalidInput("boxes must be [images, boxes, 4], and scores [images, classes, boxes]");
  const int64_t images = c.Dims(1)[0], classes = c.Dims(1)[1], count = c.Dims(1)[2];
  if (c.Dims(0)[0] != images || c.Dims(0)[1] != count)
    return InvalidInput("boxes and scores differ in images or boxes");
  ANEMONE_ASSIGN(const double limit, Number(c, 2, "the number of boxes of a class", 0));
  ANEMONE_ASSIGN(const double overlap, Number(c, 3, "the overlap", 0));
  ANEMONE_ASSIGN(const double least, Number(c, 4, "the least score", 0));
  if (limit <= 0) return Unsupported("max_output_boxes_per_class is 0: its output is empty");
  const auto most = static_cast<int64_t>(std::min(limit, static_cast<double>(count)));

  ir::Value* boxes = c.Value(0);
  if (c.Int("center_point_box", 0) == 0) boxes = FromCorners(c, boxes);
  const int64_t pairs = images * classes;
  if (classes > 1) {
    boxes = c.Op("tile", {{"x", c.Reshape(boxes, {images, 1, count, 4})},
                          {"reps", ir::Ints({1, classes, 1, 1})}});
    boxes = c.Reshape(boxes, {pairs, count, 4});
  }
  const auto [indices, places] = PickBoxes(c, boxes, c.Value(1), pairs, count, most, overlap,
                                           c.Has(4) ? std::optional(least) : std::nullopt);
  ANEMONE_TRY(c.status());
  ir::Value* pair = Column(c, places, 0);
  ir::Value* box = c.Op(
      "expand_dims",
      {{"x", c.Op("gather_nd", {{"x", indices}, {"indices", places}})}, {"axes", ir::Ints({1})}});
  ir::Value* divisor = c.MakeConst(Int32(classes), "classes");
  std::vector<ir::Value*> columns{c.Binary("floor_div", {pair, divisor}),
                                  c.Binary("mod", {pair, divisor}), box};
  return c.Emit("concat", {{"values", std::move(columns)}, {"axis", Int32(1)}});
}

Status EmitPickBoxes(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (c.Rank(0) != 2 || c.Rank(1) != 1 || c.Dims(0)[1] != 4)
    return InvalidInput("boxes must be [boxes, 4], and scores [boxes]");
  const int64_t count = c.Sizes(1)[0];
  const int64_t most = c.symbols().BoundsOf(count).high;
  if (most > kMostBoxes) {
    return Unsupported("suppression among a number of boxes that has no bound of at most {}",
                       kMostBoxes)
        .Advise("keep a fixed number of boxes before it, as torch.topk does");
  }
  ir::Value* boxes = FromCorners(c, c.Reshape(c.Value(0), {1, count, 4}));
  const auto [indices, places] =
      PickBoxes(c, boxes, c.Value(1), 1, count, most, c.Float("iou_threshold", 0.5), std::nullopt);
  return c.Emit("gather_nd", {{"x", indices}, {"indices", places}});
}

}  // namespace anemone::ops::tensor_ops
