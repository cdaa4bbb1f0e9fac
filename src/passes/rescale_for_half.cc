#include "passes/rescale_for_half.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "ir/op_def.h"
#include "passes/match.h"
#include "passes/rewriter.h"

namespace anemone::passes {
namespace {

// Values whose largest magnitude lies between these are left as they are: they fit half, and so do
// sums and rounding errors of theirs.
constexpr double kSmallestKept = 0x1p-5;
constexpr double kLargestKept = 0x1p13;
// Others are brought to about these magnitudes: well inside, and no further than need be, because
// weights change by as much.
constexpr int kWantedOfSmall = 0;
constexpr int kWantedOfLarge = 8;
// The largest weight of an operator that takes a factor must stay within these.
constexpr double kSmallestWeight = 0x1p-12;
constexpr double kLargestWeight = 0x1p14;

// The same for the factors of compressed weights, which are much smaller than the weights: from half's
// smallest normal number on.
constexpr double kSmallestScale = 0x1p-14;

// How an operator treats a factor on its values.
enum class Treats {
  kFixes,    // knows of no factors: its values have none
  kPasses,   // f(c x) = c f(x), for all its tensors together
  kBounds,   // the same with constants that take the factor: clip, and arithmetic with a constant
  kWeights,  // has constant weights that may change the factor between x and the result
  kProduct,  // the factors of two tensors multiply
};

bool IsOneOf(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

bool IsFloat32(const ir::Value* value) {
  return value->type.is_tensor() && value->type.dtype() == DType::kFp32;
}

bool HasConstant(const ir::Operation& op, std::string_view name) {
  const ir::Value* value = op.Input(name);
  return value == nullptr || (value->is_const() && IsFloat32(value));
}

// What a compressed weight's elements are a multiple of, and which takes the factor in its place.
std::string_view ScaleOf(const ir::Operation& decoder) {
  const std::string& type = decoder.type();
  if (type == "constexpr_affine_dequantize" || type == "constexpr_blockwise_shift_scale")
    return "scale";
  if (type == "constexpr_lut_to_dense") return "lut";
  if (type == "constexpr_sparse_to_dense") return "nonzero_data";
  return "";
}

// The constant that takes a weight's factor: the weight, or the scale that it is decoded with. Null
// where there is none.
const ir::Value* FactorOf(const ir::Value* weight) {
  if (weight == nullptr || !IsFloat32(weight)) return nullptr;
  if (!weight->is_const()) {
    if (weight->producer == nullptr) return nullptr;
    const std::string_view scale = ScaleOf(*weight->producer);
    weight = scale.empty() ? nullptr : weight->producer->Input(scale);
  }
  return weight != nullptr && weight->is_const() && IsFloat32(weight) ? weight : nullptr;
}

// A constant, as the table of a gather, takes no factor here, so its results have none.
bool ScalesWithItsInput(const ir::Operation& op) {
  if (op.def() == nullptr) return false;
  const ir::ElementRule elements = op.def()->traits.elements;
  if (elements != ir::ElementRule::kScaleWithFirst && elements != ir::ElementRule::kOfFirst)
    return false;
  const ir::Value* first = op.Input(op.def()->params.front().name);
  return first != nullptr && !first->is_const();
}

Treats TreatmentOf(const ir::Operation& op, ir::Opset opset) {
  const std::string& type = op.type();
  if (!op.blocks().empty() || op.outputs().empty()) return Treats::kFixes;
  if (IsOneOf(type, {"conv", "conv_transpose", "linear"})) {
    const bool known = FactorOf(op.Input("weight")) != nullptr;
    return known && HasConstant(op, "bias") ? Treats::kWeights : Treats::kFixes;
  }
  if (type == "batch_norm") {
    const bool known = HasConstant(op, "mean") && HasConstant(op, "variance") &&
                       HasConstant(op, "gamma") && HasConstant(op, "beta");
    return known ? Treats::kWeights : Treats::kFixes;
  }
  if (type == "mul" || type == "real_div") {
    const auto operands = MatchWithConst(op);
    if (operands) {
      // c / x has the opposite factor.
      return type == "real_div" && operands->constant_first ? Treats::kFixes : Treats::kPasses;
    }
    return type == "mul" ? Treats::kProduct : Treats::kFixes;
  }
  if (type == "pad") {
    const ir::OpArgs args(op, opset);
    const auto mode = args.String("mode");
    const auto value = args.Float("constant_val");
    return mode.ok() && (*mode != "constant" || (value.ok() && *value == 0)) ? Treats::kPasses
                                                                             : Treats::kFixes;
  }
  if (type == "concat" || type == "stack") {
    for (const ir::Argument& argument : op.arguments()) {
      if (argument.name != "values") continue;
      for (const ir::Value* value : argument.values)
        if (value->is_const()) return Treats::kFixes;
    }
    return Treats::kPasses;
  }
  if (IsOneOf(type, {"add", "sub", "maximum", "minimum", "clip", "relu6"})) return Treats::kBounds;
  return ScalesWithItsInput(op) ? Treats::kPasses : Treats::kFixes;
}

class Rescaler {
 public:
  Rescaler(ir::Function& function, const std::unordered_map<std::string, double>& largest)
      : function_(function), largest_(largest) {}

  Result<Rescaled> Run() {
    Group();
    Choose();
    if (!WeightsFit()) return Rescaled{};
    Rescaled result;
    for (const auto& operation : function_.block->operations()) {
      if (!operation->outputs().empty() && Exponent(operation->output(0)) != 0) ++result.operators;
    }
    if (result.operators == 0) return result;
    Rewriter rewriter(function_);
    for (ir::Operation* op : rewriter.operations()) {
      if (!op->is_const()) ANEMONE_TRY(Rewrite(rewriter, *op));
    }
    ANEMONE_TRY(RestoreOutputs(rewriter, &result));
    rewriter.Finish();
    return result;
  }

 private:
  // --- Which values share a factor.

  size_t Index(const ir::Value* value) {
    const auto [found, added] = index_.try_emplace(value, parent_.size());
    if (added) {
      parent_.push_back(parent_.size());
      fixed_.push_back(false);
    }
    return found->second;
  }
  size_t Root(size_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  void Unite(const ir::Value* a, const ir::Value* b) {
    const size_t from = Root(Index(a));
    const size_t to = Root(Index(b));
    fixed_[to] = fixed_[to] || fixed_[from];
    parent_[from] = to;
  }
  void Fix(const ir::Value* value) { fixed_[Root(Index(value))] = true; }
  bool IsFixed(const ir::Value* value) { return fixed_[Root(Index(value))]; }

  // Calls visit for each float32 tensor that the operation takes or makes.
  template <typename Visit>
  static void ForEachTensor(const ir::Operation& op, const Visit& visit) {
    for (const ir::Argument& argument : op.arguments()) {
      for (const ir::Value* value : argument.values)
        if (!value->is_const() && IsFloat32(value)) visit(value);
    }
    for (const auto& output : op.outputs())
      if (IsFloat32(output.get())) visit(output.get());
  }

  void Group() {
    for (const auto& input : function_.inputs()) Fix(input.get());
    ir::ForEachOperation(*function_.block, [&](const ir::Operation& op) {
      if (op.is_const()) return;
      const Treats treats = Nested(op) ? Treats::kFixes : TreatmentOf(op, function_.opset);
      treats_[&op] = treats;
      if (treats == Treats::kWeights || treats == Treats::kProduct) {
        ForEachTensor(op, [&](const ir::Value* value) { Index(value); });
        return;
      }
      const ir::Value* first = nullptr;
      ForEachTensor(op, [&](const ir::Value* value) {
        if (treats == Treats::kFixes) {
          Fix(value);
        } else if (first == nullptr) {
          first = value;
        } else {
          Unite(value, first);
        }
      });
      for (const auto& body : op.blocks())
        for (const ir::Value* value : body->outputs()) Fix(value);
    });
    // A product passes the factor of one operand on when the other has none.
    for (const auto& operation : function_.block->operations()) {
      if (treats_[operation.get()] != Treats::kProduct) continue;
      const ir::Value* x = operation->Input("x");
      const ir::Value* y = operation->Input("y");
      const ir::Value* out = operation->output(0);
      if (IsFixed(x)) {
        Unite(y, out);
      } else if (IsFixed(y)) {
        Unite(x, out);
      } else {
        Fix(x), Fix(y), Fix(out);
      }
    }
    // What was fixed last may have been passed on by an earlier product.
    for (const auto& operation : function_.block->operations()) {
      if (treats_[operation.get()] != Treats::kProduct) continue;
      const ir::Value* x = operation->Input("x");
      const ir::Value* y = operation->Input("y");
      if (!IsFixed(x) && !IsFixed(y)) Fix(x), Fix(y), Fix(operation->output(0));
    }
  }

  bool Nested(const ir::Operation& op) {
    if (own_.empty()) {
      for (const auto& each : function_.block->operations()) own_[each.get()] = true;
    }
    return !own_.contains(&op);
  }

  // --- The factors, as exponents of two: a value v is stored as v * 2^-exponent.

  void Choose() {
    std::vector<double> largest(parent_.size(), 0);
    for (const auto& [value, at] : index_) {
      const auto known = largest_.find(value->name);
      if (known != largest_.end() && std::isfinite(known->second))
        largest[Root(at)] = std::max(largest[Root(at)], known->second);
    }
    exponents_.assign(parent_.size(), 0);
    for (size_t at = 0; at < parent_.size(); ++at) {
      if (Root(at) != at || fixed_[at] || largest[at] == 0) continue;
      if (largest[at] >= kSmallestKept && largest[at] <= kLargestKept) continue;
      exponents_[at] = static_cast<int>(std::lround(std::log2(largest[at]))) -
                       (largest[at] < kSmallestKept ? kWantedOfSmall : kWantedOfLarge);
    }
  }

  int Exponent(const ir::Value* value) {
    const auto found = index_.find(value);
    return found == index_.end() ? 0 : exponents_[Root(found->second)];
  }

  // By how much the weights grow, as an exponent.
  int Growth(const ir::Operation& op) { return Exponent(op.Input("x")) - Exponent(op.output(0)); }

  bool WeightsFit() {
    for (const auto& operation : function_.block->operations()) {
      if (treats_[operation.get()] != Treats::kWeights || Growth(*operation) == 0) continue;
      const ir::Value* weight =
          operation->Input(operation->type() == "batch_norm" ? "gamma" : "weight");
      double largest = 1;
      if (weight != nullptr) {
        const auto values = FactorOf(weight)->literal->AsFloats();
        if (!values) return false;
        largest = 0;
        for (const float value : *values) largest = std::max(largest, std::abs(double{value}));
      }
      const double scaled = std::ldexp(largest, Growth(*operation));
      const bool is_scale =
          weight != nullptr && !weight->is_const() && ScaleOf(*weight->producer) == "scale";
      const double smallest = is_scale ? kSmallestScale : kSmallestWeight;
      if (largest > 0 && (scaled < smallest || scaled > kLargestWeight)) return false;
    }
    return true;
  }

  // --- The rewriting.

  static ir::Literal ScaledBy(const ir::Literal& literal, int exponent) {
    std::vector<float> values = *literal.AsFloats();
    for (float& value : values) value = std::ldexp(value, exponent);
    return ir::Literal::Fp32s(std::move(values), literal.shape());
  }

  // The same decoding with 2^exponent times the scale.
  static ir::Value* DecodedBy(ir::Builder& builder, const ir::Value& weight, int exponent) {
    const ir::Operation& decoder = *weight.producer;
    const std::string_view scale = ScaleOf(decoder);
    std::vector<ir::ArgInit> args;
    for (const ir::Argument& argument : decoder.arguments()) {
      if (argument.name == scale) {
        args.push_back({scale, ScaledBy(*argument.values.front()->literal, exponent)});
      } else {
        args.push_back({argument.name, argument.values.front()});
      }
    }
    return builder.Op(decoder.type(), std::move(args), weight.name + "_rescaled");
  }

  // Makes `argument` a constant with 2^exponent times the elements.
  Status Scale(Rewriter& rewriter, ir::Operation& op, std::string_view argument, int exponent) {
    ir::Value* old = op.Input(argument);
    if (old == nullptr || exponent == 0) return {};
    ir::Value* scaled =
        old->is_const()
            ? rewriter.builder().Const(ScaledBy(*old->literal, exponent), old->name + "_rescaled")
            : DecodedBy(rewriter.builder(), *old, exponent);
    ANEMONE_TRY(rewriter.Commit(op));
    rewriter.SetInputs(op, argument, {scaled});
    return {};
  }

  Status Rewrite(Rewriter& rewriter, ir::Operation& op) {
    const auto found = treats_.find(&op);
    if (found == treats_.end()) return {};
    if (found->second == Treats::kWeights) {
      const int in = Exponent(op.Input("x"));
      const int out = Exponent(op.output(0));
      if (op.type() == "batch_norm") {
        ANEMONE_TRY(Scale(rewriter, op, "mean", -in));
        ANEMONE_TRY(Scale(rewriter, op, "beta", -out));
        if (op.Input("gamma") != nullptr || in == out)
          return Scale(rewriter, op, "gamma", in - out);
        const ir::Literal ones =
            ir::Literal::Fp32s(std::vector<float>(op.Input("mean")->literal->element_count(), 1),
                               op.Input("mean")->literal->shape());
        ir::Value* gamma = rewriter.builder().Const(ScaledBy(ones, in - out), op.name() + "_gamma");
        ANEMONE_TRY(rewriter.Commit(op));
        rewriter.SetInputs(op, "gamma", {gamma});
        return {};
      }
      ANEMONE_TRY(Scale(rewriter, op, "bias", -out));
      return Scale(rewriter, op, "weight", in - out);
    }
    if (found->second != Treats::kBounds) return {};
    const int exponent = Exponent(op.output(0));
    if (exponent == 0) return {};
    if (op.type() == "relu6") {
      ir::Value* clip =
          rewriter.builder().Op("clip",
                                {{"x", op.Input("x")},
                                 {"alpha", ir::Literal::Fp32(0)},
                                 {"beta", ir::Literal::Fp32(std::ldexp(6.0F, -exponent))}},
                                op.name());
      ANEMONE_TRY(rewriter.Commit(op));
      // The new value stands where the old one did, with its factor.
      index_[clip] = index_.at(op.output(0));
      rewriter.Replace(op.output(0), clip);
      return {};
    }
    for (const std::string_view argument : {"x", "y", "alpha", "beta"}) {
      const ir::Value* value = op.Input(argument);
      if (value != nullptr && value->is_const())
        ANEMONE_TRY(Scale(rewriter, op, argument, -exponent));
    }
    return {};
  }

  // An output gets its factor back.
  Status RestoreOutputs(Rewriter& rewriter, Rescaled* result) {
    const std::vector<ir::Value*> outputs = function_.block->outputs();
    for (ir::Value* output : outputs) {
      const int exponent = Exponent(output);
      if (exponent == 0 || output->producer == nullptr) continue;
      const std::string name = output->name;
      ir::Value* restored = rewriter.builder().Op(
          "mul", {{"x", output}, {"y", ir::Literal::Fp32(std::ldexp(1.0F, exponent))}},
          name + "_restored");
      ANEMONE_TRY(rewriter.CommitAfter(output));
      rewriter.ReplaceFunctionOutput(output, restored);
      result->keep_float32.push_back(restored->producer->name());
    }
    return {};
  }

  ir::Function& function_;
  const std::unordered_map<std::string, double>& largest_;
  std::unordered_map<const ir::Value*, size_t> index_;
  std::vector<size_t> parent_;
  std::vector<bool> fixed_;
  std::vector<int> exponents_;  // of the roots
  std::unordered_map<const ir::Operation*, Treats> treats_;
  std::unordered_map<const ir::Operation*, bool> own_;
};

}  // namespace

Result<Rescaled> RescaleForHalf(ir::Function& function,
                                const std::unordered_map<std::string, double>& largest) {
  return Rescaler(function, largest).Run();
}

}  // namespace anemone::passes
