// ONNX: Slice, Split.
#include "onnx/converter.h"
#include "ops/infer.h"

namespace anemone::ops::slice {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// A tensor without elements, which Core ML does not have, is known: it vanishes in what takes it.
Status SetEmpty(NodeContext& c, const std::vector<SliceRange>& ranges) {
  ir::Shape dims;
  for (const SliceRange& range : ranges) dims.push_back(range.count);
  return c.SetConstant(0, onnx::Constant::FromInts(c.Type(0), {}, std::move(dims)));
}

Status EmitSlice(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(const auto starts, c.IntsOr(1, "starts"));
  ANEMONE_ASSIGN(const auto ends, c.IntsOr(2, "ends"));
  ANEMONE_ASSIGN(const auto axes, c.IntsOr(3, "axes"));
  ANEMONE_ASSIGN(const auto steps, c.IntsOr(4, "steps"));
  if (!starts || !ends) return InvalidInput("Slice has no starts or no ends");
  ANEMONE_ASSIGN(const auto ranges, SliceRanges(c.Dims(0), *starts, *ends, axes, steps));
  std::vector<int64_t> begin, end, stride;
  std::vector<bool> to_the_end;
  bool whole = true;
  for (size_t d = 0; d < ranges.size(); ++d) {
    const SliceRange& range = ranges[d];
    if (range.count == 0) return SetEmpty(c, ranges);
    whole = whole && range.count == c.Dims(0)[d] && range.step == 1;
    begin.push_back(range.start);
    stride.push_back(range.step);
    // One step beyond the last element. There is no index before the first one: -1 would mean
    // the last.
    const int64_t last = range.start + (range.count - 1) * range.step;
    end.push_back(range.step > 0 ? last + 1 : std::max<int64_t>(last - 1, 0));
    to_the_end.push_back(range.step < 0 && last == 0);
  }
  if (whole) return c.Forward(0, 0);
  return c.Emit("slice_by_index", {{"x", c.Value(0)},
                                   {"begin", ir::Ints(begin)},
                                   {"end", ir::Ints(end)},
                                   {"stride", ir::Ints(stride)},
                                   {"end_mask", ir::Literal::Bools(to_the_end)}});
}

Status EmitSplit(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  ANEMONE_ASSIGN(const auto given, c.IntsOr(1, "split"));
  ANEMONE_ASSIGN(const auto sizes,
                 SplitSizes(c.Dims(0)[static_cast<size_t>(axis)], c.OutputCount(), given));
  if (sizes.size() == 1) return c.Forward(0, 0);
  // Outputs without elements, which Core ML does not have, are known: the others are split.
  std::vector<int64_t> full;
  std::vector<size_t> outputs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 0) {
      full.push_back(sizes[i]);
      outputs.push_back(i);
      continue;
    }
    ir::Shape dims = c.Dims(0);
    dims[static_cast<size_t>(axis)] = 0;
    ANEMONE_TRY(c.SetConstant(i, onnx::Constant::FromInts(c.Type(0), {}, std::move(dims))));
  }
  if (outputs.size() == 1) return c.Forward(outputs[0], 0);
  const auto parts = c.MultiOp("split", {{"x", c.Value(0)},
                                         {"split_sizes", ir::Ints(full)},
                                         {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}});
  for (size_t i = 0; i < parts.size(); ++i) ANEMONE_TRY(c.Set(outputs[i], parts[i]));
  return c.status();
}

constexpr std::string_view kSequences = "Core ML has no sequences of tensors here";
constexpr std::string_view kUnroll = "export without sequences (no lists in the traced code)";

constexpr Converter kConverters[] = {
    {.op = "Slice", .emit = EmitSlice},
    {.op = "Split", .emit = EmitSplit},
    {.op = "SplitToSequence", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "SequenceConstruct", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "SequenceAt", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "SequenceInsert", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "SequenceEmpty", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "SequenceLength", .refusal = kSequences, .rewrite = kUnroll},
    {.op = "ConcatFromSequence", .refusal = kSequences, .rewrite = kUnroll},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::slice
