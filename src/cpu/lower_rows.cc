// softmax, layer_norm, reductions and pooling.
#include <algorithm>
#include <optional>

#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/pool.h"
#include "cpu/kernels/rows.h"
#include "cpu/lowerings.h"
#include "ir/spatial.h"

namespace anemone::cpu {
namespace {

// A layout in which `axes` are the last in memory, and how many elements they hold.
struct LastAxes {
  Layout layout = Layout::kRowMajor;
  int64_t columns = 1;
};
std::optional<LastAxes> FindLastAxes(const Planner& planner, const ir::Value* x,
                                     std::vector<int64_t> axes) {
  const ir::Type& type = planner.TypeOf(x);
  const auto rank = static_cast<int64_t>(type.rank());
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  LastAxes last;
  for (const int64_t axis : axes) last.columns *= type.shape()[static_cast<size_t>(axis)];
  if (HasChannels(type) && axes == std::vector<int64_t>{1}) {
    last.layout = Layout::kChannelsLast;
    return last;
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - std::ssize(axes) + static_cast<int64_t>(i)) return std::nullopt;
  }
  return last;
}

Result<bool> LowerSoftmax(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  if (!IsFloat32(node.types[0]) || CountOf(node.types[0]) == 0) return false;
  ANEMONE_ASSIGN(const int64_t axis, node.args->Int("axis"));
  const auto last = FindLastAxes(planner, x, {axis});
  if (!last) return false;
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, last->layout));
  const int64_t columns = last->columns;
  const int64_t rows = CountOf(node.types[0]) / columns;
  Group& group = planner.OpenSimple(*node.operation, "softmax", last->layout, {from},
                                    [=](const Frame& frame, float* out) {
                                      Softmax(frame.In(from), out, rows, columns, *frame.pool);
                                    });
  planner.FinishOperation(group);
  return true;
}

Result<bool> LowerLayerNorm(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  if (!IsFloat32(node.types[0]) || CountOf(node.types[0]) == 0) return false;
  ANEMONE_ASSIGN(const std::vector<int64_t> axes, node.args->Ints("axes"));
  ANEMONE_ASSIGN(const double epsilon, node.args->Float("epsilon"));
  const auto last = FindLastAxes(planner, x, axes);
  if (!last || axes.empty()) return false;
  BufferId scale[2] = {kNoBuffer, kNoBuffer};
  const char* const params[2] = {"gamma", "beta"};
  for (int i = 0; i < 2; ++i) {
    const ir::Value* value = node.operation->Input(params[i]);
    if (value != nullptr && !IsFloat32(planner.TypeOf(value))) return false;
  }
  std::vector<BufferId> reads;
  for (int i = 0; i < 2; ++i) {
    const ir::Value* value = node.operation->Input(params[i]);
    if (value == nullptr) continue;
    ANEMONE_ASSIGN(scale[i], planner.Read(value, Layout::kRowMajor));
    reads.push_back(scale[i]);
  }
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, last->layout));
  reads.push_back(from);
  const int64_t columns = last->columns;
  const int64_t rows = CountOf(node.types[0]) / columns;
  const BufferId gamma = scale[0], beta = scale[1];
  Group& group = planner.OpenSimple(*node.operation, "layer_norm", last->layout, std::move(reads),
                                    [=](const Frame& frame, float* out) {
                                      LayerNorm(frame.In(from), out, rows, columns,
                                                gamma == kNoBuffer ? nullptr : frame.In(gamma),
                                                beta == kNoBuffer ? nullptr : frame.In(beta),
                                                static_cast<float>(epsilon), *frame.pool);
                                    });
  planner.FinishOperation(group);
  return true;
}

// The sizes of a pooling over channels-last data; one-dimensional data has height 1.
PoolShape WholeImage(const ir::Type& in) {
  PoolShape s;
  s.batch = in.shape()[0];
  s.channels = in.shape()[1];
  s.in_h = in.rank() == 4 ? in.shape()[2] : 1;
  s.in_w = in.shape().back();
  s.kernel_h = s.in_h;
  s.kernel_w = s.in_w;
  return s;
}

