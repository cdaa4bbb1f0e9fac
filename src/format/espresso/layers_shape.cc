// Layers that move values: the declared shapes of inputs and outputs say along which axis, and the
// parameters must agree with them.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "format/espresso/layers.h"

namespace anemone::format::espresso {
namespace {

constexpr std::array<std::string_view, 5> kFromLast = {"w", "h", "k", "n", "seq"};

// A view under the declared shape of the output.
Status Reshape(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape from, layer.Dims(layer.bottoms().front()));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  if (ir::ElementCount(from) != ir::ElementCount(to)) {
    return InvalidInput("{} cannot become {}", ir::ShapeToString(from), ir::ShapeToString(to));
  }
  auto* params = layer.Add()->mutable_reshapestatic();
  for (const int64_t dim : to) params->add_targetshape(dim);
  return {};
}

Status ConvertReshape(LayerReader& layer) {
  ANEMONE_TRY(layer.Only({"mode"}, {0}));
  ANEMONE_TRY(layer.Only({"dynamic_shape"}, {0}));
  ANEMONE_TRY(layer.Only({"version"}, {0, 1}));
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  ANEMONE_ASSIGN(const int64_t rank, layer.Int("dst_nd_rank", 0, 0));
  if (rank != 0 && !layer.rank5() && static_cast<size_t>(rank) != to.size()) {
    return InvalidInput("its 'dst_nd_rank' is {}, but its output {}", rank, ir::ShapeToString(to));
  }
  for (size_t i = 0; i < kFromLast.size(); ++i) {
    const int64_t declared = i < to.size() ? to[to.size() - 1 - i] : 1;
    ANEMONE_ASSIGN(const int64_t size, layer.Int("dst_" + std::string(kFromLast[i]), -1, 1));
    if (size != -1 && size != declared) {
      return NotKnown("its 'dst_{}' {}, where the output is {}", kFromLast[i], size,
                      ir::ShapeToString(to));
    }
  }
  return Reshape(layer);
}

// expand_dims and squeeze: which dimensions of size 1 come or go, the shapes say.
Status ConvertOnes(LayerReader& layer) {
  layer.Ignore({"axes_0", "axes_1", "axes_2", "axes_3", "axes_4", "size_of_axes", "nd_axis",
                "version", "squeeze_all"});
  return Reshape(layer);
}

Status ConvertFlatten(LayerReader& layer) {
  ANEMONE_TRY(layer.Only({"mode"}, {0}));
  return Reshape(layer);
}

Status ConvertCopy(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  layer.Add()->mutable_copy();
  return {};
}

// axis_X is the axis of the input that becomes axis X, both counted from the last one.
Status ConvertTranspose(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape dims, layer.Dims(layer.bottoms().front()));
  const size_t rank = dims.size();
  std::vector<uint64_t> axes(rank);
  std::vector<bool> seen(kFromLast.size(), false);
  for (size_t i = 0; i < kFromLast.size(); ++i) {
    const std::string key = "axis_" + std::string(kFromLast[i]);
    ANEMONE_ASSIGN(const int64_t from, layer.Int(key, 0, static_cast<int64_t>(i)));
    const auto source = static_cast<size_t>(from);
    if (source >= seen.size() || seen[source]) {
      return InvalidInput("its axes are no permutation: '{}' is {}", key, from);
    }
    seen[source] = true;
    if (i < rank && source < rank) {
      axes[rank - 1 - i] = rank - 1 - source;
    } else if (i != source) {
      return InvalidInput("its '{}' is {}, but its input {}", key, from, ir::ShapeToString(dims));
    }
  }
  auto* params = layer.Add()->mutable_transpose();
  params->mutable_axes()->Add(axes.begin(), axes.end());
  return {};
}

// Whether `parts` put one after the other along `axis` are `whole`.
bool Adds(const std::vector<ir::Shape>& parts, const ir::Shape& whole, size_t axis) {
  int64_t sum = 0;
  for (const ir::Shape& part : parts) {
    if (part.size() != whole.size()) return false;
    for (size_t d = 0; d < whole.size(); ++d) {
      if (d != axis && part[d] != whole[d]) return false;
    }
    sum += part[axis];
  }
  return sum == whole[axis];
}

