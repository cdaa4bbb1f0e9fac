#include "ops/tensor_ops/unique_onnx.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "onnx/expansion.h"
#include "ops/infer.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

std::vector<int64_t> CountedFrom(int64_t count, int64_t first = 0) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

// How many slices of x along `axis` come before each, in the order of their first differing elements:
// as many for equal slices only.
Result<std::string> RanksOfSlices(NodeContext& c, Expansion& e, std::string x, int64_t axis) {
  constexpr int64_t kMostComparisons = int64_t{1} << 24;
  const ir::Shape& dims = c.Dims(0);
  const int64_t n = dims[static_cast<size_t>(axis)];
  const int64_t elements = *ir::ElementCount(dims);
  if (elements > kMostComparisons / n) {
    return Unsupported("equal ones among {} slices of {} elements", n, elements / n);
  }
  std::vector<int64_t> perm = CountedFrom(c.Rank(0));
  std::rotate(perm.begin(), perm.begin() + axis, perm.begin() + axis + 1);
  x = e.Op("Transpose", {std::move(x)}, {attribute::Ints("perm", std::move(perm))});
  const std::string a = e.Op("Reshape", {x, e.Int64s({n, 1, elements / n})});
  const std::string b = e.Op("Reshape", {x, e.Int64s({1, n, elements / n})});
  const std::string differ = e.Op("Not", {e.Op("Equal", {a, b})});
  const std::string so_far = e.Op("CumSum", {e.Cast(differ, ElementType::kInt64), e.Int64(2)});
  const std::string first = e.Op("And", {differ, e.Op("Equal", {so_far, e.Int64(1)})});
  const std::string after = e.Op("And", {first, e.Op("Greater", {a, b})});
  return e.Op("ReduceSum", {e.Cast(after, ElementType::kInt64), e.Int64s({1, 2})},
              {attribute::Int("keepdims", 0)});
}

}  // namespace

Status EmitUnique(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  // Constants as long as the tensor are made below.
  if (!FoldableCount(c.Dims(0)))
    return Unsupported("equal elements of {}", ir::ShapeToString(c.Dims(0)));
  const int64_t count = *ir::ElementCount(c.Dims(0));
  if (count == 0) return Unsupported("a tensor without elements");
  const bool has_axis = c.node().Find("axis") != nullptr;
  Expansion e(c);
  std::string x = e.In(0), keys;
  int64_t axis = 0, n = count;
  if (has_axis) {
    ANEMONE_ASSIGN(axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
    n = c.Dims(0)[static_cast<size_t>(axis)];
  } else {
    x = e.Op("Reshape", {x, e.Int64s({n})});
  }
  // What is sorted: numbers that are equal where the elements are.
  const std::string numbers = c.Dtype(0) == DType::kBool ? e.Cast(x, ElementType::kInt32) : x;
  if (has_axis && c.Rank(0) > 1) {
    ANEMONE_ASSIGN(keys, RanksOfSlices(c, e, numbers, axis));
  } else {
    keys = numbers;
  }

  const auto sorted = e.Ops("TopK", {keys, e.Int64s({n})}, 2, {attribute::Int("largest", 0)});
  // Where a value is the first of its kind in the sorted order, and how many kinds there are up to it.
  std::vector<int64_t> before = CountedFrom(n, -1);
  before[0] = 0;
  std::vector<int64_t> is_first(static_cast<size_t>(n));
  is_first[0] = 1;
  const std::string previous = e.Op("Gather", {sorted[0], e.Int64s(std::move(before))});
  const std::string fresh = e.Op("Or", {e.Op("Not", {e.Op("Equal", {sorted[0], previous})}),
                                        e.Known(Constant::FromInts(DType::kBool, is_first, {n}))});
  const std::string one = e.Int64(1);
  const auto counted = [&](const std::string& mask) {
    return e.Op("Sub", {e.Op("CumSum", {e.Cast(mask, ElementType::kInt64), e.Int64(0)}), one});
  };
  const auto places = [&](const std::string& mask) {
    return e.Op("Squeeze", {e.Op("NonZero", {mask}), e.Int64s({0})});
  };
  const std::string kind = counted(fresh);
  const std::string zeros = e.Int64s(std::vector<int64_t>(static_cast<size_t>(n)));
  // Of each kind the first element's place in x, and how many elements there are.
  const std::string firsts =
      e.Op("ScatterElements",
           {e.Int64s(std::vector<int64_t>(static_cast<size_t>(n), n)), kind, sorted[1]},
           {attribute::Text("reduction", "min")});
  const std::string sizes = e.Op(
      "ScatterElements", {zeros, kind, e.Int64s(std::vector<int64_t>(static_cast<size_t>(n), 1))},
      {attribute::Text("reduction", "add")});
  const std::string kind_of = e.Op("ScatterElements", {zeros, sorted[1], kind});

  std::string indices, inverse = kind_of, kinds;
  if (c.Int("sorted", 1) != 0) {
    kinds = e.Op("Gather", {kind, places(fresh)});
    indices = e.Op("Gather", {firsts, kinds});
  } else {
    const std::string first_of = e.Op("Gather", {firsts, kind_of});
    const std::string leads = e.Op("Equal", {first_of, e.Int64s(CountedFrom(n))});
    indices = places(leads);
    kinds = e.Op("Gather", {kind_of, indices});
    inverse = e.Op("Gather", {counted(leads), first_of});
  }
  const auto wanted = [&](size_t output, std::string name) {
    return c.Wants(output) ? std::move(name) : std::string();
  };
  return e.Finish({e.Op("Gather", {x, indices}, {attribute::Int("axis", axis)}), wanted(1, indices),
                   wanted(2, inverse), wanted(3, e.Op("Gather", {sizes, kinds}))});
}

}  // namespace anemone::ops::tensor_ops
