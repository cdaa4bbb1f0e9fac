#include "ops/linear/runtime_attention_onnx.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "onnx/expansion.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// Tables of positions, and masks of queries by keys, are constants of the program.
Status CheckTable(int64_t elements) {
  if (elements <= int64_t{1} << 24) return {};
  return Unsupported("a table of {} positions", elements);
}

std::vector<int64_t> CountingTo(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

// Query, key and value as ONNX's Attention takes them: [batch, length, features].
struct Projections {
  std::string q = {}, k = {}, v = {};
  int64_t batch = 0, length = 0, heads = 0;
  int64_t keys = 0;  // without those of the past
};

// What an attention adds to its scores: the mask and the bias, each "" where there is none.
std::string Sum(Expansion& e, const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  return e.Op("Add", {a, b});
}

// A mask of ones and zeros as a number added to the scores: lengths [batch] of keys, [batch, keys] or
// [batch, queries, keys].
Result<std::string> PaddingMask(NodeContext& c, Expansion& e, size_t input, int64_t batch,
                                int64_t keys) {
  if (!c.Has(input)) return std::string();
  const ir::Shape& dims = c.Dims(input);
  // A filter value, not minus infinity: a row of padding alone becomes an average.
  const auto filter = e.Number(c.Float("mask_filter_value", -10000));
  const auto shown = [&](const std::string& seen) {
    return e.Op("Where", {seen, e.Number(0), filter});
  };
  const auto integers = e.Cast(e.In(input), ElementType::kInt32);
  if (dims.size() == 1 && dims[0] == batch) {
    ANEMONE_TRY(CheckTable(keys));
    const auto lengths = e.Op("Reshape", {integers, e.Int64s({-1, 1, 1, 1})});
    const auto positions = e.Cast(e.Int64s(CountingTo(keys)), ElementType::kInt32);
    return shown(e.Op("Less", {positions, lengths}));
  }
  if ((dims.size() == 2 || dims.size() == 3) && dims.back() == keys) {
    const auto seen = e.Op("Greater", {integers, e.Cast(e.Int64(0), ElementType::kInt32)});
    return shown(e.Op("Unsqueeze", {seen, dims.size() == 2 ? e.Int64s({1, 2}) : e.Int64s({1})}));
  }
  return Unsupported("a mask of the shape {}", ir::ShapeToString(dims))
      .Advise("give a mask of [batch, keys]");
}

std::vector<std::string> Attend(NodeContext& c, Expansion& e, const Projections& p,
                                const std::string& bias, const std::string& past_key,
                                const std::string& past_value) {
  return e.Ops("Attention", {p.q, p.k, p.v, bias, past_key, past_value}, 3,
               {Int("q_num_heads", p.heads), Int("kv_num_heads", p.heads),
                Int("is_causal", c.Int("unidirectional", 0)), Float("scale", c.Float("scale", 0))});
}

Status CheckPlain(const NodeContext& c) {
  for (const std::string_view flag : {"do_rotary", "past_present_share_buffer"}) {
    if (c.Int(flag, 0) != 0) return Unsupported("{}", flag).Advise("export without it");
  }
  return {};
}

}  // namespace

// alpha * A' * B'; a batch that is turned comes behind the rows.
Status EmitFusedMatMul(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  Expansion e(c);
  const auto operand = [&](size_t i, std::string_view turn, std::string_view turn_batch) {
    auto value = e.In(i);
    const size_t rank = c.Dims(i).size();
    if (rank < 2) return value;
    std::vector<int64_t> perm = CountingTo(c.Rank(i));
    if (c.Int(turn_batch, 0) != 0) {
      std::rotate(perm.begin(), perm.begin() + 1, perm.end() - 1);
    }
    if (c.Int(turn, 0) != 0) std::swap(perm[rank - 2], perm[rank - 1]);
    return std::ranges::is_sorted(perm) ? value : e.Op("Transpose", {value}, {Ints("perm", perm)});
  };
  auto y =
      e.Op("MatMul", {operand(0, "transA", "transBatchA"), operand(1, "transB", "transBatchB")});
  const double alpha = c.Float("alpha", 1);
  if (alpha != 1) y = e.Op("Mul", {y, e.Number(alpha)});
  return e.Finish({y});
}