// The axis, counted from the first one, along which shapes of `blobs` add up to that of `whole`.
Result<size_t> AxisOfParts(LayerReader& layer, const std::vector<std::string>& blobs,
                           const std::string& whole, std::vector<ir::Shape>* parts) {
  ANEMONE_ASSIGN(const ir::Shape dims, layer.Dims(whole));
  for (const std::string& blob : blobs) {
    ANEMONE_ASSIGN(ir::Shape part, layer.Dims(blob));
    parts->push_back(std::move(part));
  }
  if (parts->size() < 2) return NotKnown("the axis of a single part");
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (Adds(*parts, dims, axis)) return axis;  // at most one: every part has at least one element
  }
  return InvalidInput("its parts do not add up to '{}', {}", whole, ir::ShapeToString(dims));
}

// kUnsupported when a parameter names another axis than the shapes do.
Status CheckAxis(LayerReader& layer, std::string_view key, size_t axis, size_t rank) {
  if (!layer.Has(key)) return {};
  const auto signed_rank = static_cast<int64_t>(rank);
  ANEMONE_ASSIGN(const int64_t named, layer.Int(key, -signed_rank));
  const auto first = static_cast<int64_t>(axis);
  // In a network of the old mapping, the file's rank need not be five.
  if (named == first - signed_rank || (layer.rank5() ? named >= 0 : named == first)) return {};
  return NotKnown("its '{}' is {}, but its shapes say {}", key, named, first - signed_rank);
}

Status ConvertConcat(LayerReader& layer) {
  if (layer.tops().size() != 1) return layer.CheckCounts(2, 1);
  std::vector<ir::Shape> parts;
  ANEMONE_ASSIGN(const size_t axis,
                 AxisOfParts(layer, layer.bottoms(), layer.tops().front(), &parts));
  const size_t rank = parts.front().size();
  ANEMONE_TRY(CheckAxis(layer, "axis", axis, rank));
  ANEMONE_TRY(CheckAxis(layer, "nd_axis", axis, rank));
  layer.Add()->mutable_concatnd()->set_axis(static_cast<int64_t>(axis));
  return {};
}

Status ConvertSplit(LayerReader& layer) {
  if (layer.bottoms().size() != 1) return layer.CheckCounts(1, 2);
  std::vector<ir::Shape> parts;
  ANEMONE_ASSIGN(const size_t axis,
                 AxisOfParts(layer, layer.tops(), layer.bottoms().front(), &parts));
  ANEMONE_TRY(CheckAxis(layer, "nd_axis", axis, parts.front().size()));
  layer.Ignore({"num_splits"});
  // Where the parts begin: not told (0), or one behind the other.
  int64_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string key = fmt::format("begin_{}", i);
    ANEMONE_ASSIGN(const int64_t told, layer.Int(key, 0, 0));
    if (told != 0 && told != begin) return NotKnown("its '{}' is {}, not {}", key, told, begin);
    begin += parts[i][axis];
  }
  auto* params = layer.Add()->mutable_splitnd();
  params->set_axis(static_cast<int64_t>(axis));
  params->set_numsplits(parts.size());
  for (const ir::Shape& part : parts) params->add_splitsizes(static_cast<uint64_t>(part[axis]));
  return {};
}

// The axis is one at which the output has as many elements as there are inputs; where several are,
// 'nd_axis' chooses.
Status ConvertStack(LayerReader& layer) {
  if (layer.tops().size() != 1) return layer.CheckCounts(2, 1);
  if (layer.rank5()) return NotKnown("the axes of a network of the old mapping that stacks");
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  const auto rank = static_cast<int64_t>(to.size());
  ANEMONE_ASSIGN(int64_t axis, layer.Int("nd_axis", -rank));
  axis += axis < 0 ? rank : 0;
  if (axis >= rank) return NotKnown("its 'nd_axis', where the output has rank {}", rank);
  ir::Shape part = to;
  part.erase(part.begin() + axis);
  for (const std::string& bottom : layer.bottoms()) {
    ANEMONE_ASSIGN(const ir::Shape dims, layer.Dims(bottom));
    if (dims == part && std::ssize(layer.bottoms()) == to[static_cast<size_t>(axis)]) continue;
    return NotKnown("its 'nd_axis', along which {} inputs like {} do not stack to {}",
                    layer.bottoms().size(), ir::ShapeToString(dims), ir::ShapeToString(to));
  }
  layer.Add()->mutable_stack()->set_axis(axis);
  return {};
}

