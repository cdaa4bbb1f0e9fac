#include "ops/slice/sequences_onnx.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "onnx/expansion.h"
#include "ops/infer.h"

namespace anemone::ops::slice {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

Result<std::vector<Operand>> Items(const NodeContext& c) {
  if (!c.Has(0) || c.In(0).items == nullptr) return InvalidInput("input 0 is not a sequence");
  return *c.In(0).items;
}

// Input `i` as a place in a sequence; `fallback` when it is absent. `end`: the place behind the last
// element is one too.
Result<size_t> Place(const NodeContext& c, size_t i, size_t count, size_t fallback, bool end) {
  if (!c.Has(i)) return fallback;
  ANEMONE_ASSIGN(const auto given, c.Ints(i, "the place in the sequence"));
  if (given.size() != 1) return InvalidInput("the place is not a scalar");
  const int64_t at = given[0] < 0 ? given[0] + static_cast<int64_t>(count) : given[0];
  if (at < 0 || at >= static_cast<int64_t>(count) + (end ? 1 : 0))
    return InvalidInput("place {} in a sequence of {}", given[0], count);
  return static_cast<size_t>(at);
}

// The sizes of the parts along a dimension of `size`.
Result<std::vector<int64_t>> PartSizes(const NodeContext& c, int64_t size) {
  int64_t part = 1;
  if (c.Has(1)) {
    ANEMONE_ASSIGN(const auto given, c.Ints(1, "split"));
    if (c.Rank(1) == 1) return given;
    if (given.size() != 1 || given[0] < 1) return InvalidInput("split is no size");
    part = given[0];
  }
  if (size / part > INT16_MAX) return Unsupported("a sequence of {} tensors", size / part);
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < size; at += part) sizes.push_back(std::min(part, size - at));
  return sizes;
}

}  // namespace

Status EmitSequenceConstruct(NodeContext& c) {
  std::vector<Operand> items;
  for (size_t i = 0; i < c.InputCount(); ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
    items.push_back(c.In(i));
  }
  return c.SetSequence(0, std::move(items));
}

Status EmitSequenceInsert(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_ASSIGN(auto items, Items(c));
  ANEMONE_ASSIGN(const size_t at, Place(c, 2, items.size(), items.size(), true));
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), c.In(1));
  return c.SetSequence(0, std::move(items));
}

Status EmitSequenceErase(NodeContext& c) {
  ANEMONE_ASSIGN(auto items, Items(c));
  if (items.empty()) return InvalidInput("the sequence is empty");
  ANEMONE_ASSIGN(const size_t at, Place(c, 1, items.size(), items.size() - 1, false));
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  return c.SetSequence(0, std::move(items));
}

Status EmitSequenceAt(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_ASSIGN(const auto items, Items(c));
  ANEMONE_ASSIGN(const size_t at, Place(c, 1, items.size(), 0, false));
  return c.SetOperand(0, items[at]);
}

Status EmitSequenceLength(NodeContext& c) {
  ANEMONE_ASSIGN(const auto items, Items(c));
  return c.SetConstant(0, onnx::Constant::Int64s({static_cast<int64_t>(items.size())}, {}));
}

// The body runs once for each element of the first sequence; further sequences go along, tensors are
// the same each time.
Status EmitSequenceMap(NodeContext& c) {
  ANEMONE_ASSIGN(const auto items, Items(c));
  const auto* body = c.node().Find("body");
  if (body == nullptr || body->graphs.size() != 1) return InvalidInput("SequenceMap needs a body");
  std::vector<std::vector<Operand>> results(c.OutputCount());
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<Operand> inputs;
    for (size_t k = 0; k < c.InputCount(); ++k) {
      if (!c.Has(k)) return InvalidInput("input {} is missing", k);
      const auto& sequence = c.In(k).items;
      if (sequence != nullptr && sequence->size() != items.size())
        return InvalidInput("sequences of {} and {} tensors", items.size(), sequence->size());
      inputs.push_back(sequence != nullptr ? (*sequence)[i] : c.In(k));
    }
    ANEMONE_ASSIGN(const auto outputs, c.ImportGraph(*body->graphs[0], nullptr, inputs));
    if (outputs.size() < results.size()) return InvalidInput("the body has too few outputs");
    for (size_t k = 0; k < results.size(); ++k) {
      if (outputs[k].poisoned) return Unsupported("a node of the body cannot be converted");
      results[k].push_back(outputs[k]);
    }
  }
  for (size_t k = 0; k < results.size(); ++k) ANEMONE_TRY(c.SetSequence(k, std::move(results[k])));
  return {};
}

Status EmitSplitToSequence(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  ANEMONE_ASSIGN(const auto sizes, PartSizes(c, c.Dims(0)[static_cast<size_t>(axis)]));
  if (sizes.empty()) return c.SetSequence(0, {});
  Expansion e(c);
  auto names = e.Ops("Split", {e.In(0), e.Int64s(sizes)}, sizes.size(), {Int("axis", axis)});
  if (!c.Has(1) && c.Int("keepdims", 1) == 0) {
    for (auto& name : names) name = e.Op("Squeeze", {name, e.Int64s({axis})});
  }
  ANEMONE_ASSIGN(auto parts, e.Convert(names));
  return c.SetSequence(0, std::move(parts));
}

Status EmitConcatFromSequence(NodeContext& c) {
  ANEMONE_ASSIGN(const auto items, Items(c));
  if (items.empty()) return InvalidInput("the sequence is empty");
  const int64_t axis = c.Int("axis", 0);
  Expansion e(c);
  std::vector<std::string> names;
  for (const Operand& item : items) {
    auto name = e.Bind(item);
    if (c.Int("new_axis", 0) != 0) name = e.Op("Unsqueeze", {name, e.Int64s({axis})});
    names.push_back(std::move(name));
  }
  if (names.size() == 1) return e.Finish({e.Op("Identity", names)});
  return e.Finish({e.Op("Concat", names, {Int("axis", axis)})});
}

}  // namespace anemone::ops::slice
