#include "onnx/fold_sizes.h"

#include <algorithm>
#include <array>
#include <functional>

#include "ops/infer.h"

namespace anemone::onnx {
namespace {

using Sizes = std::vector<int64_t>;

// Whether float32 holds all of them, so that sizes cast to floats stay sizes.
bool IsExactInFloat(NodeContext& c, const Sizes& sizes) {
  return std::ranges::all_of(sizes, [&](int64_t size) {
    const Symbols::Bounds bounds = c.symbols().BoundsOf(size);
    return bounds.low >= -kExactInFloat && bounds.high <= kExactInFloat;
  });
}

// The node's input `i` as integers, and whether one is known only at run time.
struct Ints {
  Sizes values;
  ir::Shape dims;
};

std::optional<Ints> IntsOf(const NodeContext& c, size_t i) {
  if (!c.Has(i)) return std::nullopt;
  auto values = c.KnownSizes(i);
  if (!values) return std::nullopt;
  return Ints{std::move(*values), c.Sizes(i)};
}

Result<bool> FoldShapeOf(NodeContext& c) {
  const ir::Shape& dims = c.Sizes(0);
  const int64_t rank = c.Rank(0);
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(c.Int("start", 0));
  const int64_t end = std::max(start, clamp(c.Int("end", rank)));
  ANEMONE_TRY(c.SetSizes(0, Sizes(dims.begin() + start, dims.begin() + end), {end - start}));
  return true;
}

Result<bool> FoldSizeOf(NodeContext& c) {
  const auto count = c.symbols().Product(c.Sizes(0), 0, c.Sizes(0).size());
  if (!count) return false;
  ANEMONE_TRY(c.SetSizes(0, {*count}, {}));
  return true;
}

// Operators that only move elements: what holds for numbers holds for the handles of sizes.
bool MovesElements(std::string_view op) {
  constexpr std::array kMovers = std::to_array<std::string_view>(
      {"Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Gather", "Slice",
       "Split", "Concat", "Expand", "Tile", "Where"});
  return std::ranges::find(kMovers, op) != kMovers.end();
}

Result<bool> FoldMove(NodeContext& c) {
  const std::string& op = c.node().op;
  std::vector<Constant> held;
  held.reserve(c.InputCount());
  FoldArgs args{c.node(), c.opset(), {}};
  DType type = DType::kInvalid;
  for (size_t i = 0; i < c.InputCount(); ++i) {
    const bool data = op == "Concat" || (op == "Where" ? i > 0 : i == 0);
    if (!c.Has(i)) {
      args.inputs.push_back(nullptr);
    } else if (data) {
      auto ints = IntsOf(c, i);
      if (!ints || (c.Type(i) != DType::kInt64 && c.Type(i) != DType::kInt32)) return false;
      if (type == DType::kInvalid) type = c.Type(i);
      held.push_back(Constant::Int64s(std::move(ints->values), std::move(ints->dims)));
      args.inputs.push_back(&held.back());
    } else if (c.Const(i) != nullptr) {
      args.inputs.push_back(c.Const(i));
    } else {
      return false;  // which elements move depends on a size
    }
  }
  ANEMONE_ASSIGN(const auto folded, FoldNode(args));
  if (!folded) return false;
  for (size_t i = 0; i < folded->size(); ++i) {
    ANEMONE_TRY(c.SetSizes(i, *(*folded)[i].AsInts(), (*folded)[i].dims, type));
  }
  return true;
}

Result<bool> FoldCastOf(NodeContext& c) {
  const DType to = ToDType(static_cast<int32_t>(c.Int("to", 0)));
  const bool exact = to == DType::kInt64 || to == DType::kInt32 ||
                     (to == DType::kFp32 && IsExactInFloat(c, *c.In(0).sizes));
  if (!exact) return false;
  ANEMONE_TRY(c.SetSizes(0, *c.In(0).sizes, c.Sizes(0), to));
  return true;
}

// Applies `combine` to the elements of two tensors, broadcast together; nullopt when it has no
// answer for one.
using Combine = std::function<std::optional<int64_t>(int64_t, int64_t)>;
Result<std::optional<Ints>> Zip(const Ints& a, const Ints& b, const Combine& combine) {
  ANEMONE_ASSIGN(const ir::Shape dims, ops::BroadcastShapes("", a.dims, b.dims));
  const auto count = ir::ElementCount(dims);
  if (!count || *count > (1 << 16)) return std::optional<Ints>();
  // Each operand's handles, repeated as numbers are.
  const auto x = BroadcastConstant(Constant::Int64s(a.values, a.dims), dims).AsInts();
  const auto y = BroadcastConstant(Constant::Int64s(b.values, b.dims), dims).AsInts();
  Ints out{{}, dims};
  for (size_t i = 0; i < x->size(); ++i) {
    const auto value = combine((*x)[i], (*y)[i]);
    if (!value) return std::optional<Ints>();
    out.values.push_back(*value);
  }
  return std::optional(std::move(out));
}

Combine ArithmeticOf(Symbols& s, std::string_view op) {
  if (op == "Add" || op == "Sum") return [&s](int64_t a, int64_t b) { return s.Add(a, b); };
  if (op == "Sub") return [&s](int64_t a, int64_t b) { return s.Sub(a, b); };
  if (op == "Mul") return [&s](int64_t a, int64_t b) { return s.Mul(a, b); };
  if (op == "Div") return [&s](int64_t a, int64_t b) { return s.TruncDiv(a, b); };
  if (op == "Min") return [&s](int64_t a, int64_t b) { return s.Min(a, b); };
  if (op == "Max") return [&s](int64_t a, int64_t b) { return s.Max(a, b); };
  if (op == "Mod") {
    return [&s](int64_t a, int64_t b) -> std::optional<int64_t> {
      // With floored division both signs agree with ONNX's; fmod is not folded.
      const auto quotient = s.FloorDiv(a, b);
      const auto product = quotient ? s.Mul(*quotient, b) : std::nullopt;
      return product ? s.Sub(a, *product) : std::nullopt;
    };
  }
  return {};
}

// 1, 0, or nullopt when it depends on the sizes.
Combine ComparisonOf(Symbols& s, std::string_view op) {
  const auto decide = [&s](auto yes, auto no) -> Combine {
    return [&s, yes, no](int64_t a, int64_t b) -> std::optional<int64_t> {
      const Symbols::Order order = s.Compare(a, b);
      if (std::ranges::find(yes, order) != yes.end()) return 1;
      if (std::ranges::find(no, order) != no.end()) return 0;
      return std::nullopt;
    };
  };
  using Orders = std::vector<Symbols::Order>;
  const Orders less = {Symbols::Order::kLess},
               not_less = {Symbols::Order::kNotLess, Symbols::Order::kEqual,
                           Symbols::Order::kGreater};
  const Orders greater = {Symbols::Order::kGreater},
               not_greater = {Symbols::Order::kNotGreater, Symbols::Order::kEqual,
                              Symbols::Order::kLess};
  if (op == "Equal")
    return decide(Orders{Symbols::Order::kEqual},
                  Orders{Symbols::Order::kLess, Symbols::Order::kGreater});
  if (op == "Less") return decide(less, not_less);
  if (op == "GreaterOrEqual") return decide(not_less, less);
  if (op == "Greater") return decide(greater, not_greater);
  if (op == "LessOrEqual") return decide(not_greater, greater);
  return {};
}

Result<bool> FoldPair(NodeContext& c, const Combine& combine, bool comparison) {
  const std::string& op = c.node().op;
  const bool is_float = c.IsFloat(0);
  auto sum = IntsOf(c, 0);
  if (!sum || (op == "Mod" && c.Int("fmod", 0) != 0)) return false;
  if (is_float && (op == "Div" || op == "Mod")) return false;  // no whole number
  for (size_t i = 1; i < c.InputCount(); ++i) {
    const auto next = IntsOf(c, i);
    if (!next) return false;
    ANEMONE_ASSIGN(auto zipped, Zip(*sum, *next, combine));
    if (!zipped) return false;
    sum = std::move(zipped);
    // Many floats are data, not sizes.
    if (is_float && (sum->values.size() > 8 || !IsExactInFloat(c, sum->values))) return false;
  }
  if (comparison) {
    ANEMONE_TRY(c.SetConstant(0, Constant::FromInts(DType::kBool, sum->values, sum->dims)));
  } else {
    const DType type = c.Type(0);
    ANEMONE_TRY(c.SetSizes(0, std::move(sum->values), std::move(sum->dims), type));
  }
  return true;
}

Result<bool> FoldClippedSizes(NodeContext& c) {
  auto clipped = IntsOf(c, 0);
  for (size_t i = 1; i < c.InputCount() && clipped; ++i) {
    if (!c.Has(i)) continue;
    const auto limit = IntsOf(c, i);
    if (!limit) return false;
    ANEMONE_ASSIGN(clipped,
                   Zip(*clipped, *limit, ArithmeticOf(c.symbols(), i == 1 ? "Max" : "Min")));
  }
  if (!clipped) return false;
  ANEMONE_TRY(c.SetSizes(0, std::move(clipped->values), std::move(clipped->dims), c.Type(0)));
  return true;
}

Result<bool> FoldNegative(NodeContext& c) {
  Sizes out;
  for (const int64_t size : *c.In(0).sizes) {
    const auto negative = c.symbols().Mul(size, -1);
    if (!negative) return false;
    out.push_back(*negative);
  }
  ANEMONE_TRY(c.SetSizes(0, std::move(out), c.Sizes(0), c.Type(0)));
  return true;
}

// Over all elements of a vector, as exporters multiply the sizes of a shape.
Result<bool> FoldReduction(NodeContext& c, const Combine& combine) {
  const Sizes& values = *c.In(0).sizes;
  if (c.Rank(0) != 1 || values.empty()) return false;
  if (c.Has(1) && c.Const(1) == nullptr) return false;
  if (c.Int("noop_with_empty_axes", 0) != 0) return false;
  std::optional<int64_t> sum = values[0];
  for (size_t i = 1; i < values.size() && sum; ++i) sum = combine(*sum, values[i]);
  if (!sum) return false;
  const bool keep = c.Int("keepdims", 1) != 0;
  ANEMONE_TRY(c.SetSizes(0, {*sum}, keep ? ir::Shape{1} : ir::Shape(), c.Type(0)));
  return true;
}

}  // namespace

Result<bool> FoldSizes(NodeContext& c) {
  const std::string& op = c.node().op;
  if (!c.node().domain.empty() || !c.Has(0)) return false;
  if (op == "Shape" && c.IsOpen(0)) return FoldShapeOf(c);
  if (op == "Size" && c.IsOpen(0)) return FoldSizeOf(c);
  bool sized = false;
  for (size_t i = 0; i < c.InputCount(); ++i) sized = sized || (c.Has(i) && c.In(i).sizes);
  if (!sized) return false;
  if (MovesElements(op)) return FoldMove(c);
  Symbols& symbols = c.symbols();
  if (const Combine combine = ArithmeticOf(symbols, op)) return FoldPair(c, combine, false);
  if (const Combine combine = ComparisonOf(symbols, op)) return FoldPair(c, combine, true);
  if (!c.In(0).sizes) return false;
  if (op == "Cast") return FoldCastOf(c);
  if (c.IsFloat(0)) {
    const bool keeps = op == "Floor" || op == "Ceil" || op == "Round";
    if (keeps) ANEMONE_TRY(c.Forward(0, 0));
    return keeps;
  }
  if (op == "Clip") return FoldClippedSizes(c);
  if (op == "Neg") return FoldNegative(c);
  const std::string_view pair = op == "ReduceProd"  ? "Mul"
                                : op == "ReduceSum" ? "Add"
                                : op == "ReduceMax" ? "Max"
                                : op == "ReduceMin" ? "Min"
                                                    : "";
  if (!pair.empty()) return FoldReduction(c, ArithmeticOf(symbols, pair));
  return false;
}

}  // namespace anemone::onnx