// dst_X is how often the input is repeated along axis X, which the shapes must say too.
Status ConvertTile(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape from, layer.Dims(layer.bottoms().front()));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  if (from.size() != to.size()) return NotKnown("which axes it adds");
  std::vector<uint64_t> reps(to.size());
  for (size_t i = 0; i < kFromLast.size(); ++i) {
    const std::string key = "dst_" + std::string(kFromLast[i]);
    ANEMONE_ASSIGN(const int64_t told, layer.Int(key, 1, 1));
    const size_t axis = to.size() - 1 - i;
    const bool fits = i < to.size() ? to[axis] == told * from[axis] : told == 1;
    if (!fits) {
      return NotKnown("its '{}' is {}, where {} becomes {}", key, told, ir::ShapeToString(from),
                      ir::ShapeToString(to));
    }
    if (i < to.size()) reps[axis] = static_cast<uint64_t>(told);
  }
  layer.Add()->mutable_tile()->mutable_reps()->Add(reps.begin(), reps.end());
  return {};
}

// The axes along which the output is smaller; kInvalidInput when another one is larger.
Result<std::vector<size_t>> SmallerAxes(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const ir::Shape from, layer.Dims(layer.bottoms().front()));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  if (from.size() != to.size()) return NotKnown("which axes it drops");
  std::vector<size_t> axes;
  for (size_t d = 0; d < from.size(); ++d) {
    if (to[d] > from[d]) {
      return InvalidInput("{} cannot become {}", ir::ShapeToString(from), ir::ShapeToString(to));
    }
    if (to[d] < from[d]) axes.push_back(d);
  }
  if (axes.empty()) return NotKnown("its axis, for no size changes");
  return axes;
}

Status ConvertSlice(LayerReader& layer) {
  ANEMONE_ASSIGN(const auto axes, SmallerAxes(layer));
  if (axes.size() != 1) return InvalidInput("it changes {} axes, not 1", axes.size());
  ANEMONE_ASSIGN(const ir::Shape from, layer.Dims(layer.bottoms().front()));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  layer.Ignore({"axis"});
  ANEMONE_ASSIGN(const int64_t start, layer.Int("start", 0));
  ANEMONE_ASSIGN(const int64_t end, layer.Int("end", 0));
  if (end > from[axes[0]] || end - start != to[axes[0]]) {
    return NotKnown("[{}, {}) of {}, where the output is {}", start, end, ir::ShapeToString(from),
                    ir::ShapeToString(to));
  }
  auto* params = layer.Add()->mutable_slicestatic();
  for (size_t d = 0; d < from.size(); ++d) {
    params->add_beginids(d == axes[0] ? start : 0);
    params->add_beginmasks(d != axes[0]);
    params->add_endids(d == axes[0] ? end : from[d]);
    params->add_endmasks(d != axes[0]);
    params->add_strides(1);
    params->add_squeezemasks(false);
  }
  return {};
}

Status ConvertReduce(LayerReader& layer) {
  ANEMONE_ASSIGN(const auto axes, SmallerAxes(layer));
  ANEMONE_ASSIGN(const ir::Shape to, layer.Dims(layer.tops().front()));
  layer.Ignore({"axis_mode", "nd_axis", "nd_mode", "use_version"});
  for (const size_t axis : axes) {
    if (to[axis] != 1) return InvalidInput("it leaves {} of an axis", to[axis]);
  }
  ANEMONE_ASSIGN(const int64_t mode, layer.Int("mode", 0));
  ANEMONE_TRY(layer.Only({"mode"}, {0, 1, 2, 5, 10}));
  nn::NeuralNetworkLayer* made = layer.Add();
  auto* params = mode == 0   ? made->mutable_reducesum()
                 : mode == 1 ? made->mutable_reducemean()
                 : mode == 2 ? made->mutable_reduceprod()
                 : mode == 5 ? made->mutable_reducel2()
                             : made->mutable_reducemin();
  params->set_keepdims(true);
  for (const size_t axis : axes) params->add_axes(static_cast<int64_t>(axis));
  return {};
}

Status AddEdges(LayerReader& layer, std::string_view prefix, nn::BorderAmounts* border) {
  for (const auto& [start, end] : {std::pair("t", "b"), std::pair("l", "r")}) {
    auto* edge = border->add_borderamounts();
    ANEMONE_ASSIGN(const int64_t first, layer.Int(std::string(prefix) + start, 0, 0));
    ANEMONE_ASSIGN(const int64_t last, layer.Int(std::string(prefix) + end, 0, 0));
    edge->set_startedgesize(static_cast<uint64_t>(first));
    edge->set_endedgesize(static_cast<uint64_t>(last));
  }
  return {};
}

