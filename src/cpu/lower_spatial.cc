// Padding with a constant, slices, and resizing of images.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "cpu/kernels/index_copy.h"
#include "cpu/kernels/resize.h"
#include "cpu/lowerings.h"
#include "ops/image_resizing/sampling.h"
#include "ops/slice/ranges.h"

namespace anemone::cpu {
namespace {

using ops::image_resizing::GridPoint;
using ops::image_resizing::SamplingMode;

bool HasFourByteElements(const ir::Type& type) {
  return StorageBytes(type) == CountOf(type) * int64_t{sizeof(float)};
}

// Strides of `type`'s axes, as the program counts them, in memory of the given layout.
std::vector<int64_t> StridesOf(const ir::Type& type, Layout layout) {
  std::vector<int64_t> order(static_cast<size_t>(type.rank()));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  if (layout == Layout::kChannelsLast)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  std::vector<int64_t> strides(order.size());
  int64_t step = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[static_cast<size_t>(order[i])] = step;
    step *= type.shape()[static_cast<size_t>(order[i])];
  }
  return strides;
}

// Emits a copy whose sources are listed per axis of the result, as the program counts axes.
Status EmitCopy(Planner& planner, const Node& node, const ir::Value* x, Layout layout,
                std::vector<std::vector<int64_t>> sources, float fill) {
  if (layout == Layout::kChannelsLast) {
    std::rotate(sources.begin() + 1, sources.begin() + 2, sources.end());
  }
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, layout));
  auto copy = std::make_shared<const IndexCopy>(std::move(sources), fill);
  planner.EmitAlone(node, "index_copy", layout, {from}, [=](const Frame& frame, void* to) {
    copy->Run(frame.In(from), static_cast<float*>(to), *frame.pool);
  });
  return {};
}

Result<bool> LowerPad(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  const ir::Type& out = node.types[0];
  if (!IsFloat32(in) || in.rank() == 0 || CountOf(out) == 0) return false;
  if (!node.args->IsKnown("pad")) return false;
  ANEMONE_ASSIGN(const std::vector<int64_t> pad, node.args->Ints("pad"));
  ANEMONE_ASSIGN(const std::string mode, node.args->String("mode"));
  ANEMONE_ASSIGN(const double value, node.args->Float("constant_val"));
  if (mode != "constant") return false;
  auto fill = static_cast<float>(value);
  if (planner.Rounds(out)) fill = HalfToFloat(FloatToHalf(fill));
  const Layout layout = HasChannels(in) ? planner.LayoutOf(x) : Layout::kRowMajor;
  const std::vector<int64_t> strides = StridesOf(in, layout);
  std::vector<std::vector<int64_t>> sources(strides.size());
  const size_t first = strides.size() - pad.size() / 2;
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    const int64_t before = axis >= first ? pad[2 * (axis - first)] : 0;
    for (int64_t i = 0; i < out.shape()[axis]; ++i) {
      const int64_t at = i - before;
      const bool inside = at >= 0 && at < in.shape()[axis];
      sources[axis].push_back(inside ? at * strides[axis] : IndexCopy::kFill);
    }
  }
  ANEMONE_TRY(EmitCopy(planner, node, x, layout, std::move(sources), fill));
  return true;
}

// Where the matrices of a slice of rows lie, if its only reader is attention, which reads them there.
std::optional<SlicedRows> RowsForAttention(const Planner& planner, const Node& node,
                                           const std::vector<ops::slice::Range>& ranges) {
  const ir::Shape& in = planner.TypeOf(node.operation->Input("x")).shape();
  const auto users = planner.UsersOf(node.operation->output());
  if (in.size() < 3 || users.size() != 1 || planner.IsOutput(node.operation->output()) ||
      FindLowering(users[0]->type()) != LowerAttention ||
      users[0]->Input("query") == node.operation->output()) {
    return std::nullopt;
  }
  const size_t rows = in.size() - 2;
  for (size_t axis = 0; axis < in.size(); ++axis) {
    const bool whole = ranges[axis].first == 0 && ranges[axis].count == in[axis];
    if (ranges[axis].step != 1 || ranges[axis].squeezed || (axis != rows && !whole)) {
      return std::nullopt;
    }
  }
  return SlicedRows{kNoBuffer, ranges[rows].first * in.back(), in[rows] * in.back()};
}

Result<bool> LowerSlice(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  if (!in.is_tensor() || in.dtype() == DType::kString || in.rank() == 0) return false;
  if (!HasFourByteElements(in) || CountOf(node.types[0]) == 0) return false;
  for (const std::string_view param : {"begin", "end"}) {
    if (!node.args->IsKnown(param)) return false;
  }
  ANEMONE_ASSIGN(const auto ranges, ops::slice::SliceRanges(*node.args));
  bool squeezes = false;
  for (const auto& range : ranges) {
    if (range.first < 0 || range.count < 0) return false;
    squeezes = squeezes || range.squeezed;
  }
  auto rows = IsFloat32(in) ? RowsForAttention(planner, node, ranges) : std::nullopt;
  const bool channels = IsFloat32(in) && HasChannels(in) && !squeezes && !rows;
  const Layout layout = channels ? planner.LayoutOf(x) : Layout::kRowMajor;
  const std::vector<int64_t> strides = StridesOf(in, layout);
  std::vector<std::vector<int64_t>> sources(strides.size());
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    for (int64_t i = 0; i < ranges[axis].count; ++i) {
      sources[axis].push_back((ranges[axis].first + i * ranges[axis].step) * strides[axis]);
    }
  }
  if (!rows) {
    ANEMONE_TRY(EmitCopy(planner, node, x, layout, std::move(sources), 0.0f));
    return true;
  }
  ANEMONE_ASSIGN(rows->buffer, planner.Read(x, Layout::kRowMajor));
  auto copy = std::make_shared<const IndexCopy>(std::move(sources), 0.0f);
  Group& group = planner.OpenSimple(
      *node.operation, "index_copy", Layout::kRowMajor, {rows->buffer},
      [=](const Frame& frame, float* to) { copy->Run(frame.In(rows->buffer), to, *frame.pool); });
  group.rows = rows;
  return true;
}

