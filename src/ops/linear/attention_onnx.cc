#include "ops/linear/attention_onnx.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/expansion.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

constexpr double kMasked = -std::numeric_limits<double>::infinity();

// Query, key and value as [batch, heads, length, size].
struct Heads {
  std::string value;
  int64_t batch = 0, heads = 0, length = 0, size = 0;
};

// [batch, length, heads * size] is split; four dimensions are taken as they are. Heads and sizes are
// numbers; batch and length are too unless `open`.
Result<Heads> SplitHeads(NodeContext& c, Expansion& e, size_t input, int64_t heads,
                         bool open = false) {
  ir::Shape dims = c.Sizes(input);
  for (size_t d = 0; d < dims.size(); ++d) {
    const bool may_be_open = open && (d == 0 || d == (dims.size() == 4 ? 2u : 1u));
    if (!may_be_open) dims[d] = c.Dims(input)[d];
  }
  if (dims.size() == 4) return Heads{e.In(input), dims[0], dims[1], dims[2], dims[3]};
  if (dims.size() != 3) return InvalidInput("input {} has rank {}, not 3 or 4", input, dims.size());
  if (heads < 1 || dims[2] % heads != 0) {
    return InvalidInput("{} heads do not divide the {} features of input {}", heads, dims[2],
                        input);
  }
  const int64_t size = dims[2] / heads;
  const auto split = e.Op("Reshape", {e.In(input), e.Int64s({dims[0], dims[1], heads, size})});
  return Heads{e.Op("Transpose", {split}, {Ints("perm", {0, 2, 1, 3})}), dims[0], heads, dims[1],
               size};
}

// Each head of x for as many query heads as share it: [h0, h0, h1, h1 ...].
std::string Repeat(Expansion& e, const Heads& x, int64_t length, int64_t query_heads) {
  const int64_t times = query_heads / x.heads;
  if (times == 1) return x.value;
  auto y = e.Op("Unsqueeze", {x.value, e.Int64s({2})});
  y = e.Op("Expand", {y, e.Int64s({x.batch, x.heads, times, length, x.size})});
  return e.Op("Reshape", {y, e.Int64s({x.batch, query_heads, length, x.size})});
}

// 0 where `allowed`, else minus infinity: what is added to the scores.
std::string Bias(Expansion& e, const std::string& allowed) {
  return e.Op("Where", {allowed, e.Number(0), e.Number(kMasked)});
}

// What is added to the scores before the softmax.
class Mask {
 public:
  Mask(NodeContext& c, Expansion& e, int64_t queries, int64_t keys, int64_t past)
      : c_(c), e_(e), queries_(queries), keys_(keys), past_(past) {}

  Status AddGiven(size_t input) {
    if (!c_.Has(input)) return {};
    std::string mask = e_.In(input);
    if (c_.Dtype(input) == DType::kBool) mask = Bias(e_, mask);
    const ir::Shape& dims = c_.Sizes(input);
    const bool open = Symbols::AnySymbol({keys_}) || Symbols::AnySymbol(dims);
    if (open && (dims.empty() || (dims.back() != keys_ && dims.back() != 1))) {
      return Unsupported("a mask of {} keys for {}", c_.symbols().Text(dims),
                         c_.symbols().Text(keys_))
          .Advise("give both the same fixed size");
    }
    if (!open && (dims.empty() || dims.back() > keys_))
      return InvalidInput("the mask has the wrong length");
    if (!open && dims.back() < keys_ && dims.back() != 1) {
      // Keys beyond the mask are not attended to.
      ir::Shape missing = dims;
      missing.back() = keys_ - dims.back();
      const auto rest =
          BroadcastConstant(Constant::Floats({static_cast<float>(kMasked)}, {}), missing);
      mask = e_.Op("Concat", {mask, e_.Known(rest)}, {Int("axis", -1)});
    }
    Add(mask);
    guarded_ = true;
    return {};
  }

