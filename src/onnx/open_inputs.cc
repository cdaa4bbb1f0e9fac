// What the interface of the model says of inputs with open dimensions: a range for each dimension
// (Core ML's RangeDim), or a list of shapes (EnumeratedShapes); and what the user should know.
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "onnx/importer.h"

namespace anemone::onnx {
namespace {

constexpr size_t kMaxEnumerated = 128;  // Core ML's limit

// Every combination of the choices of the open dimensions of a shape, the default first. Two
// dimensions that are the same symbol have one size.
std::vector<ir::Shape> Combinations(const ir::Shape& shape,
                                    const std::map<int64_t, std::vector<int64_t>>& choices,
                                    const ir::Shape& fallback) {
  std::vector<ir::Shape> shapes = {shape};
  for (const int64_t symbol : shape) {
    const auto found = choices.find(symbol);
    if (found == choices.end()) continue;
    const std::vector<int64_t>& sizes = found->second;
    if (std::ranges::find(shapes[0], symbol) == shapes[0].end()) continue;  // done before
    std::vector<ir::Shape> next;
    for (const ir::Shape& one : shapes) {
      for (const int64_t size : sizes) {
        ir::Shape chosen = one;
        std::ranges::replace(chosen, symbol, size);
        next.push_back(std::move(chosen));
      }
      if (next.size() > kMaxEnumerated) return next;
    }
    shapes = std::move(next);
  }
  const auto first = std::ranges::find(shapes, fallback);
  if (first != shapes.end()) std::rotate(shapes.begin(), first, first + 1);
  return shapes;
}

}  // namespace

Status Importer::DescribeOpenInputs(ir::Model& model) {
  if (open_inputs_.empty()) return {};
  const Symbols& symbols = runtime_->symbols();
  size_t enumerated = 0, ranged = 0, shapes = 0;
  bool unbounded = false;
  std::string described;
  for (ir::Feature& feature : model.functions.front().inputs) {
    const auto found = open_inputs_.find(feature.name);
    if (found == open_inputs_.end()) continue;
    auto& array = std::get<ir::ArrayFeature>(feature.type);
    array.shape.clear();
    array.shape_range.clear();
    std::map<int64_t, std::vector<int64_t>> choices;
    bool range = false;
    std::string text;
    for (const int64_t size : found->second) {
      array.shape.push_back(symbols.DefaultOf(size));
      const auto bounds = symbols.OpenBounds(size);
      array.shape_range.push_back({bounds.low, bounds.high});
      const auto open = open_.find(size);
      std::string one = fmt::format("{}", size);
      if (open != open_.end()) {
        const InputSize& given = open->second.given;
        range = range || given.choices.empty();
        unbounded = unbounded || (given.choices.empty() && given.upper == 0);
        if (!given.choices.empty()) choices.emplace(size, given.choices);
        one = given.choices.empty()
                  ? fmt::format("[{}..{}={}]", bounds.low, bounds.high, array.shape.back())
                  : fmt::format("[{}]", fmt::join(given.choices, "|"));
      }
      text += (text.empty() ? "" : "x") + one;
    }
    described += fmt::format("{}{}:{}", described.empty() ? "" : ", ", feature.name, text);
    if (choices.empty()) {
      ++ranged;
      continue;
    }
    if (range) {
      return Usage("Core ML's inputs have ranges or a list of shapes, not both: {}", text)
          .At(fmt::format("input '{}'", feature.name))
          .Advise("give all open dimensions of the input ranges, or all of them choices");
    }
    array.shape_range.clear();
    array.enumerated = Combinations(found->second, choices, array.shape);
    if (array.enumerated.size() > kMaxEnumerated) {
      return Usage("more than {} shapes, Core ML's limit", kMaxEnumerated)
          .At(fmt::format("input '{}'", feature.name))
          .Advise("give fewer choices, or a range");
    }
    if (++enumerated == 1) shapes = array.enumerated.size();
    if (enumerated > 1 && function_->opset < ir::Opset::kIOS18) {
      return Usage("before iOS18, one input only may have a list of shapes")
          .At(fmt::format("input '{}'", feature.name))
          .Advise("raise the deployment target to iOS18, or give ranges");
    }
    if (array.enumerated.size() != shapes) {
      return Usage(
                 "inputs with lists of shapes must have lists of one length, but this one has {} "
                 "where another has {}",
                 array.enumerated.size(), shapes)
          .At(fmt::format("input '{}'", feature.name))
          .Advise("give ranges");
    }
  }
  std::string note = fmt::format("flexible shapes: {}", described);
  if (unbounded)
    note += fmt::format("; '?' ends at {}: give [1..N] for another bound", kUpperOfAny);
  if (ranged != 0) {
    note +=
        "; with ranges Core ML runs only the default shape on the Neural Engine, and operators "
        "that "
        "compute with sizes on the CPU: a list of shapes ([1|2|4]) keeps the engine";
  } else {
    note +=
        "; Core ML keeps listed shapes on the Neural Engine, but operators that compute with sizes "
        "run on the CPU";
  }
  notes_.push_back(std::move(note));
  return {};
}

}  // namespace anemone::onnx
