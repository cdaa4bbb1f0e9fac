// Operations that only move data: reshapes (which cost nothing), transposes, concatenation and
// splitting.
#include <algorithm>
#include <cstring>

#include "cpu/kernels/layout.h"
#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

// Whether values of the type may have channels last: float32 in memory, of rank 3 or 4.
bool CanHaveChannelsLast(const ir::Type& type) { return IsFloat32(type) && HasChannels(type); }

// The same elements under another shape: the result is the argument's buffer.
Result<bool> LowerReshape(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  const ir::Type& out = node.types[0];
  if (!in.is_tensor() || in.dtype() != out.dtype() || in.dtype() == DType::kString) return false;
  const ir::Value* result = node.operation->output();
  // [n, c, h, w] <-> [n, c, h * w] and similar: channels stay last.
  const bool same_pixels = CanHaveChannelsLast(in) && CanHaveChannelsLast(out) &&
                           in.shape()[0] == out.shape()[0] && in.shape()[1] == out.shape()[1];
  const Layout layout = same_pixels ? planner.LayoutOf(x) : Layout::kRowMajor;
  ANEMONE_ASSIGN(const BufferId buffer, planner.Read(x, layout));
  planner.SetBuffer(result, layout, buffer);
  return true;
}

Result<bool> LowerTranspose(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  if (StorageBytes(in) != CountOf(in) * int64_t{sizeof(float)} || CountOf(in) == 0) return false;
  ANEMONE_ASSIGN(std::vector<int64_t> perm, node.args->Ints("perm"));
  for (int64_t& axis : perm) axis += axis < 0 ? in.rank() : 0;
  if (perm.empty() || perm.size() > 8) return false;
  const ir::Value* result = node.operation->output();
  // Between [n, c, ...] with channels last and [n, ..., c] row-major there is nothing to move.
  std::vector<int64_t> to_last = {0}, to_first = {0, in.rank() - 1};
  for (int64_t axis = 2; axis < in.rank(); ++axis) to_last.push_back(axis);
  to_last.push_back(1);
  for (int64_t axis = 1; axis + 1 < in.rank(); ++axis) to_first.push_back(axis);
  if (CanHaveChannelsLast(in) && perm == to_last && planner.LayoutOf(x) == Layout::kChannelsLast) {
    ANEMONE_ASSIGN(const BufferId buffer, planner.Read(x, Layout::kChannelsLast));
    planner.SetBuffer(result, Layout::kRowMajor, buffer);
    return true;
  }
  if (CanHaveChannelsLast(in) && perm == to_first && planner.LayoutOf(x) == Layout::kRowMajor) {
    ANEMONE_ASSIGN(const BufferId buffer, planner.Read(x, Layout::kRowMajor));
    planner.SetBuffer(result, Layout::kChannelsLast, buffer);
    return true;
  }
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kRowMajor));
  planner.EmitAlone(node, "transpose", Layout::kRowMajor, {from},
                    [=, shape = in.shape()](const Frame& frame, void* to) {
                      Permute(frame.In(from), static_cast<float*>(to), shape, perm, *frame.pool);
                    });
  return true;
}

// A tensor in memory as [outer][axis][inner], sizes in bytes for inner.
struct Slabs {
  int64_t outer = 1;
  int64_t inner = 1;  // bytes of one index of the axis
};
Slabs SlabsAt(const ir::Type& type, int64_t axis, Layout layout, int64_t element_bytes) {
  ir::Shape shape = type.shape();
  if (layout == Layout::kChannelsLast) {
    std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
    axis = axis == 0 ? 0 : axis == 1 ? type.rank() - 1 : axis - 1;
  }
  Slabs slabs;
  slabs.inner = element_bytes;
  for (int64_t i = 0; i < std::ssize(shape); ++i) {
    if (i < axis) slabs.outer *= shape[static_cast<size_t>(i)];
    if (i > axis) slabs.inner *= shape[static_cast<size_t>(i)];
  }
  return slabs;
}

Result<int64_t> AxisOf(const Node& node, int rank) {
  ANEMONE_ASSIGN(int64_t axis, node.args->Int("axis"));
  return axis < 0 ? axis + rank : axis;
}