  // A query at position p (its index and the keys before it) sees the keys from p - left to
  // p + right; a negative bound is none.
  Status AddWindow(int64_t left, int64_t right, size_t lengths) {
    if (left < 0 && right < 0) return {};
    if (Symbols::AnySymbol({queries_, keys_, past_})) return AddOpenWindow(left, right, lengths);
    if (queries_ * keys_ > int64_t{1} << 26)
      return Unsupported("a mask of {} by {}", queries_, keys_);
    if (c_.Has(lengths)) {
      AddWindowAt(left, right, lengths);
      return {};
    }
    std::vector<float> values;
    for (int64_t i = 0; i < queries_; ++i) {
      bool any = false;
      for (int64_t j = 0; j < keys_; ++j) {
        const int64_t ahead = j - (i + past_);
        const bool seen = (left < 0 || -ahead <= left) && (right < 0 || ahead <= right);
        any = any || seen;
        values.push_back(seen ? 0.0f : static_cast<float>(kMasked));
      }
      guarded_ = guarded_ || !any;
    }
    guarded_ = guarded_ || !value_.empty();
    Add(e_.Known(Constant::Floats(std::move(values), {queries_, keys_})));
    return {};
  }

  // Keys from the batch's own length on are padding.
  Status AddLengths(size_t input) {
    if (!c_.Has(input)) return {};
    if (Symbols::IsSymbol(keys_)) {
      return Unsupported("lengths of a batch beside an open number of keys")
          .Advise("fix the number of keys");
    }
    std::vector<int64_t> positions;
    for (int64_t j = 0; j < keys_; ++j) positions.push_back(j);
    const auto lengths = e_.Op("Reshape", {e_.In(input), e_.Int64s({-1, 1, 1, 1})});
    Add(Bias(e_, e_.Op("Less", {e_.Int64s(std::move(positions)), lengths})));
    guarded_ = true;
    return {};
  }

  const std::string& value() const { return value_; }
  // Whether a row may be masked as a whole: then its probabilities are 0.
  bool guarded() const { return guarded_; }

 private:
  // The same where the run time knows how many queries and keys there are.
  Status AddOpenWindow(int64_t left, int64_t right, size_t lengths) {
    if (c_.Has(lengths)) {
      return Unsupported("lengths of a batch beside open dimensions")
          .Advise("fix the numbers of queries and keys");
    }
    const auto counted = [&](int64_t size) {
      return e_.Op("Range", {e_.Int64(0), e_.Int64(size), e_.Int64(1)});
    };
    auto rows = e_.Op("Add", {counted(queries_), e_.Int64(past_)});
    rows = e_.Op("Unsqueeze", {rows, e_.Int64s({1})});
    const auto ahead = e_.Op("Sub", {counted(keys_), rows});
    if (right >= 0) Add(Bias(e_, e_.Op("LessOrEqual", {ahead, e_.Int64(right)})));
    if (left >= 0) Add(Bias(e_, e_.Op("GreaterOrEqual", {ahead, e_.Int64(-left)})));
    guarded_ = true;
    return {};
  }

  // The positions follow from each batch's length, known when the model runs.
  void AddWindowAt(int64_t left, int64_t right, size_t lengths) {
    std::vector<int64_t> ahead;
    for (int64_t i = 0; i < queries_; ++i) {
      for (int64_t j = 0; j < keys_; ++j) ahead.push_back(j - i);
    }
    const auto before = e_.Op(
        "Sub", {e_.Op("Reshape", {e_.In(lengths), e_.Int64s({-1, 1, 1, 1})}), e_.Int64(queries_)});
    const auto distance =
        e_.Op("Sub", {e_.Int64s(std::move(ahead), {1, 1, queries_, keys_}), before});
    if (right >= 0) Add(Bias(e_, e_.Op("LessOrEqual", {distance, e_.Int64(right)})));
    if (left >= 0) Add(Bias(e_, e_.Op("GreaterOrEqual", {distance, e_.Int64(-left)})));
    guarded_ = true;
  }

  void Add(const std::string& bias) {
    value_ = value_.empty() ? bias : e_.Op("Add", {value_, bias});
  }

  NodeContext& c_;
  Expansion& e_;
  int64_t queries_, keys_, past_;
  std::string value_;
  bool guarded_ = false;
};

std::string Scaled(Expansion& e, const std::string& x, double factor) {
  return factor == 1 ? x : e.Op("Mul", {x, e.Number(factor)});
}

}  // namespace

