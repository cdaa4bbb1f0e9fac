#include "ops/tensor_ops/ngrams_onnx.h"

#include <algorithm>
#include <string>
#include <vector>

#include "onnx/expansion.h"
#include "onnx/fold.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// The n-grams of one length.
struct Grams {
  int64_t length = 1;
  bool counted = true;          // the length is one that is asked for
  std::vector<int64_t> tokens;  // [count, length]
  int64_t count() const { return static_cast<int64_t>(tokens.size()) / length; }
};

struct Vectorizer {
  std::vector<Grams> grams;      // in the order of the pool
  std::vector<int64_t> columns;  // of the output, for each n-gram of the pool
  std::vector<float> weights;    // for each n-gram; empty when none are given
  std::string mode;
  int64_t skips = 0, width = 0;
};

Result<Vectorizer> ReadVectorizer(const NodeContext& c) {
  if (c.HasAttribute("pool_strings"))
    return Unsupported("Core ML's programs compute no text").Advise("do it outside the model");
  Vectorizer v;
  v.mode = c.String("mode", "");
  v.skips = c.Int("max_skip_count", 0);
  const int64_t shortest = c.Int("min_gram_length", 1), longest = c.Int("max_gram_length", 1);
  const auto pool = c.IntsAttribute("pool_int64s"), counts = c.IntsAttribute("ngram_counts");
  const auto indexes = c.IntsAttribute("ngram_indexes");
  if (!pool || !counts || !indexes || pool->empty() || indexes->empty())
    return InvalidInput("pool_int64s, ngram_counts or ngram_indexes is missing");
  if (v.mode != "TF" && v.mode != "IDF" && v.mode != "TFIDF")
    return InvalidInput("mode is '{}'", v.mode);
  if (v.skips < 0 || shortest < 1 || longest < shortest)
    return InvalidInput("n-grams of {} to {} with {} skips", shortest, longest, v.skips);
  v.columns = *indexes;
  const auto size = static_cast<int64_t>(pool->size());
  for (size_t i = 0; i < counts->size(); ++i) {
    const int64_t begin = (*counts)[i], end = i + 1 < counts->size() ? (*counts)[i + 1] : size;
    const auto length = static_cast<int64_t>(i) + 1;
    if (begin < 0 || end < begin || end > size || (end - begin) % length != 0)
      return InvalidInput("ngram_counts does not fit the pool");
    Grams grams;
    grams.length = length;
    grams.counted = length >= shortest && length <= longest;
    grams.tokens.assign(pool->begin() + begin, pool->begin() + end);
    v.grams.push_back(std::move(grams));
  }
  int64_t total = 0;
  for (const Grams& grams : v.grams) total += grams.count();
  if (total != static_cast<int64_t>(v.columns.size()))
    return InvalidInput("{} columns for {} n-grams", v.columns.size(), total);
  for (const int64_t column : v.columns) {
    if (column < 0 || !FoldableCount({column + 1})) return InvalidInput("a column is {}", column);
    v.width = std::max(v.width, column + 1);
  }
  if (const auto* weights = c.node().Find("weights"); weights != nullptr) {
    v.weights = weights->floats;
    if (v.weights.size() != v.columns.size())
      return InvalidInput("{} weights for {} n-grams", v.weights.size(), v.columns.size());
  }
  return v;
}

std::string Zeros(Expansion& e, const ir::Shape& dims) {
  return e.Known(BroadcastConstant(onnx::Constant::Floats({0}, {}), dims));
}

// How often each of `grams` begins in the rows of x [N, C], at any distance of its tokens: [N, count].
std::string CountedGrams(Expansion& e, const std::string& x, int64_t batch, int64_t row,
                         const Grams& grams, int64_t skips) {
  std::string sum;
  // Single tokens have no distance.
  for (int64_t skip = 0; skip <= (grams.length == 1 ? 0 : skips); ++skip) {
    const int64_t starts = row - (grams.length - 1) * (skip + 1);
    if (starts < 1) break;
    std::string match;
    for (int64_t j = 0; j < grams.length; ++j) {
      const int64_t begin = j * (skip + 1);
      std::vector<int64_t> tokens;
      for (int64_t g = 0; g < grams.count(); ++g)
        tokens.push_back(grams.tokens[static_cast<size_t>(g * grams.length + j)]);
      auto part = e.Op("Slice", {x, e.Int64s({begin}), e.Int64s({begin + starts}), e.Int64s({1})});
      part = e.Op("Reshape", {part, e.Int64s({batch, starts, 1})});
      const auto same = e.Op("Equal", {part, e.Int64s(std::move(tokens), {1, 1, grams.count()})});
      match = match.empty() ? same : e.Op("And", {match, same});
    }
    const auto count = e.Op("ReduceSum", {e.Cast(match, ElementType::kFloat), e.Int64s({1})},
                            {attribute::Int("keepdims", 0)});
    sum = sum.empty() ? count : e.Op("Add", {sum, count});
  }
  return sum.empty() ? Zeros(e, {batch, grams.count()}) : sum;
}

}  // namespace

Status EmitTfIdfVectorizer(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  ANEMONE_ASSIGN(const Vectorizer v, ReadVectorizer(c));
  const ir::Shape& dims = c.Dims(0);
  if (dims.empty() || dims.size() > 2 || !IsInt(c.Type(0)))
    return InvalidInput("its input needs one or two dimensions of integers");
  const int64_t batch = dims.size() == 2 ? dims[0] : 1, row = dims.back();
  if (!FoldableCount({batch, row, static_cast<int64_t>(v.columns.size())}))
    return Unsupported("{} n-grams in {}", v.columns.size(), ir::ShapeToString(dims));
  Expansion e(c);
  const auto x = e.Cast(e.Op("Reshape", {e.In(0), e.Int64s({batch, row})}), ElementType::kInt64);
  std::vector<std::string> counts;
  for (const Grams& grams : v.grams) {
    if (grams.tokens.empty()) continue;
    counts.push_back(grams.counted ? CountedGrams(e, x, batch, row, grams, v.skips)
                                   : Zeros(e, {batch, grams.count()}));
  }
  auto y = counts.size() == 1 ? counts[0] : e.Op("Concat", counts, {attribute::Int("axis", 1)});
  if (v.mode != "TF") {
    if (v.mode == "IDF") y = e.Cast(e.Op("Greater", {y, e.Number(0)}), ElementType::kFloat);
    const auto count = static_cast<int64_t>(v.weights.size());
    if (count != 0) y = e.Op("Mul", {y, e.Known(onnx::Constant::Floats(v.weights, {1, count}))});
  }
  // To the columns of the output; what no n-gram has is read from one more column of zeros.
  const auto grams = static_cast<int64_t>(v.columns.size());
  std::vector<int64_t> from(static_cast<size_t>(v.width), grams);
  for (int64_t g = 0; g < grams; ++g) {
    int64_t& column = from[static_cast<size_t>(v.columns[static_cast<size_t>(g)])];
    if (column != grams) return Unsupported("two n-grams in one column of the output");
    column = g;
  }
  y = e.Op("Concat", {y, Zeros(e, {batch, 1})}, {attribute::Int("axis", 1)});
  y = e.Op("Gather", {y, e.Int64s(std::move(from))}, {attribute::Int("axis", 1)});
  if (dims.size() == 1) y = e.Op("Reshape", {y, e.Int64s({v.width})});
  return e.Finish({y});
}

}  // namespace anemone::ops::tensor_ops
