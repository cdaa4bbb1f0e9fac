// Layers that keep the elements and change their order or their dimensions.
#include <algorithm>
#include <numeric>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// ---- layers of [sequence, batch, channel, height, width]

// [N, C, H, W] as [N, H, W, C], the order that CHANNEL_LAST reads.
ir::Value* ChannelLast(LayerContext& c, ir::Value* x) { return c.Transpose(x, {0, 2, 3, 1}); }

Status EmitFlatten(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  ir::Value* x = c.Nchw(0);
  if (c.layer().flatten().mode() == nn::FlattenLayerParams::CHANNEL_LAST) {
    x = ChannelLast(c, x);
  } else if (c.layer().flatten().mode() != nn::FlattenLayerParams::CHANNEL_FIRST) {
    return InvalidInput("mode {} is unknown", static_cast<int>(c.layer().flatten().mode()));
  }
  ANEMONE_TRY(c.status());
  const ir::Shape& shape = x->type.shape();
  int64_t size = 1;
  for (size_t d = 1; d < 4; ++d) {
    size = size == ir::kDynamic || shape[d] == ir::kDynamic ? ir::kDynamic : size * shape[d];
  }
  return c.SetNchw(0, c.View(x, {shape[0], size, 1, 1}), 0);
}

Status EmitReshape(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::ReshapeLayerParams& params = c.layer().reshape();
  ir::Shape target(params.targetshape().begin(), params.targetshape().end());
  if (target.size() != 3 && target.size() != 4) {
    return InvalidInput("targetShape has {} sizes, not 3 or 4", target.size());
  }
  for (const int64_t size : target) {
    if (size < 1 || size > INT32_MAX) return InvalidInput("targetShape holds {}", size);
  }
  const ir::Shape& dims = c.Dims(0);
  // Four sizes begin with that of the sequence; the batch is kept.
  const bool sequence = target.size() == 4;
  const int64_t batch = dims.size() > 3 ? dims.end()[-4] : 1;
  ir::Shape lead;
  if (sequence) {
    lead = dims.size() == 5 ? ir::Shape{target[0], batch} : ir::Shape{target[0]};
    if (dims.size() == 5 && batch != 1) {
      return Unsupported("a new sequence length in a batch of {}", batch);
    }
    target.erase(target.begin());
  } else {
    lead.assign(dims.begin(), dims.end() - 3);
  }
  const bool last = params.mode() == nn::ReshapeLayerParams::CHANNEL_LAST;
  if (!last && params.mode() != nn::ReshapeLayerParams::CHANNEL_FIRST) {
    return InvalidInput("mode {} is unknown", static_cast<int>(params.mode()));
  }
  ir::Value* x = c.Nchw(0);
  int64_t count = 1;
  for (const int64_t dim : lead) count = dim == ir::kDynamic ? ir::kDynamic : count * dim;
  if (last) {
    x = c.View(ChannelLast(c, x), {count, target[1], target[2], target[0]});
    x = c.Transpose(x, {0, 3, 1, 2});
  } else {
    x = c.View(x, {count, target[0], target[1], target[2]});
  }
  ir::Shape result = lead;
  result.insert(result.end(), target.begin(), target.end());
  return c.SetView(0, x, std::move(result));
}

Status EmitPermute(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const auto& given = c.layer().permute().axis();
  std::vector<int64_t> axis(given.begin(), given.end());
  std::vector<int64_t> sorted = axis;
  std::ranges::sort(sorted);
  if (sorted != std::vector<int64_t>{0, 1, 2, 3}) {
    return InvalidInput("axis is not an order of sequence, channel, height and width");
  }
  if (axis[0] == 0) return c.SetNchw(0, c.Transpose(c.Nchw(0), axis), 0);
  // The sequence changes its place; the batch keeps it.
  ir::Shape dims = c.Dims(0);
  dims.insert(dims.begin(), 5 - dims.size(), 1);
  ir::Value* x = c.View(c.Carried(0), dims);
  std::vector<int64_t> perm;
  for (const int64_t from : axis) perm.push_back(from == 0 ? 0 : from + 1);
  perm.insert(perm.begin() + 1, 1);
  return c.Set(0, c.Transpose(x, perm));
}

