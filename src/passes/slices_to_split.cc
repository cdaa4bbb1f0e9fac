// Slices that cut a tensor into parts, as exporters write chunk and split, become one split: the
// parts lie along one axis, one behind the other, and together they are the whole.
//
//   before                                                after
//     a = slice_by_index(x = x, begin = [0, 0],             a, b = split(x = x, split_sizes = [4, 2],
//                        end = [2, 4]);                                  axis = 1);
//     b = slice_by_index(x = x, begin = [0, 4],           } -> (a, b);
//                        end = [2, 6]);
//   } -> (a, b);
#include <algorithm>
#include <map>
#include <tuple>

#include "ops/slice/ranges.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

struct Part {
  ir::Operation* slice = nullptr;
  int64_t begin = 0;
  int64_t size = 0;
};

// Tensor, axis and block: what is cut, where, and by whom.
using Place = std::tuple<ir::Value*, int, const ir::Block*>;

// Where `op` cuts one part out of a tensor of known sizes; nullopt when it does anything else.
std::optional<std::pair<int, Part>> PartOf(ir::Operation& op, ir::Opset opset) {
  const ir::Value* x = op.Input("x");
  if (!x->type.is_tensor() || !x->type.is_static() || !op.output()->type.is_static() ||
      op.output()->type.rank() != x->type.rank()) {
    return std::nullopt;
  }
  const auto ranges = ops::slice::SliceRanges(ir::OpArgs(op, opset));
  if (!ranges.ok()) return std::nullopt;
  int axis = -1;
  Part part{.slice = &op};
  for (int d = 0; d < x->type.rank(); ++d) {
    const ops::slice::Range& range = (*ranges)[d];
    if (range.first < 0 || range.step != 1 || range.squeezed || range.count < 1)
      return std::nullopt;
    if (range.count == x->type.shape()[d]) continue;
    if (axis >= 0) return std::nullopt;
    axis = d;
    part.begin = range.first;
    part.size = range.count;
  }
  return axis < 0 ? std::nullopt : std::optional(std::pair(axis, part));
}

// Whether the parts, in order, are the whole without gaps.
bool Cover(const std::vector<Part>& parts, int64_t size) {
  int64_t next = 0;
  for (const Part& part : parts) {
    if (part.begin != next) return false;
    next += part.size;
  }
  return parts.size() > 1 && next == size;
}

}  // namespace

Result<bool> SlicesToSplit(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  std::map<Place, std::vector<Part>> places;
  std::vector<Place> order;  // of the first slice of each: the result does not depend on addresses
  for (ir::Operation* op : rewriter.operations()) {
    if (op->type() != "slice_by_index" || rewriter.UseCount(op->output()) == 0) continue;
    const auto part = PartOf(*op, function.opset);
    if (!part) continue;
    const Place place(op->Input("x"), part->first, op->parent());
    auto& parts = places[place];
    if (parts.empty()) order.push_back(place);
    parts.push_back(part->second);
  }
  for (const Place& place : order) {
    std::vector<Part>& parts = places[place];
    // The split stands where the first slice was, which all users of the others follow.
    const ir::Operation& first = *parts.front().slice;
    std::ranges::stable_sort(parts, {}, &Part::begin);
    const int axis = std::get<1>(place);
    // What is cut may have been a slice itself, which a split has replaced by now.
    ir::Value* x = first.Input("x");
    if (!Cover(parts, x->type.shape()[axis])) continue;
    std::vector<int64_t> sizes;
    for (const Part& part : parts) sizes.push_back(part.size);
    ANEMONE_ASSIGN(
        const ir::Operation* split,
        rewriter.builder().Add(
            "split",
            {{"x", x}, {"split_sizes", ir::Ints(sizes)}, {"axis", ir::Literal::Int32(axis)}},
            first.name() + "_parts"));
    ANEMONE_TRY(rewriter.Commit(first));
    for (size_t i = 0; i < parts.size(); ++i)
      rewriter.Replace(parts[i].slice->output(), split->output(i));
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