// input, weights [features, q + k + v], their bias, mask, past [2, batch, heads, length, size], a
// bias of the scores. QAttention: input, weights, their bias in float, the scales of both, mask, the
// zero points of both, past.
Status EmitRuntimeAttention(NodeContext& c) {
  const bool quantized = c.node().op == "QAttention";
  const size_t bias_input = 2, mask_input = quantized ? 5 : 3, past_input = quantized ? 8 : 4;
  ANEMONE_TRY(c.NeedInputs(quantized ? 5 : 2));
  ANEMONE_TRY(CheckPlain(c));
  if (c.Rank(0) != 3 || c.Rank(1) != 2) return InvalidInput("the input needs rank 3");
  Expansion e(c);
  const int64_t all = c.Dims(1)[1];
  const auto sizes =
      c.IntsAttribute("qkv_hidden_sizes").value_or(std::vector<int64_t>{all / 3, all / 3, all / 3});
  if (sizes.size() != 3 || std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) != all)
    return InvalidInput("the weights of {} columns do not split into three", all);
  auto projected = quantized
                       ? e.Op("MatMul", {e.Dequantized(0, 3, 6, 2), e.Dequantized(1, 4, 7, 1)})
                       : e.Op("MatMul", {e.In(0), e.In(1)});
  if (e.Has(bias_input)) projected = e.Op("Add", {projected, e.In(bias_input)});
  const auto parts = e.Ops("Split", {projected, e.Int64s(sizes)}, 3, {Int("axis", -1)});
  Projections p{.q = parts[0],
                .k = parts[1],
                .v = parts[2],
                .batch = c.Dims(0)[0],
                .length = c.Dims(0)[1],
                .heads = c.Int("num_heads", 0),
                .keys = c.Dims(0)[1]};
  std::string past_key, past_value;
  int64_t past = 0;
  if (e.Has(past_input)) {
    if (c.Rank(past_input) != 5) return InvalidInput("past needs rank 5");
    past = c.Dims(past_input)[3];
    const auto half = [&](int64_t i) {
      return e.Op("Gather", {e.In(past_input), e.Int64(i)}, {Int("axis", 0)});
    };
    past_key = half(0);
    past_value = half(1);
  }
  ANEMONE_ASSIGN(const auto mask, PaddingMask(c, e, mask_input, p.batch, past + p.keys));
  const auto y = Attend(c, e, p, Sum(e, mask, quantized ? "" : e.In(5)), past_key, past_value);
  std::string present;
  if (c.Wants(1)) {
    present =
        e.Op("Concat",
             {e.Op("Unsqueeze", {y[1], e.Int64s({0})}), e.Op("Unsqueeze", {y[2], e.Int64s({0})})},
             {Int("axis", 0)});
  }
  return e.Finish({y[0], present});
}

namespace {

// query [batch, length, features], or all three packed [batch, length, heads, 3, size]; key, or key
// and value packed [batch, length, heads, 2, size]; key and value may have their heads apart.
Result<Projections> ReadProjections(NodeContext& c, Expansion& e) {
  ANEMONE_TRY(c.NeedInputs(1));
  for (size_t i = 0; i < 3; ++i) {
    if (c.Has(i) && (c.Rank(i) < 3 || c.Rank(i) > 5))
      return InvalidInput("input {} has rank {}", i, c.Rank(i));
  }
  Projections p{.batch = c.Dims(0)[0], .length = c.Dims(0)[1], .heads = c.Int("num_heads", 0)};
  if (p.heads < 1) return InvalidInput("num_heads is {}", p.heads);
  const auto unpack = [&](size_t input, int64_t i) {
    const ir::Shape& dims = c.Dims(input);
    const auto part = e.Op("Gather", {e.In(input), e.Int64(i)}, {Int("axis", 3)});
    return e.Op("Reshape", {part, e.Int64s({dims[0], dims[1], dims[2] * dims[4]})});
  };
  p.keys = p.length;
  if (c.Rank(0) == 5) {
    p.q = unpack(0, 0);
    p.k = unpack(0, 1);
    p.v = unpack(0, 2);
    return p;
  }
  if (c.Rank(0) != 3 || !c.Has(1)) return InvalidInput("the query needs rank 3, and a key");
  p.q = e.In(0);
  if (c.Rank(1) == 5) {
    p.keys = c.Dims(1)[1];
    p.k = unpack(1, 0);
    p.v = unpack(1, 1);
    return p;
  }
  if (!c.Has(2)) return InvalidInput("the value is missing");
  const auto joined = [&](size_t input) {
    if (c.Rank(input) != 4) return e.In(input);
    const ir::Shape& dims = c.Dims(input);
    const auto turned = e.Op("Transpose", {e.In(input)}, {Ints("perm", {0, 2, 1, 3})});
    return e.Op("Reshape", {turned, e.Int64s({dims[0], dims[2], dims[1] * dims[3]})});
  };
  p.keys = c.Dims(1)[c.Rank(1) == 4 ? 2 : 1];
  p.k = joined(1);
  p.v = joined(2);
  return p;
}

}  // namespace

