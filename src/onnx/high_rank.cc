#include "onnx/high_rank.h"

#include <algorithm>
#include <array>

#include "onnx/expansion.h"
#include "ops/infer.h"

namespace anemone::onnx {
namespace {

// All inputs broadcast to one shape.
constexpr auto kBroadcasts = std::to_array<std::string_view>(
    {"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Equal", "Greater", "GreaterOrEqual",
     "Less", "LessOrEqual", "And", "Or", "Xor", "Where"});
// They work along one axis, and keep the others.
constexpr auto kAlongAxis = std::to_array<std::string_view>(
    {"Softmax", "LogSoftmax", "Concat", "Split", "CumSum", "Gather"});
constexpr auto kReductions = std::to_array<std::string_view>(
    {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2"});

template <typename List>
bool IsOneOf(const List& names, const std::string& op) {
  return std::ranges::find(names, op) != names.end();
}

// Runs of neighboring dimensions of `whole`: those with the same mark become one. Dimensions of 1 join any.
struct Groups {
  ir::Shape dims;                // of the runs
  std::vector<uint64_t> marks;   // of the runs
  std::vector<size_t> group_of;  // for each dimension

  std::vector<int64_t> RunsOf(const std::vector<int64_t>& axes) const {
    std::vector<int64_t> runs;
    for (const int64_t axis : axes)
      runs.push_back(static_cast<int64_t>(group_of[static_cast<size_t>(axis)]));
    return runs;
  }
};

Groups Grouped(const ir::Shape& whole, const std::vector<uint64_t>& marks) {
  Groups groups;
  for (size_t d = 0; d < whole.size(); ++d) {
    const bool joins = !groups.dims.empty() && (whole[d] == 1 || marks[d] == groups.marks.back());
    if (joins) {
      groups.dims.back() *= whole[d];
    } else if (!groups.dims.empty() && groups.dims.back() == 1 && groups.marks.back() == 0) {
      groups.dims.back() = whole[d];
      groups.marks.back() = marks[d];
    } else {
      groups.dims.push_back(whole[d]);
      groups.marks.push_back(whole[d] == 1 ? 0 : marks[d]);
    }
    groups.group_of.push_back(groups.dims.size() - 1);
  }
  if (groups.dims.empty()) groups.dims.push_back(1), groups.marks.push_back(0);
  return groups;
}

std::string Shaped(Expansion& e, std::string value, const ir::Shape& dims) {
  return e.Op("Reshape", {std::move(value), e.Int64s(dims)});
}

// The shape that all of them broadcast to, and which of them repeat along each dimension.
struct Broadcast {
  ir::Shape dims;
  std::vector<uint64_t> marks;
};
std::optional<Broadcast> BroadcastOf(const std::vector<ir::Shape>& shapes) {
  Broadcast result;
  for (const ir::Shape& shape : shapes) {
    if (shape.size() > result.dims.size()) result.dims.resize(shape.size(), 1);
  }
  const size_t rank = result.dims.size();
  const auto size_at = [&](const ir::Shape& shape, size_t d) {
    return d + shape.size() < rank ? int64_t{1} : shape[d + shape.size() - rank];
  };
  for (size_t d = 0; d < rank; ++d) {
    result.dims[d] = 1;
    for (const ir::Shape& shape : shapes) {
      if (size_at(shape, d) != 1) result.dims[d] = size_at(shape, d);
    }
    uint64_t mark = 0;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const int64_t size = size_at(shapes[i], d);
      if (size != 1 && size != result.dims[d]) return std::nullopt;
      if (size == 1 && result.dims[d] != 1) mark |= uint64_t{1} << i;
    }
    result.marks.push_back(mark);
  }
  return result;
}

// The dims of broadcast input `i` in the groups.
ir::Shape DimsIn(const Groups& groups, size_t i) {
  ir::Shape dims = groups.dims;
  for (size_t g = 0; g < dims.size(); ++g) {
    if ((groups.marks[g] >> i & 1) != 0) dims[g] = 1;
  }
  return dims;
}

bool Fits(const Groups& groups, size_t more = 0) {
  return groups.dims.size() + more <= static_cast<size_t>(kMaxRank);
}

Result<bool> LowerBroadcast(NodeContext& c) {
  std::vector<ir::Shape> shapes;
  for (size_t i = 0; i < c.InputCount(); ++i) shapes.push_back(c.Sizes(i));
  const auto broadcast = BroadcastOf(shapes);
  if (!broadcast || shapes.size() > 63) return false;
  const Groups groups = Grouped(broadcast->dims, broadcast->marks);
  if (!Fits(groups)) return false;
  Expansion e(c);
  std::vector<std::string> inputs;
  for (size_t i = 0; i < shapes.size(); ++i)
    inputs.push_back(Shaped(e, e.In(i), DimsIn(groups, i)));
  const auto made = e.Op(c.node().op, inputs, c.node().attributes);
  ANEMONE_TRY(e.Finish({Shaped(e, made, broadcast->dims)}));
  return true;
}

Result<bool> LowerExpand(NodeContext& c) {
  const auto wanted = c.KnownSizes(1);
  if (!wanted || Symbols::AnySymbol(*wanted)) return false;
  const auto broadcast = BroadcastOf({c.Sizes(0), *wanted});
  if (!broadcast) return false;
  const Groups groups = Grouped(broadcast->dims, broadcast->marks);
  if (!Fits(groups)) return false;
  Expansion e(c);
  const auto made = e.Op("Expand", {Shaped(e, e.In(0), DimsIn(groups, 0)), e.Int64s(groups.dims)});
  ANEMONE_TRY(e.Finish({Shaped(e, made, broadcast->dims)}));
  return true;
}

// The batch dimensions broadcast, the last two are those of the matrices.
Result<bool> LowerMatMul(NodeContext& c) {
  if (c.Rank(0) < 2 || c.Rank(1) < 2) return false;
  const ir::Shape &a = c.Sizes(0), &b = c.Sizes(1);
  const auto broadcast =
      BroadcastOf({ir::Shape(a.begin(), a.end() - 2), ir::Shape(b.begin(), b.end() - 2)});
  if (!broadcast) return false;
  const Groups groups = Grouped(broadcast->dims, broadcast->marks);
  if (!Fits(groups, 2)) return false;
  Expansion e(c);
  const auto matrices = [&](size_t i, const ir::Shape& own) {
    ir::Shape dims = DimsIn(groups, i);
    dims.insert(dims.end(), own.end() - 2, own.end());
    return Shaped(e, e.In(i), dims);
  };
  const auto made = e.Op("MatMul", {matrices(0, a), matrices(1, b)});
  ir::Shape dims = broadcast->dims;
  dims.push_back(a[a.size() - 2]);
  dims.push_back(b.back());
  ANEMONE_TRY(e.Finish({Shaped(e, made, dims)}));
  return true;
}

std::vector<Attribute> WithAxis(const Node& node, int64_t axis) {
  std::vector<Attribute> attributes;
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name != "axis" && attribute.name != "axes") attributes.push_back(attribute);
  }
  if (axis >= 0) attributes.push_back(attribute::Int("axis", axis));
  return attributes;
}

// The dimensions before the axis, the axis, and those behind it.
Result<bool> LowerAxis(NodeContext& c) {
  const std::string& op = c.node().op;
  if (op == "Gather" && c.InputCount() != 2) return false;
  int64_t given = c.Int("axis", op == "Split" || op == "Gather" ? 0 : -1);
  if (op == "CumSum") {
    const auto axis = c.KnownSizes(1);
    if (!axis || axis->size() != 1) return false;
    given = axis->front();
  }
  ANEMONE_ASSIGN(const int64_t axis, ops::NormalizeAxis(given, c.Rank(0)));
  const auto at = static_cast<size_t>(axis);
  const auto three = [&](const ir::Shape& dims) {
    const auto count = [&](size_t begin, size_t end) {
      int64_t product = 1;
      for (size_t d = begin; d < end; ++d) product *= dims[d];
      return product;
    };
    return ir::Shape{count(0, at), dims[at], count(at + 1, dims.size())};
  };
  Expansion e(c);
  std::vector<std::string> inputs;
  for (size_t i = 0; i < c.InputCount(); ++i) {
    const bool shaped = i == 0 || op == "Concat";
    if (shaped) {
      ir::Shape others = c.Sizes(i);
      if (others.size() != c.Sizes(0).size()) return false;
      others[at] = c.Sizes(0)[at];
      if (others != c.Sizes(0)) return false;
    }
    inputs.push_back(shaped ? Shaped(e, e.In(i), three(c.Sizes(i))) : e.In(i));
  }
  if (op == "CumSum") inputs[1] = e.Int64(1);
  const auto made = e.Ops(op, inputs, c.OutputCount(), WithAxis(c.node(), op == "CumSum" ? -1 : 1));
  ANEMONE_ASSIGN(const auto results, e.Convert(made));
  std::vector<std::string> outputs;
  for (size_t i = 0; i < made.size(); ++i) {
    ir::Shape dims = c.Sizes(0);
    const ir::Shape& now = results[i].dims;  // before, what stands for the axis, behind
    dims.erase(dims.begin() + axis);
    if (now.size() < 2) return Internal("{} along an axis lost its other dimensions", op);
    dims.insert(dims.begin() + axis, now.begin() + 1, now.end() - 1);
    outputs.push_back(Shaped(e, made[i], dims));
  }
  ANEMONE_TRY(e.Finish(outputs));
  return true;
}

// Marks the axes that are worked on, each of which stays a dimension of its own.
Groups Apart(const ir::Shape& dims, const std::vector<int64_t>& axes) {
  std::vector<uint64_t> marks(dims.size(), 0);
  Groups groups;
  for (size_t d = 0; d < dims.size(); ++d) {
    const bool apart = std::ranges::find(axes, static_cast<int64_t>(d)) != axes.end();
    if (!apart && !groups.dims.empty() && groups.marks.back() == 0) {
      groups.dims.back() *= dims[d];
    } else {
      groups.dims.push_back(dims[d]);
      groups.marks.push_back(apart ? 1 : 0);
    }
    groups.group_of.push_back(groups.dims.size() - 1);
  }
  return groups;
}

Result<std::optional<std::vector<int64_t>>> AxesOf(const NodeContext& c, size_t input) {
  ANEMONE_ASSIGN(auto axes, c.IntsOr(input, "axes"));
  if (!axes) return std::optional<std::vector<int64_t>>();
  for (int64_t& axis : *axes) {
    ANEMONE_ASSIGN(axis, ops::NormalizeAxis(axis, c.Rank(0)));
  }
  return axes;
}

Result<bool> LowerReduction(NodeContext& c) {
  ANEMONE_ASSIGN(const auto axes, AxesOf(c, 1));
  if (!axes || axes->empty()) return false;
  const Groups groups = Apart(c.Sizes(0), *axes);
  if (!Fits(groups)) return false;
  ir::Shape dims;
  for (size_t d = 0; d < c.Sizes(0).size(); ++d) {
    const bool gone = std::ranges::find(*axes, static_cast<int64_t>(d)) != axes->end();
    if (!gone) dims.push_back(c.Sizes(0)[d]);
    if (gone && c.Int("keepdims", 1) != 0) dims.push_back(1);
  }
  Expansion e(c);
  const auto made =
      e.Op(c.node().op, {Shaped(e, e.In(0), groups.dims), e.Int64s(groups.RunsOf(*axes))},
           WithAxis(c.node(), -1));
  ANEMONE_TRY(e.Finish({Shaped(e, made, dims)}));
  return true;
}

Result<bool> LowerSlice(NodeContext& c) {
  if (c.InputCount() < 3) return false;
  ANEMONE_ASSIGN(const auto axes, AxesOf(c, 3));
  if (!axes || axes->empty()) return false;
  const Groups groups = Apart(c.Sizes(0), *axes);
  if (!Fits(groups)) return false;
  Expansion e(c);
  std::vector<std::string> inputs = {Shaped(e, e.In(0), groups.dims), e.In(1), e.In(2),
                                     e.Int64s(groups.RunsOf(*axes))};
  if (c.Has(4)) inputs.push_back(e.In(4));
  const auto made = e.Op("Slice", inputs);
  ANEMONE_ASSIGN(const auto results, e.Convert({made}));
  ir::Shape dims = c.Sizes(0);
  for (const int64_t axis : *axes) {
    const auto d = static_cast<size_t>(axis);
    dims[d] = results[0].dims[groups.group_of[d]];
  }
  ANEMONE_TRY(e.Finish({Shaped(e, made, dims)}));
  return true;
}

Result<bool> LowerTile(NodeContext& c) {
  const auto times = c.KnownSizes(1);
  if (!times || Symbols::AnySymbol(*times) || times->size() != c.Sizes(0).size()) return false;
  std::vector<int64_t> axes;
  ir::Shape dims = c.Sizes(0);
  for (size_t d = 0; d < dims.size(); ++d) {
    if ((*times)[d] < 1 || (*times)[d] > INT32_MAX) return false;
    if ((*times)[d] != 1) axes.push_back(static_cast<int64_t>(d));
    dims[d] *= (*times)[d];
  }
  const Groups groups = Apart(c.Sizes(0), axes);
  if (!Fits(groups)) return false;
  std::vector<int64_t> own(groups.dims.size(), 1);
  for (const int64_t axis : axes)
    own[groups.group_of[static_cast<size_t>(axis)]] = (*times)[static_cast<size_t>(axis)];
  Expansion e(c);
  const auto made = e.Op("Tile", {Shaped(e, e.In(0), groups.dims), e.Int64s(own)});
  ANEMONE_TRY(e.Finish({Shaped(e, made, dims)}));
  return true;
}

}  // namespace