// ---- resizing ----

std::vector<ResizeTap> LinearTaps(SamplingMode mode, int64_t size, int64_t count) {
  std::vector<ResizeTap> taps;
  for (int64_t i = 0; i < count; ++i) {
    const auto last = static_cast<double>(size - 1);
    const double at = std::clamp(GridPoint(mode, i, count, 0, last), 0.0, last);
    const auto low = static_cast<int64_t>(std::floor(at));
    taps.push_back({low, std::min(low + 1, size - 1), static_cast<float>(at - std::floor(at))});
  }
  return taps;
}

// The nearest element; the lower one in a tie.
std::vector<ResizeTap> NearestTaps(SamplingMode mode, int64_t size, int64_t count) {
  std::vector<ResizeTap> taps;
  for (int64_t i = 0; i < count; ++i) {
    const double at = GridPoint(mode, i, count, 0, static_cast<double>(size - 1));
    const auto nearest =
        std::clamp<int64_t>(static_cast<int64_t>(std::ceil(at - 0.5)), 0, size - 1);
    taps.push_back({nearest, nearest, 0.0f});
  }
  return taps;
}

std::vector<ResizeTap> FloorTaps(int64_t size, int64_t count) {
  std::vector<ResizeTap> taps;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = std::min(size - 1, i * size / count);
    taps.push_back({at, at, 0.0f});
  }
  return taps;
}

// Picks an operator's taps along one axis.
struct Sampler {
  enum class Kind : uint8_t { kFloor, kNearest, kLinear };
  Kind kind = Kind::kFloor;
  SamplingMode mode = SamplingMode::kDefault;

  std::vector<ResizeTap> Taps(int64_t size, int64_t count) const {
    switch (kind) {
      case Kind::kFloor:
        return FloorTaps(size, count);
      case Kind::kNearest:
        return NearestTaps(mode, size, count);
      case Kind::kLinear:
        return LinearTaps(mode, size, count);
    }
    return {};
  }
};

Result<std::optional<Sampler>> ReadSampler(const Node& node) {
  const std::string& type = node.operation->type();
  const ir::OpArgs& args = *node.args;
  Sampler sampler;
  if (type == "upsample_nearest_neighbor" || type == "resize_nearest_neighbor") {
    return std::optional(sampler);
  }
  sampler.kind = Sampler::Kind::kLinear;
  if (type == "upsample_bilinear") {
    ANEMONE_ASSIGN(const bool align_corners, args.Bool("align_corners"));
    ANEMONE_ASSIGN(const bool half_pixel, args.Bool("half_pixel_centers"));
    sampler.mode = align_corners ? SamplingMode::kStrictAlignCorners
                   : half_pixel  ? SamplingMode::kUnalignCorners
                                 : SamplingMode::kDefault;
    return std::optional(sampler);
  }
  ANEMONE_ASSIGN(const std::string name, args.String("sampling_mode"));
  const auto mode = ops::image_resizing::SamplingModeFromName(name);
  if (!mode) return std::optional<Sampler>();
  sampler.mode = *mode;
  if (type == "resize") {
    ANEMONE_ASSIGN(const std::string interpolation, args.String("interpolation_mode"));
    ANEMONE_ASSIGN(const int64_t axes, args.Int("resized_dims"));
    if (axes != 2) return std::optional<Sampler>();
    if (interpolation != "LINEAR") sampler.kind = Sampler::Kind::kNearest;
  }
  return std::optional(sampler);
}

Result<bool> LowerResize(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  const ir::Type& out = node.types[0];
  if (!IsFloat32(in) || !IsFloat32(out) || in.rank() != 4 || CountOf(out) == 0 ||
      CountOf(in) == 0) {
    return false;
  }
  ANEMONE_ASSIGN(const std::optional<Sampler> sampler, ReadSampler(node));
  if (!sampler) return false;
  const ir::Shape& from_shape = in.shape();
  const std::vector<ResizeTap> y = sampler->Taps(from_shape[2], out.shape()[2]);
  const std::vector<ResizeTap> x_taps = sampler->Taps(from_shape[3], out.shape()[3]);
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kChannelsLast));
  Group& group = planner.OpenSimple(*node.operation, "resize", Layout::kChannelsLast, {from},
                                    [=](const Frame& frame, float* to) {
                                      Resize(frame.In(from), to, from_shape[0], from_shape[2],
                                             from_shape[3], from_shape[1], y, x_taps, *frame.pool);
                                    });
  planner.FinishOperation(group);
  return true;
}

constexpr LoweringEntry kSpatialLowerings[] = {
    {"pad", LowerPad},
    {"slice_by_index", LowerSlice},
    {"upsample_nearest_neighbor", LowerResize},
    {"resize_nearest_neighbor", LowerResize},
    {"upsample_bilinear", LowerResize},
    {"resize_bilinear", LowerResize},
    {"resize", LowerResize},
};

}  // namespace

std::span<const LoweringEntry> SpatialLowerings() { return kSpatialLowerings; }

}  // namespace anemone::cpu