int64_t ElementBytes(const ir::Type& type) {
  return static_cast<int64_t>(ByteSize(exec::StorageDType(type.dtype()), 1).value_or(0));
}

Result<bool> LowerConcat(Planner& planner, const Node& node) {
  const std::vector<ir::Value*>& values = node.operation->Inputs("values");
  const ir::Type& out = node.types[0];
  if (out.dtype() == DType::kString || CountOf(out) == 0) return false;
  ANEMONE_ASSIGN(const bool interleave, node.args->Bool("interleave"));
  if (interleave) return false;
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(node, out.rank()));
  const bool any_last = std::any_of(values.begin(), values.end(), [&](const ir::Value* value) {
    return planner.LayoutOf(value) == Layout::kChannelsLast;
  });
  const Layout layout =
      any_last && CanHaveChannelsLast(out) ? Layout::kChannelsLast : Layout::kRowMajor;
  struct Part {
    BufferId from;
    int64_t bytes;  // of each outer slab
  };
  std::vector<Part> parts;
  std::vector<BufferId> reads;
  const Slabs slabs = SlabsAt(out, axis, layout, ElementBytes(out));
  for (const ir::Value* value : values) {
    const ir::Type& type = planner.TypeOf(value);
    if (type.dtype() != out.dtype() || type.rank() != out.rank()) return false;  // scalars
  }
  for (const ir::Value* value : values) {
    const ir::Type type = planner.TypeOf(value);
    ANEMONE_ASSIGN(const BufferId from, planner.Read(value, layout));
    parts.push_back({from, slabs.inner * type.shape()[static_cast<size_t>(axis)]});
    reads.push_back(from);
  }
  const auto gather = [=](const Frame& frame, void* to) {
    auto* target = static_cast<std::byte*>(to);
    int64_t stride = 0;
    for (const Part& part : parts) stride += part.bytes;
    const int64_t grain = std::max<int64_t>(1, 65'536 / std::max<int64_t>(stride, 1));
    frame.pool->ParallelFor(slabs.outer, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::byte* at = target + i * stride;
        for (const Part& part : parts) {
          std::memcpy(at, reinterpret_cast<const std::byte*>(frame.In(part.from)) + i * part.bytes,
                      static_cast<size_t>(part.bytes));
          at += part.bytes;
        }
      }
    });
  };
  planner.EmitAlone(node, "concat", layout, std::move(reads), gather);
  return true;
}

Result<bool> LowerSplit(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type in = planner.TypeOf(x);
  if (in.dtype() == DType::kString || CountOf(in) == 0) return false;
  ANEMONE_ASSIGN(const int64_t axis, AxisOf(node, in.rank()));
  const Layout layout = CanHaveChannelsLast(in) ? planner.LayoutOf(x) : Layout::kRowMajor;
  const Slabs slabs = SlabsAt(in, axis, layout, ElementBytes(in));
  const int64_t stride = slabs.inner * in.shape()[static_cast<size_t>(axis)];
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, layout));
  int64_t offset = 0;
  for (size_t i = 0; i < node.types.size(); ++i) {
    const int64_t bytes = slabs.inner * node.types[i].shape()[static_cast<size_t>(axis)];
    const auto cut = [=](const Frame& frame, void* to) {
      const auto* source = reinterpret_cast<const std::byte*>(frame.In(from)) + offset;
      auto* target = static_cast<std::byte*>(to);
      for (int64_t o = 0; o < slabs.outer; ++o) {
        std::memcpy(target + o * bytes, source + o * stride, static_cast<size_t>(bytes));
      }
    };
    planner.EmitAlone(node, "split", layout, {from}, cut, i);
    offset += bytes;
  }
  return true;
}

constexpr LoweringEntry kMoveLowerings[] = {
    {"reshape", LowerReshape},     {"expand_dims", LowerReshape}, {"squeeze", LowerReshape},
    {"flatten2d", LowerReshape},   {"identity", LowerReshape},    {"reshape_like", LowerReshape},
    {"transpose", LowerTranspose}, {"concat", LowerConcat},       {"split", LowerSplit},
};

}  // namespace

std::span<const LoweringEntry> MoveLowerings() { return kMoveLowerings; }

}  // namespace anemone::cpu