// query, key, value, their bias, mask, a bias of the scores, past key, past value.
Status EmitMultiHeadAttention(NodeContext& c) {
  constexpr size_t kBias = 3, kMask = 4, kScores = 5, kPastKey = 6, kPastValue = 7;
  Expansion e(c);
  ANEMONE_TRY(CheckPlain(c));
  ANEMONE_ASSIGN(Projections p, ReadProjections(c, e));
  if (e.Has(kBias)) {
    // The heads of a cross-attention that come apart have their bias already.
    const bool with_keys = !(c.Has(1) && c.Rank(1) == 4);
    if (c.Rank(kBias) != 1) return InvalidInput("the bias needs rank 1");
    const int64_t all = c.Dims(kBias)[0];
    const int64_t q = c.Rank(0) == 5 ? all / 3 : c.Dims(0)[2];
    const int64_t k = (all - q) - (c.Has(2) && c.Rank(2) == 3 ? c.Dims(2)[2] : (all - q) / 2);
    const auto part = [&](int64_t begin, int64_t end) {
      return e.Op("Slice", {e.In(kBias), e.Int64s({begin}), e.Int64s({end}), e.Int64s({0})});
    };
    p.q = e.Op("Add", {p.q, part(0, q)});
    if (with_keys) {
      p.k = e.Op("Add", {p.k, part(q, q + k)});
      p.v = e.Op("Add", {p.v, part(q + k, all)});
    }
  }
  if (c.Has(kPastKey) && c.Rank(kPastKey) != 4) return InvalidInput("past_key needs rank 4");
  const int64_t past = c.Has(kPastKey) ? c.Dims(kPastKey)[2] : 0;
  ANEMONE_ASSIGN(const auto mask, PaddingMask(c, e, kMask, p.batch, past + p.keys));
  const auto y = Attend(c, e, p, Sum(e, mask, e.In(kScores)), e.In(kPastKey), e.In(kPastValue));
  if (c.Wants(3)) return Unsupported("the output qk").Advise("do not use it");
  return e.Finish({y[0], y[1], y[2]});
}

namespace {

struct GroupQuery {
  std::string q = {}, k = {}, v = {};  // [batch, length, heads * size]
  int64_t batch = 0, length = 0, heads = 0, kv_heads = 0, size = 0;
  int64_t past = 0;  // rows of the cache, of which each sequence may fill a part
};

// query, or query, key and value packed along the features; key; value; past key; past value.
Result<GroupQuery> ReadGroupQuery(NodeContext& c, Expansion& e) {
  ANEMONE_TRY(c.NeedInputs(1));
  GroupQuery g{.heads = c.Int("num_heads", 0), .kv_heads = c.Int("kv_num_heads", 0)};
  if (c.Rank(0) != 3 || g.heads < 1 || g.kv_heads < 1 || g.heads % g.kv_heads != 0)
    return InvalidInput("{} heads share {} of an input of {}", g.heads, g.kv_heads,
                        ir::ShapeToString(c.Dims(0)));
  g.batch = c.Dims(0)[0];
  g.length = c.Dims(0)[1];
  if (c.Has(1) != c.Has(2)) return InvalidInput("key and value go together");
  const int64_t all = c.Has(1) ? g.heads : g.heads + 2 * g.kv_heads;
  g.size = c.Dims(0)[2] / all;
  if (g.size * all != c.Dims(0)[2]) return InvalidInput("the heads do not divide the features");
  g.q = e.In(0);
  g.k = e.In(1);
  g.v = e.In(2);
  if (!c.Has(1)) {
    const auto parts = e.Ops(
        "Split", {g.q, e.Int64s({g.heads * g.size, g.kv_heads * g.size, g.kv_heads * g.size})}, 3,
        {Int("axis", -1)});
    g.q = parts[0];
    g.k = parts[1];
    g.v = parts[2];
  }
  if (c.Has(3) && c.Rank(3) == 4) g.past = c.Dims(3)[2];
  return g;
}

}  // namespace