Status EmitReorganizeData(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::ReorganizeDataLayerParams& params = c.layer().reorganizedata();
  ANEMONE_ASSIGN(const int64_t block, CheckedSize(params.blocksize(), "blockSize", 2));
  const ir::Literal size = ir::Literal::Int32(static_cast<int32_t>(block));
  ir::Value* x = c.Nchw(0);
  switch (params.mode()) {
    case nn::ReorganizeDataLayerParams::SPACE_TO_DEPTH:
      return c.SetNchw(0, c.Op("space_to_depth", {{"x", x}, {"block_size", size}}), 0);
    case nn::ReorganizeDataLayerParams::DEPTH_TO_SPACE:
      return c.SetNchw(0, c.Op("depth_to_space", {{"x", x}, {"block_size", size}}), 0);
    case nn::ReorganizeDataLayerParams::PIXEL_SHUFFLE:
      return c.SetNchw(0, c.Op("pixel_shuffle", {{"x", x}, {"upscale_factor", size}}), 0);
    default:
      return InvalidInput("mode {} is unknown", static_cast<int>(params.mode()));
  }
}

// ---- layers of any rank

Status EmitTranspose(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const auto& axes = c.layer().transpose().axes();
  std::vector<int64_t> perm;
  for (const uint64_t axis : axes) perm.push_back(static_cast<int64_t>(axis));
  std::vector<int64_t> sorted = perm, all(static_cast<size_t>(c.Rank(0)));
  std::ranges::sort(sorted);
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all) return InvalidInput("axes is not an order of {} dimensions", c.Rank(0));
  return c.Set(0, c.Transpose(c.Raw(0), perm));
}

Status EmitSqueeze(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0));
  const nn::SqueezeLayerParams& params = c.layer().squeeze();
  ir::Shape dims = c.Dims(0);
  std::vector<bool> dropped(dims.size(), false);
  if (params.squeezeall()) {
    for (size_t d = 0; d < dims.size(); ++d) dropped[d] = dims[d] == 1;
  } else {
    for (const int64_t given : params.axes()) {
      ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, given));
      if (dims[static_cast<size_t>(axis)] != 1 && dims[static_cast<size_t>(axis)] != ir::kDynamic) {
        return InvalidInput("dimension {} has the size {}, not 1", axis,
                            dims[static_cast<size_t>(axis)]);
      }
      dropped[static_cast<size_t>(axis)] = true;
    }
  }
  ir::Shape left;
  std::vector<int64_t> axes;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dropped[d]) {
      axes.push_back(static_cast<int64_t>(d));
    } else {
      left.push_back(dims[d]);
    }
  }
  if (left.empty()) return c.Set(0, c.View(c.Raw(0), {1}));
  if (axes.empty()) return c.SetBlob(0, c.In(0));
  return c.Set(0, c.Op("squeeze", {{"x", c.Raw(0)}, {"axes", ir::Ints(axes)}}));
}

Status EmitExpandDims(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0));
  const auto& axes = c.layer().expanddims().axes();
  if (c.In(0).scalar && !axes.empty()) {
    ir::Shape ones(static_cast<size_t>(axes.size()), 1);
    if (ones.size() > kMaxRank) return InvalidInput("{} dimensions are added to 0", ones.size());
    for (const int64_t axis : axes) {
      if (axis < -axes.size() || axis >= axes.size()) {
        return InvalidInput("axis {} of rank {}", axis, axes.size());
      }
    }
    return c.Set(0, c.View(c.Raw(0), ones));
  }
  if (c.Rank(0) + axes.size() > kMaxRank) {
    return InvalidInput("{} dimensions are added to {}", axes.size(), c.Rank(0));
  }
  return c.Set(
      0, c.Op("expand_dims", {{"x", c.Raw(0)}, {"axes", ir::Ints({axes.begin(), axes.end()})}}));
}

Status EmitFlattenTo2d(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const int64_t axis = c.layer().flattento2d().axis();
  ANEMONE_TRY(c.CheckRank(0));
  if (axis < -c.Rank(0) || axis > c.Rank(0)) {
    return InvalidInput("axis {} of an input of rank {}", axis, c.Rank(0));
  }
  return c.Set(0, c.Op("flatten2d", {{"x", c.Raw(0)},
                                     {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}}));
}