Group& OpenPool(Planner& planner, const Node& node, PoolKind kind, const PoolShape& shape,
                BufferId from) {
  Group& group = planner.OpenSimple(
      *node.operation, "pool", Layout::kChannelsLast, {from},
      [=](const Frame& frame, float* out) { Pool(kind, shape, frame.In(from), out, *frame.pool); });
  planner.FinishOperation(group);
  return group;
}

// The greatest bytes stand for the greatest numbers.
void OpenMaxPoolOfBytes(Planner& planner, const Node& node, const PoolShape& shape,
                        const Integers& x) {
  Group& group = planner.Open(*node.operation, "pool_int8", Layout::kChannelsLast);
  const int64_t count = CountOf(node.types[0]);
  const BufferId most = planner.NewBuffer(count);
  group.reads = {x.from.buffer};
  group.scratch = {most};
  group.can_store_integers = true;
  group.steps = {{.step = {.kind = StepKind::kLinear, .alpha = x.scale}}};
  group.prepare = [self = &group, shape, x, most, count]() -> Result<Group::Run> {
    const int64_t columns = self->columns == 0 ? count : self->columns;
    return Group::Run([=](Frame& frame, const Destination& out,
                          std::span<const Step> steps) -> Status {
      auto* bytes = static_cast<uint8_t*>(frame.At(most));
      MaxPoolBytes(shape, static_cast<const uint8_t*>(frame.At(x.from.buffer)), bytes, *frame.pool);
      const Source in(bytes, static_cast<float>(-x.zero));
      Elementwise(steps, in, out, count / columns, columns, *frame.pool);
      return {};
    });
  };
  planner.FinishOperation(group);
}

Result<bool> LowerPool(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  const ir::Type& out = node.types[0];
  if (!IsFloat32(out) || !HasChannels(in) || CountOf(out) == 0) return false;
  ANEMONE_ASSIGN(const std::vector<int64_t> kernel, node.args->Ints("kernel_sizes"));
  ANEMONE_ASSIGN(const bool ceil_mode, node.args->Bool("ceil_mode"));
  PoolKind kind = PoolKind::kMax;
  if (node.operation->type() == "avg_pool") {
    ANEMONE_ASSIGN(const bool exclude, node.args->Bool("exclude_padding_from_average"));
    kind = exclude ? PoolKind::kAverageInside : PoolKind::kAverage;
    // The reference kernel handles the divisor of the last window in ceil_mode.
    if (ceil_mode && !exclude) return false;
  }
  ANEMONE_ASSIGN(ir::Windows windows, ir::ReadWindows(*node.args, kernel, {}));
  PoolShape s = WholeImage(in);
  const size_t dims = windows.dims.size();
  for (size_t i = 0; i < dims; ++i) {
    ir::WindowDim& dim = windows.dims[i];
    ANEMONE_TRY(ir::PlaceWindow(in.shape()[i + 2], windows.pad_type, ceil_mode, &dim));
    const bool height = dims == 2 && i == 0;
    (height ? s.out_h : s.out_w) = out.shape()[i + 2];
    (height ? s.kernel_h : s.kernel_w) = dim.kernel;
    (height ? s.stride_h : s.stride_w) = dim.stride;
    (height ? s.pad_top : s.pad_left) = dim.pad_before;
  }
  if (dims == 1) s.kernel_h = 1;
  const Integers* integers = planner.IntegersOf(x);
  if (kind == PoolKind::kMax && integers != nullptr && integers->from.form.bytes &&
      integers->from.layout == Layout::kChannelsLast && integers->scale > 0 &&
      !planner.Rounds(in) && HasNoEmptyWindow(s)) {
    OpenMaxPoolOfBytes(planner, node, s, *integers);
    return true;
  }
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kChannelsLast));
  OpenPool(planner, node, kind, s, from);
  return true;
}

std::optional<ReduceKind> ReduceKindOf(const std::string& type) {
  if (type == "reduce_sum") return ReduceKind::kSum;
  if (type == "reduce_mean") return ReduceKind::kMean;
  if (type == "reduce_max") return ReduceKind::kMax;
  if (type == "reduce_min") return ReduceKind::kMin;
  if (type == "reduce_sum_square") return ReduceKind::kSumSquare;
  return std::nullopt;
}