Result<bool> LowerRank(NodeContext& c) {
  const std::string& op = c.node().op;
  if (!c.node().domain.empty() || c.InputCount() == 0) return false;
  const bool all = op == "MatMul" || op == "Concat" || IsOneOf(kBroadcasts, op);
  int64_t rank = 0;
  for (size_t i = 0; i < c.InputCount(); ++i) {
    if (!c.Has(i)) {
      if (i < 3 || op != "Slice") return false;  // only a slice leaves something out in between
      continue;
    }
    if (c.In(i).items != nullptr || c.IsOpen(i)) return false;
    if (i > 0 && !all && c.Rank(i) > kMaxRank) return false;
    rank = std::max(rank, c.Rank(i));
  }
  if (op == "Expand" && c.Has(1) && c.Rank(1) == 1) rank = std::max(rank, c.Sizes(1)[0]);
  if (rank <= kMaxRank) return false;
  // Older versions of these name their axes in other ways.
  const bool newer = c.opset() >= 13;
  if (IsOneOf(kBroadcasts, op)) return LowerBroadcast(c);
  if (op == "Expand") return LowerExpand(c);
  if (newer && op == "Tile") return LowerTile(c);
  if (op == "MatMul") return c.InputCount() == 2 ? LowerMatMul(c) : false;
  if (newer && IsOneOf(kAlongAxis, op)) return LowerAxis(c);
  if (newer && IsOneOf(kReductions, op)) return LowerReduction(c);
  if (newer && op == "Slice") return LowerSlice(c);
  return false;
}

}  // namespace anemone::onnx