Result<std::vector<int64_t>> TargetShape(const google::protobuf::RepeatedField<int64_t>& given,
                                         int64_t least) {
  if (given.empty() || given.size() > kMaxRank) {
    return InvalidInput("targetShape has {} sizes", given.size());
  }
  for (const int64_t size : given) {
    if (size < -1 || size > INT32_MAX || (size != -1 && size < least)) {
      return InvalidInput("targetShape holds {}", size);
    }
  }
  return std::vector<int64_t>(given.begin(), given.end());
}

Status EmitReshapeStatic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_ASSIGN(const auto shape, TargetShape(c.layer().reshapestatic().targetshape(), 1));
  return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", ir::Ints(shape)}}));
}

Status EmitRankPreservingReshape(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  ANEMONE_ASSIGN(const auto shape, TargetShape(c.layer().rankpreservingreshape().targetshape(), 0));
  if (static_cast<int64_t>(shape.size()) != c.Rank(0)) {
    return InvalidInput("targetShape has {} sizes for rank {}", shape.size(), c.Rank(0));
  }
  return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", ir::Ints(shape)}}));
}

Status EmitReshapeDynamic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  if (const auto known = c.KnownInts(1)) {
    return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", ir::Ints(*known)}}));
  }
  return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", c.Int(1)}}));
}

Status EmitReshapeLike(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  if (c.In(1).ranked && IsStatic(c.Dims(1))) {
    return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", ir::Ints(c.Dims(1))}}));
  }
  ir::Value* shape = c.Op("shape", {{"x", c.Raw(1)}});
  return c.Set(0, c.Op("reshape", {{"x", c.Raw(0)}, {"shape", shape}}));
}

Status EmitReverse(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const auto& reversed = c.layer().reverse().reversedim();
  if (reversed.size() != c.Rank(0)) {
    return InvalidInput("reverseDim has {} values for rank {}", reversed.size(), c.Rank(0));
  }
  std::vector<int64_t> axes;
  for (int d = 0; d < reversed.size(); ++d) {
    if (reversed[d]) axes.push_back(d);
  }
  if (axes.empty()) return c.SetBlob(0, c.In(0));
  return c.Set(0, c.Op("reverse", {{"x", c.Raw(0)}, {"axes", ir::Ints(axes)}}));
}

Status EmitReverseSeq(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ANEMONE_ASSIGN(const int64_t batch, c.Axis(0, c.layer().reverseseq().batchaxis()));
  ANEMONE_ASSIGN(const int64_t sequence, c.Axis(0, c.layer().reverseseq().sequenceaxis()));
  return c.Set(0, c.Op("reverse_sequence",
                       {{"x", c.Raw(0)},
                        {"lengths", c.Int(1)},
                        {"seq_axis", ir::Literal::Int32(static_cast<int32_t>(sequence))},
                        {"batch_axis", ir::Literal::Int32(static_cast<int32_t>(batch))}}));
}

constexpr LayerRow kReshapingRows[] = {
    {Layer::kFlatten, "flatten", EmitFlatten, "reshape, transpose"},
    {Layer::kReshape, "reshape", EmitReshape, "reshape, transpose",
     "a new sequence length in a batch of more than one"},
    {Layer::kPermute, "permute", EmitPermute, "transpose"},
    {Layer::kReorganizeData, "reorganizeData", EmitReorganizeData,
     "space_to_depth, depth_to_space, pixel_shuffle"},
    {Layer::kTranspose, "transpose", EmitTranspose, "transpose"},
    {Layer::kSqueeze, "squeeze", EmitSqueeze, "squeeze"},
    {Layer::kExpandDims, "expandDims", EmitExpandDims, "expand_dims"},
    {Layer::kFlattenTo2D, "flattenTo2D", EmitFlattenTo2d, "flatten2d"},
    {Layer::kReshapeStatic, "reshapeStatic", EmitReshapeStatic, "reshape"},
    {Layer::kReshapeDynamic, "reshapeDynamic", EmitReshapeDynamic, "reshape"},
    {Layer::kReshapeLike, "reshapeLike", EmitReshapeLike, "shape, reshape"},
    {Layer::kRankPreservingReshape, "rankPreservingReshape", EmitRankPreservingReshape, "reshape"},
    {Layer::kReverse, "reverse", EmitReverse, "reverse"},
    {Layer::kReverseSeq, "reverseSeq", EmitReverseSeq, "reverse_sequence"},
};

}  // namespace

std::span<const LayerRow> ReshapingLayers() { return kReshapingRows; }

}  // namespace anemone::neural_network