Status EmitAttention(NodeContext& c) {
  constexpr size_t kMask = 3, kPastKey = 4, kPastValue = 5, kLengths = 6;
  if (!c.Has(0) || !c.Has(1) || !c.Has(2)) return InvalidInput("query, key or value is missing");
  if (c.Has(kPastKey) != c.Has(kPastValue)) {
    return InvalidInput("past_key and past_value must be given together");
  }
  Expansion e(c);
  const int64_t kv_heads = c.Int("kv_num_heads", 0);
  ANEMONE_ASSIGN(const Heads q, SplitHeads(c, e, 0, c.Int("q_num_heads", 0), true));
  ANEMONE_ASSIGN(Heads k, SplitHeads(c, e, 1, kv_heads, true));
  ANEMONE_ASSIGN(Heads v, SplitHeads(c, e, 2, kv_heads, true));
  if (k.heads < 1 || q.heads % k.heads != 0 || v.heads != k.heads) {
    return InvalidInput("{} query heads cannot share {} key and {} value heads", q.heads, k.heads,
                        v.heads);
  }
  int64_t past = 0;
  if (c.Has(kPastKey)) {
    if (c.Rank(kPastKey) != 4) return InvalidInput("past_key needs rank 4");
    past = c.Sizes(kPastKey)[2];
    k.value = e.Op("Concat", {e.In(kPastKey), k.value}, {Int("axis", 2)});
    v.value = e.Op("Concat", {e.In(kPastValue), v.value}, {Int("axis", 2)});
  }
  const int64_t keys = c.AddSizes(past, k.length);
  Mask mask(c, e, q.length, keys, past);
  ANEMONE_TRY(mask.AddGiven(kMask));
  ANEMONE_TRY(mask.AddWindow(-1, c.Int("is_causal", 0) != 0 ? 0 : -1, kLengths));
  ANEMONE_TRY(
      mask.AddWindow(c.Int("left_window_size", -1), c.Int("right_window_size", -1), kLengths));
  ANEMONE_TRY(mask.AddLengths(kLengths));

  const double given = c.Float("scale", 0);
  // As in ONNX's definition, both factors are scaled, so that neither leaves the range of half
  // precision.
  const double scale = std::sqrt(given != 0 ? given : 1 / std::sqrt(static_cast<double>(q.size)));
  const auto keys_by_row = e.Op("Transpose", {Scaled(e, Repeat(e, k, keys, q.heads), scale)},
                                {Ints("perm", {0, 1, 3, 2})});
  auto scores = e.Op("MatMul", {Scaled(e, q.value, scale), keys_by_row});
  const double cap = c.Float("softcap", 0);
  if (cap > 0) scores = Scaled(e, e.Op("Tanh", {Scaled(e, scores, 1 / cap)}), cap);
  const auto biased = mask.value().empty() ? scores : e.Op("Add", {scores, mask.value()});
  auto probabilities = e.Op("Softmax", {biased}, {Int("axis", -1)});
  if (mask.guarded()) {
    const auto most = e.Op("ReduceMax", {mask.value(), e.Int64s({-1})}, {Int("keepdims", 1)});
    const auto masked = e.Op("Equal", {most, e.Number(kMasked)});
    probabilities = e.Op("Where", {masked, e.Number(0), probabilities});
  }
  auto y = e.Op("MatMul", {probabilities, Repeat(e, v, keys, q.heads)});
  if (c.Rank(0) == 3) {
    y = e.Op("Transpose", {y}, {Ints("perm", {0, 2, 1, 3})});
    y = e.Op("Reshape", {y, e.Int64s({q.batch, q.length, q.heads * v.size})});
  }
  const int64_t mode = c.Int("qk_matmul_output_mode", 0);
  const auto shown = mode == 3 ? probabilities : mode == 2 ? biased : scores;
  return e.Finish({y, k.value, v.value, shown});
}