// query, key, value, past key, past value, the last position of each sequence, the length of all,
// tables of cosines and sines, positions, a bias of the scores.
//
// The keys of the past stand before the new ones, whether each sequence fills its cache or not: what
// lies behind its end is masked. Only a cache that is full comes out as ONNX Runtime's.
Status EmitGroupQueryAttention(NodeContext& c) {
  constexpr size_t kPastKey = 3, kPastValue = 4, kLast = 5, kCosine = 7, kSine = 8, kPositions = 9,
                   kScores = 10, kSink = 11;
  Expansion e(c);
  ANEMONE_ASSIGN(GroupQuery g, ReadGroupQuery(c, e));
  if (!c.Has(kLast)) return InvalidInput("seqlens_k is missing");
  ANEMONE_TRY(CheckTable(std::max(g.past, g.length)));
  ANEMONE_TRY(CheckTable(g.length * g.length));
  if (c.Int("local_window_size", -1) >= 0 || c.Int("smooth_softmax", 0) != 0 || c.Has(kSink)) {
    return Unsupported("local windows, smooth softmax and sinks")
        .Advise("export with ONNX's Attention operator");
  }
  const bool shares = c.Declared(1) != nullptr && c.Declared(1)->size() == 4 && g.past > 0 &&
                      (*c.Declared(1))[2] == g.past;
  if (shares && c.Wants(1)) {
    return Unsupported("a cache of fixed size that past and present share")
        .Advise("export with a cache that grows, or with ONNX's Attention operator");
  }
  // How many rows of its cache each sequence fills: [batch, 1].
  const auto last = e.Op("Reshape", {e.Cast(e.In(kLast), ElementType::kInt64), e.Int64s({-1, 1})});
  const auto filled = e.Op("Add", {last, e.Int64(1 - g.length)});
  if (c.Int("do_rotary", 0) != 0) {
    if (!c.Has(kCosine) || !c.Has(kSine) || c.Rank(kCosine) != 2)
      return InvalidInput("cos_cache or sin_cache is missing, or not a matrix");
    std::string positions = e.In(kPositions);
    if (positions.empty()) {
      const auto steps = e.Int64s(CountingTo(g.length), {1, g.length});
      positions = g.past == 0 ? e.Op("Expand", {steps, e.Int64s({g.batch, g.length})})
                              : e.Op("Add", {filled, steps});
    }
    const auto turned = [&](const std::string& x, int64_t heads) {
      return e.Op("RotaryEmbedding", {x, e.In(kCosine), e.In(kSine), positions},
                  {Int("num_heads", heads), Int("interleaved", c.Int("rotary_interleaved", 0)),
                   Int("rotary_embedding_dim", 2 * c.Dims(kCosine).back())});
    };
    g.q = turned(g.q, g.heads);
    g.k = turned(g.k, g.kv_heads);
  }
  // New keys are seen up to the query's own; rows of the cache where they are filled.
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  std::vector<float> causal;
  for (int64_t i = 0; i < g.length; ++i) {
    for (int64_t j = 0; j < g.length; ++j) causal.push_back(j <= i ? 0.0f : kHidden);
  }
  auto mask = e.Known(Constant::Floats(std::move(causal), {1, 1, g.length, g.length}));
  if (g.past > 0) {
    const auto rows = e.Op("Less", {e.Int64s(CountingTo(g.past)), filled});
    auto seen = e.Op("Where", {rows, e.Number(0), e.Number(kHidden)});
    seen = e.Op("Reshape", {seen, e.Int64s({g.batch, 1, 1, g.past})});
    seen = e.Op("Expand", {seen, e.Int64s({g.batch, 1, g.length, g.past})});
    mask = e.Op("Expand", {mask, e.Int64s({g.batch, 1, g.length, g.length})});
    mask = e.Op("Concat", {seen, mask}, {Int("axis", 3)});
  }
  if (c.Has(kScores)) mask = e.Op("Add", {mask, e.In(kScores)});
  const bool past = g.past > 0;
  const auto y =
      e.Ops("Attention",
            {g.q, g.k, g.v, mask, past ? e.In(kPastKey) : "", past ? e.In(kPastValue) : ""}, 3,
            {Int("q_num_heads", g.heads), Int("kv_num_heads", g.kv_heads),
             Float("scale", c.Float("scale", 0)), Float("softcap", c.Float("softcap", 0))});
  return e.Finish({y[0], y[1], y[2]});
}

// input, position ids ([1]: where they begin), tables of cosines and sines.
Status EmitRuntimeRotaryEmbedding(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(4));
  if (c.Int("is_packed_batching", 0) != 0 || c.Float("scale", 1) != 1)
    return Unsupported("packed batches and scales").Advise("export without them");
  Expansion e(c);
  const bool apart = c.Rank(0) == 4;
  if ((!apart && c.Rank(0) != 3) || c.Rank(2) != 2)
    return InvalidInput("the input needs rank 3 or 4, and the tables rank 2");
  const ir::Shape& dims = c.Dims(0);
  const int64_t length = dims[apart ? 2 : 1];
  int64_t heads = c.Int("num_heads", 0);
  if (!apart && heads == 0) heads = dims[2] / std::max<int64_t>(2 * c.Dims(2).back(), 1);
  auto positions = e.In(1);
  if (c.Rank(1) == 1) {
    ANEMONE_TRY(CheckTable(length));
    const auto steps = e.Int64s(CountingTo(length), {1, length});
    positions = e.Op("Add", {e.Cast(positions, ElementType::kInt64), steps});
    positions = e.Op("Expand", {positions, e.Int64s({dims[0], length})});
  }
  return e.Finish(
      {e.Op("RotaryEmbedding", {e.In(0), e.In(2), e.In(3), positions},
            {Int("num_heads", apart ? 0 : heads), Int("interleaved", c.Int("interleaved", 0)),
             Int("rotary_embedding_dim", c.Int("rotary_embedding_dim", 0))})});
}

}  // namespace anemone::ops::linear