Status ConvertPadding(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_TRY(layer.Only({"pad_fill_mode"}, {0}));
  ANEMONE_TRY(layer.Only({"pad_pad_mode"}, {0, 1, 2}));
  ANEMONE_ASSIGN(const int64_t mode, layer.Int("pad_pad_mode", 0));
  ANEMONE_ASSIGN(const float value, layer.Number("pad_value", 0));
  nn::PaddingLayerParams params;
  ANEMONE_TRY(AddEdges(layer, "pad_", params.mutable_paddingamounts()));
  if (mode == 0) params.mutable_constant()->set_value(value);
  if (mode == 1) params.mutable_reflection();
  if (mode == 2) params.mutable_replication();
  *layer.Add()->mutable_padding() = std::move(params);
  return {};
}

Status ConvertCrop(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  nn::CropLayerParams params;
  ANEMONE_TRY(AddEdges(layer, "", params.mutable_cropamounts()));
  *layer.Add()->mutable_crop() = std::move(params);
  return {};
}

Status ConvertUpsample(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_TRY(layer.Only({"mode"}, {0, 1}));
  ANEMONE_TRY(layer.Only({"align_corners", "is_legacy_mode", "use_fractional_scale_factors"}, {0}));
  ANEMONE_TRY(layer.Only({"fractional_scaling_factor_x", "fractional_scaling_factor_y"}, {0, 1}));
  ANEMONE_ASSIGN(const int64_t mode, layer.Int("mode", 0));
  if (mode == 1 && !layer.Has("is_legacy_mode")) {
    return NotKnown("where an older compiler's bilinear upsampling takes its samples");
  }
  nn::UpsampleLayerParams params;
  for (const char* key : {"scaling_factor_y", "scaling_factor_x"}) {
    ANEMONE_ASSIGN(const int64_t factor, layer.Int(key, 1));
    params.add_scalingfactor(static_cast<uint64_t>(factor));
  }
  params.set_mode(mode == 0 ? nn::UpsampleLayerParams::NN : nn::UpsampleLayerParams::BILINEAR);
  if (mode == 1) params.set_linearupsamplemode(nn::UpsampleLayerParams::ALIGN_CORNERS_FALSE);
  *layer.Add()->mutable_upsample() = std::move(params);
  return {};
}

Status ConvertSpaceToDepth(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const int64_t block, layer.Int("block_size", 2));
  ANEMONE_ASSIGN(const bool reverse, layer.Flag("reverse"));
  ANEMONE_TRY(layer.Only({"pixel_shuffle"}, {0}));
  auto* params = layer.Add()->mutable_reorganizedata();
  params->set_blocksize(static_cast<uint64_t>(block));
  params->set_mode(reverse ? nn::ReorganizeDataLayerParams::DEPTH_TO_SPACE
                           : nn::ReorganizeDataLayerParams::SPACE_TO_DEPTH);
  return {};
}

Status ConvertMatmul(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(2));
  ANEMONE_TRY(layer.Only({"channel_mode"}, {0}));
  ANEMONE_ASSIGN(const bool transpose_x, layer.Flag("transpose_x"));
  ANEMONE_ASSIGN(const bool transpose_y, layer.Flag("transpose_y"));
  auto* params = layer.Add()->mutable_batchedmatmul();
  params->set_transposea(transpose_x);
  params->set_transposeb(transpose_y);
  return {};
}

constexpr LayerRow kShapeRows[] = {
    {"reshape", ConvertReshape},
    {"expand_dims", ConvertOnes},
    {"squeeze", ConvertOnes},
    {"flatten", ConvertFlatten},
    {"copy", ConvertCopy},
    {"transpose", ConvertTranspose},
    {"concat", ConvertConcat},
    {"general_concat", ConvertConcat},
    {"split_nd", ConvertSplit},
    {"stack_nd", ConvertStack},
    {"tile", ConvertTile},
    {"slice", ConvertSlice},
    {"reduce", ConvertReduce},
    {"general_padding", ConvertPadding},
    {"crop", ConvertCrop},
    {"upsample", ConvertUpsample},
    {"space_to_depth", ConvertSpaceToDepth},
    {"batch_matmul", ConvertMatmul},
};

}  // namespace

std::span<const LayerRow> ShapeLayers() { return kShapeRows; }

}  // namespace anemone::format::espresso