// Attention whose scores and probabilities pass through graphs that the node brings.
Status EmitFlexAttention(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(2)) return InvalidInput("query, key or value is missing");
  Expansion e(c);
  ANEMONE_ASSIGN(const Heads q, SplitHeads(c, e, 0, 0));
  ANEMONE_ASSIGN(const Heads k, SplitHeads(c, e, 1, 0));
  ANEMONE_ASSIGN(const Heads v, SplitHeads(c, e, 2, 0));
  if (k.heads < 1 || q.heads % k.heads != 0 || v.heads != k.heads) {
    return InvalidInput("{} query heads cannot share {} key and {} value heads", q.heads, k.heads,
                        v.heads);
  }
  const double given = c.Float("scale", 0);
  const double scale = std::sqrt(given != 0 ? given : 1 / std::sqrt(static_cast<double>(q.size)));
  const auto by_row = e.Op("Transpose", {Scaled(e, Repeat(e, k, k.length, q.heads), scale)},
                           {Ints("perm", {0, 1, 3, 2})});
  const auto scores = e.Op("MatMul", {Scaled(e, q.value, scale), by_row});
  ANEMONE_ASSIGN(auto values, e.Convert({scores}));
  const auto pass = [&](std::string_view name) -> Status {
    const auto* graph = c.node().Find(name);
    if (graph == nullptr || graph->graphs.empty()) return {};
    ANEMONE_ASSIGN(values, c.ImportGraph(*graph->graphs[0], nullptr, values));
    if (values.size() != 1) return InvalidInput("'{}' must have one output", name);
    return {};
  };
  ANEMONE_TRY(pass("score_mod"));
  Expansion softmax(c);
  ANEMONE_ASSIGN(
      values,
      softmax.Convert({softmax.Op("Softmax", {softmax.Bind(values[0])}, {Int("axis", -1)})}));
  ANEMONE_TRY(pass("prob_mod"));
  Expansion end(c);
  const Heads bound{end.In(2), v.batch, v.heads, v.length, v.size};
  const auto probabilities = end.Bind(values[0]);
  return end.Finish({end.Op("MatMul", {probabilities, Repeat(end, bound, v.length, q.heads)})});
}

// A state [key size, value size] for each head that every step decays, corrects, writes and reads.
Status EmitLinearAttention(NodeContext& c) {
  constexpr size_t kPast = 3, kDecay = 4, kBeta = 5;
  if (!c.Has(0) || !c.Has(1) || !c.Has(2)) return InvalidInput("query, key or value is missing");
  const int64_t q_heads = c.Int("q_num_heads", 0), kv_heads = c.Int("kv_num_heads", 0);
  const std::string rule = c.String("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta";
  const bool delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") return InvalidInput("update_rule is '{}'", rule);
  if (c.Has(kDecay) != gated || c.Has(kBeta) != delta) {
    return InvalidInput("decay and beta do not fit the update_rule '{}'", rule);
  }
  Expansion e(c);
  ANEMONE_ASSIGN(const Heads q, SplitHeads(c, e, 0, q_heads));
  ANEMONE_ASSIGN(const Heads k, SplitHeads(c, e, 1, kv_heads));
  ANEMONE_ASSIGN(const Heads v, SplitHeads(c, e, 2, kv_heads));
  if (q.heads != q_heads || k.heads != kv_heads || kv_heads < 1 || q_heads % kv_heads != 0) {
    return InvalidInput("{} query heads cannot share {} key heads", q_heads, kv_heads);
  }
  constexpr int64_t kMaxSteps = 4096;
  if (q.length > kMaxSteps) {
    return Unsupported("{} steps, each of which is written out", q.length)
        .Advise("convert for shorter sequences and pass the state on");
  }
  Heads decay, beta;
  if (gated) {
    ANEMONE_ASSIGN(decay, SplitHeads(c, e, kDecay, kv_heads));
  }
  if (delta) {
    if (c.Rank(kBeta) != 3) return InvalidInput("beta needs rank 3");
    ANEMONE_ASSIGN(beta, SplitHeads(c, e, kBeta, c.Dims(kBeta).back()));
  }
  std::string state = e.In(kPast);
  if (state.empty()) {
    state =
        e.Known(BroadcastConstant(Constant::Floats({0}, {}), {q.batch, kv_heads, k.size, v.size}));
  }
  const double given = c.Float("scale", 0);
  const double scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(k.size));
  // Step t of x, as [batch, heads, size] with a dimension of 1 put in at `axis`.
  const auto step = [&](const Heads& x, int64_t t, int64_t axis) {
    const auto row = e.Op("Gather", {x.value, e.Int64(t)}, {Int("axis", 2)});
    return e.Op("Unsqueeze", {row, e.Int64s({axis})});
  };
  std::vector<std::string> outputs;
  for (int64_t t = 0; t < q.length; ++t) {
    if (gated) state = e.Op("Mul", {state, e.Op("Exp", {step(decay, t, 3)})});
    std::string value = step(v, t, 2);
    if (delta) {
      const auto known = e.Op("MatMul", {step(k, t, 2), state});
      value = e.Op("Mul", {step(beta, t, 2), e.Op("Sub", {value, known})});
    }
    state = e.Op("Add", {state, e.Op("Mul", {step(k, t, 3), value})});
    const Heads held{state, q.batch, kv_heads, k.size, v.size};
    const auto read = e.Op("MatMul", {step(q, t, 2), Repeat(e, held, k.size, q_heads)});
    outputs.push_back(Scaled(e, read, scale));
  }
  auto y = outputs.size() == 1 ? outputs[0] : e.Op("Concat", outputs, {Int("axis", 2)});
  y = e.Op("Transpose", {y}, {Ints("perm", {0, 2, 1, 3})});
  y = e.Op("Reshape", {y, e.Int64s({q.batch, q.length, q_heads * v.size})});
  return e.Finish({y, state});
}