Result<bool> LowerReduce(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  const ir::Type& out = node.types[0];
  const auto kind = ReduceKindOf(node.operation->type());
  if (!kind || !IsFloat32(out) || !IsFloat32(in) || CountOf(in) == 0) return false;
  std::vector<int64_t> axes;
  if (node.operation->Input("axes") != nullptr) {
    ANEMONE_ASSIGN(axes, node.args->Ints("axes"));
    if (axes.empty()) return false;  // reduces nothing
  }
  const auto rank = static_cast<int64_t>(in.rank());
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  if (axes.empty()) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  // Over the whole image, keeping the dimensions or not: a pooling, in channels-last memory. Its
  // result is the same in both layouts.
  const bool pooled = HasChannels(in) && axes.front() == 2 && std::ssize(axes) == rank - 2 &&
                      (*kind == ReduceKind::kMean || *kind == ReduceKind::kMax) &&
                      planner.LayoutOf(x) == Layout::kChannelsLast;
  if (pooled) {
    ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kChannelsLast));
    const PoolKind pool = *kind == ReduceKind::kMean ? PoolKind::kAverage : PoolKind::kMax;
    if (HasChannels(out)) {
      OpenPool(planner, node, pool, WholeImage(in), from);
      return true;
    }
    const PoolShape shape = WholeImage(in);
    Group& group = planner.OpenSimple(
        *node.operation, "pool", Layout::kRowMajor, {from},
        [=](const Frame& frame, float* to) { Pool(pool, shape, frame.In(from), to, *frame.pool); });
    planner.FinishOperation(group);
    return true;
  }
  const auto last = FindLastAxes(planner, x, axes);
  if (!last || last->layout != Layout::kRowMajor) return false;
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kRowMajor));
  const int64_t columns = last->columns;
  const int64_t rows = CountOf(in) / columns;
  Group& group = planner.OpenSimple(
      *node.operation, "reduce", Layout::kRowMajor, {from}, [=](const Frame& frame, float* to) {
        ReduceRows(*kind, frame.In(from), to, rows, columns, *frame.pool);
      });
  planner.FinishOperation(group);
  return true;
}

// The index of the first of the largest (or smallest) elements, or of the first NaN, as in the
// reference kernel. The result is integers, so nothing joins the instruction.
template <bool kLargest>
Result<bool> LowerArg(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type& out = node.types[0];
  if (!IsFloat32(planner.TypeOf(x)) || out.dtype() != DType::kInt32 || CountOf(out) == 0) {
    return false;
  }
  ANEMONE_ASSIGN(const int64_t axis, node.args->Int("axis"));
  const auto last = FindLastAxes(planner, x, {axis});
  if (!last || last->layout != Layout::kRowMajor) return false;
  const int64_t rows = CountOf(out), columns = last->columns;
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kRowMajor));
  const auto find = [=](const Frame& frame, void* to) {
    auto* indices = static_cast<int32_t*>(to);
    for (int64_t row = 0; row < rows; ++row) {
      const float* values = frame.In(from) + row * columns;
      int64_t best = 0;
      for (int64_t i = 1; i < columns && values[best] == values[best]; ++i) {
        const bool better = kLargest ? values[i] > values[best] : values[i] < values[best];
        if (better || values[i] != values[i]) best = i;
      }
      indices[row] = static_cast<int32_t>(best);
    }
  };
  planner.EmitAlone(node, "arg", Layout::kRowMajor, {from}, find);
  return true;
}

constexpr LoweringEntry kRowLowerings[] = {
    {"softmax", LowerSoftmax},
    {"layer_norm", LowerLayerNorm},
    {"avg_pool", LowerPool},
    {"max_pool", LowerPool},
    {"reduce_sum", LowerReduce},
    {"reduce_mean", LowerReduce},
    {"reduce_max", LowerReduce},
    {"reduce_min", LowerReduce},
    {"reduce_sum_square", LowerReduce},
    {"reduce_argmax", LowerArg<true>},
    {"reduce_argmin", LowerArg<false>},
};

}  // namespace

std::span<const LoweringEntry> RowLowerings() { return kRowLowerings; }

}  // namespace anemone::cpu