// Turns pairs of features by an angle that depends on the position.
Status EmitRotaryEmbedding(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(2)) return InvalidInput("an input is missing");
  Expansion e(c);
  const bool split = c.Rank(0) == 4;
  std::string x = e.In(0);
  ir::Shape dims = c.Sizes(0);  // batch, length, heads, size
  if (split) {
    dims[1] = c.Dims(0)[1];
    dims[3] = c.Dims(0)[3];
    x = e.Op("Transpose", {x}, {Ints("perm", {0, 2, 1, 3})});
    std::swap(dims[1], dims[2]);
  } else {
    const int64_t heads = c.Int("num_heads", 0);
    if (c.Rank(0) != 3 || heads < 1 || c.Dims(0)[2] % heads != 0) {
      return InvalidInput("{} heads do not divide an input of {}", heads, c.symbols().Text(dims));
    }
    dims = {dims[0], dims[1], heads, dims[2] / heads};
    x = e.Op("Reshape", {x, e.Int64s(dims)});
  }
  int64_t turned = c.Int("rotary_embedding_dim", 0);
  if (turned == 0) turned = dims[3];
  if (turned < 2 || turned > dims[3] || turned % 2 != 0) {
    return InvalidInput("rotary_embedding_dim is {}, but the heads have {}", turned, dims[3]);
  }
  const auto slice = [&](const std::string& from, int64_t begin, int64_t end, int64_t stride) {
    return e.Op("Slice",
                {from, e.Int64s({begin}), e.Int64s({end}), e.Int64s({3}), e.Int64s({stride})});
  };
  // [batch, length, 1, half]
  const auto table = [&](size_t input) {
    auto values = e.In(input);
    if (e.Has(3)) values = e.Op("Gather", {values, e.In(3)}, {Int("axis", 0)});
    return e.Op("Unsqueeze", {values, e.Int64s({2})});
  };
  const auto cosine = table(1), sine = table(2);
  const bool interleaved = c.Int("interleaved", 0) != 0;
  const int64_t half = turned / 2;
  const auto a = interleaved ? slice(x, 0, turned, 2) : slice(x, 0, half, 1);
  const auto b = interleaved ? slice(x, 1, turned, 2) : slice(x, half, turned, 1);
  auto real = e.Op("Sub", {e.Op("Mul", {cosine, a}), e.Op("Mul", {sine, b})});
  auto imaginary = e.Op("Add", {e.Op("Mul", {sine, a}), e.Op("Mul", {cosine, b})});
  std::string y;
  if (interleaved) {
    real = e.Op("Unsqueeze", {real, e.Int64s({4})});
    imaginary = e.Op("Unsqueeze", {imaginary, e.Int64s({4})});
    y = e.Op("Concat", {real, imaginary}, {Int("axis", 4)});
    y = e.Op("Reshape", {y, e.Int64s({dims[0], dims[1], dims[2], turned})});
  } else {
    y = e.Op("Concat", {real, imaginary}, {Int("axis", 3)});
  }
  if (turned < dims[3]) {
    y = e.Op("Concat", {y, slice(x, turned, dims[3], 1)}, {Int("axis", 3)});
  }
  if (split) return e.Finish({e.Op("Transpose", {y}, {Ints("perm", {0, 2, 1, 3})})});
  return e.Finish({e.Op("Reshape", {y, e.Int64s(c.Sizes(0))})});
}

}  // namespace anemone::ops::linear
