#include "passes/value_ranges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "ir/op_def.h"
#include "passes/half_constants.h"

namespace anemone::passes {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();
// What rounds to zero in half.
constexpr double kVanishes = 0x1p-25;

Interval Hull(Interval a, Interval b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

// 0 times a bound that is infinite is 0: the bound stands for arbitrarily large finite numbers.
double Times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

Interval ProductRange(Interval a, Interval b) {
  const std::array<double, 4> corners = {Times(a.low, b.low), Times(a.low, b.high),
                                         Times(a.high, b.low), Times(a.high, b.high)};
  return {std::ranges::min(corners), std::ranges::max(corners)};
}

Interval Sum(Interval a, Interval b) { return {a.low + b.low, a.high + b.high}; }
Interval Negated(Interval a) { return {-a.high, -a.low}; }

Interval Quotient(Interval a, Interval b) {
  if (b.low <= 0 && b.high >= 0) return {};
  return ProductRange(a, {1 / b.high, 1 / b.low});
}

Interval Monotonic(Interval x, double (*f)(double)) { return {f(x.low), f(x.high)}; }

// Σ max(w·low, w·high) and Σ min of each row of a weight, the widest over all rows.
Interval WeightedSum(const ir::Literal& weight, int64_t rows, Interval x) {
  const auto values = weight.AsFloats();
  const int64_t count = weight.element_count();
  if (!values || rows <= 0 || count % rows != 0) return {};
  Interval widest{kNoBound, -kNoBound};
  const int64_t length = count / rows;
  for (int64_t row = 0; row < rows; ++row) {
    double positive = 0;
    double negative = 0;
    for (int64_t i = row * length; i < (row + 1) * length; ++i) {
      const double value = (*values)[static_cast<size_t>(i)];
      (value > 0 ? positive : negative) += value;
    }
    widest = Hull(
        widest, Sum(ProductRange(x, {positive, positive}), ProductRange(x, {negative, negative})));
  }
  return widest;
}

class RangeWalk {
 public:
  RangeWalk(const ir::Function& function, ValueRanges ranges)
      : opset_(function.opset), ranges_(std::move(ranges)) {
    Walk(*function.block);
  }

  ValueRanges Take() { return std::move(ranges_); }

 private:
  void Walk(const ir::Block& block) {
    for (const auto& operation : block.operations()) {
      // Bodies may run any number of times: their inputs are unbounded.
      for (const auto& body : operation->blocks()) Walk(*body);
      if (operation->is_const() || operation->outputs().empty()) continue;
      Interval found = Of(*operation);
      if (std::isnan(found.low) || std::isnan(found.high)) found = {};
      const ir::Value* first = operation->output(0);
      for (const auto& output : operation->outputs()) {
        // A second result of another kind, as the indices of topk, is what its type can hold; and
        // integers wrap.
        const bool same = output.get() == first || operation->type() == "split";
        const Interval type = OfType(output->type);
        const bool fits = found.low >= type.low && found.high <= type.high;
        const Interval range = same && fits ? found : type;
        if (range != Interval{}) ranges_[output.get()] = range;
      }
    }
  }

  Interval OfValue(const ir::Value* value) {
    if (value == nullptr) return {};
    const auto known = ranges_.find(value);
    if (known != ranges_.end()) return known->second;
    if (!value->is_const()) return OfType(value->type);
    const auto values = value->literal->AsFloats();
    Interval range;
    if (values && !values->empty()) {
      const auto [low, high] = std::ranges::minmax(*values);
      if (std::isfinite(low) && std::isfinite(high)) range = {low, high};
    }
    ranges_[value] = range;
    return range;
  }

 public:
  static Interval OfType(const ir::Type& type) {
    if (!type.is_tensor()) return {};
    switch (type.dtype()) {
      case DType::kBool:
        return {0, 1};
      case DType::kInt8:
        return {-128, 127};
      case DType::kUInt8:
        return {0, 255};
      case DType::kInt16:
        return {-32768, 32767};
      case DType::kUInt16:
        return {0, 65535};
      case DType::kInt32:
        return {-2147483648.0, 2147483647.0};
      default:
        return {};
    }
  }

 private:
  Interval Input(const ir::Operation& operation, std::string_view name) {
    return OfValue(operation.Input(name));
  }

  static double Elements(const ir::Value* value) {
    if (value == nullptr || !value->type.is_static()) return kNoBound;
    return static_cast<double>(value->type.element_count().value_or(0));
  }

  // How many elements of x make one of the result.
  static double Reduced(const ir::Operation& operation) {
    const double out = Elements(operation.output());
    return out > 0 ? Elements(operation.Input("x")) / out : kNoBound;
  }

  Interval WithBias(Interval sum, const ir::Operation& operation) {
    return operation.Input("bias") == nullptr ? sum : Sum(sum, Input(operation, "bias"));
  }

  Interval OfMatrix(const ir::Operation& operation) {
    const ir::Value* weight = operation.Input("weight");
    if (weight == nullptr || !weight->is_const() || weight->type.rank() < 2) return {};
    Interval x = Input(operation, "x");
    if (operation.type() == "conv") x = Hull(x, {0, 0});  // its padding
    return WithBias(WeightedSum(*weight->literal, weight->type.shape()[0], x), operation);
  }

  Interval OfConcat(const ir::Operation& operation) {
    Interval hull{kNoBound, -kNoBound};
    for (const ir::Argument& argument : operation.arguments()) {
      if (argument.name != "values") continue;
      for (const ir::Value* value : argument.values) hull = Hull(hull, OfValue(value));
    }
    return hull;
  }

  Interval OfClip(const ir::Operation& operation) {
    const Interval x = Input(operation, "x");
    const Interval alpha = Input(operation, "alpha");
    const Interval beta = Input(operation, "beta");
    return {std::clamp(x.low, alpha.low, std::max(alpha.low, beta.high)),
            std::clamp(x.high, alpha.low, std::max(alpha.low, beta.high))};
  }

  Interval OfBatchNorm(const ir::Operation& operation) {
    const ir::OpArgs args(operation, opset_);
    const auto epsilon = args.Float("epsilon");
    if (!epsilon.ok()) return {};
    const Interval variance = Input(operation, "variance");
    const double low = variance.low + *epsilon;
    if (!(low > 0)) return {};
    const Interval scale = {1 / std::sqrt(variance.high + *epsilon), 1 / std::sqrt(low)};
    Interval x = ProductRange(Sum(Input(operation, "x"), Negated(Input(operation, "mean"))), scale);
    if (operation.Input("gamma") != nullptr) x = ProductRange(x, Input(operation, "gamma"));
    return operation.Input("beta") != nullptr ? Sum(x, Input(operation, "beta")) : x;
  }

  Interval Of(const ir::Operation& op) {
    const std::string& type = op.type();
    const Interval x = Input(op, "x");
    const auto y = [&] { return Input(op, "y"); };
    if (op.def() != nullptr && op.def()->traits.elements == ir::ElementRule::kOfFirst)
      return Input(op, op.def()->params.front().name);
    if (type == "cast" || type == "round" || type == "floor" || type == "ceil")
      return {std::floor(x.low), std::ceil(x.high)};
    if (type == "conv" || type == "linear") return OfMatrix(op);
    if (type == "add") return Sum(x, y());
    if (type == "sub") return Sum(x, Negated(y()));
    if (type == "mul") return ProductRange(x, y());
    if (type == "real_div") return Quotient(x, y());
    if (type == "maximum") return {std::max(x.low, y().low), std::max(x.high, y().high)};
    if (type == "minimum") return {std::min(x.low, y().low), std::min(x.high, y().high)};
    if (type == "relu") return {std::max(0.0, x.low), std::max(0.0, x.high)};
    if (type == "relu6") return {std::clamp(x.low, 0.0, 6.0), std::clamp(x.high, 0.0, 6.0)};
    if (type == "clip") return OfClip(op);
    if (type == "abs") {
      const double least =
          x.low <= 0 && x.high >= 0 ? 0 : std::min(std::abs(x.low), std::abs(x.high));
      return {least, std::max(std::abs(x.low), std::abs(x.high))};
    }
    if (type == "square") {
      const Interval squared = ProductRange(x, x);
      return {std::max(0.0, squared.low), squared.high};
    }
    if (type == "sqrt") return {std::sqrt(std::max(0.0, x.low)), std::sqrt(std::max(0.0, x.high))};
    if (type == "exp") return Monotonic(x, [](double value) { return std::exp(value); });
    if (type == "sigmoid" || type == "sigmoid_hard" || type == "softmax") return {0, 1};
    if (type == "one_hot") return Hull(Input(op, "on_value"), Input(op, "off_value"));
    if (type == "tanh" || type == "erf" || type == "sin" || type == "cos" || type == "sign" ||
        type == "softsign") {
      return {-1, 1};
    }
    // Each lies between 0 and x, but for a dip of less than 0.3 below it.
    if (type == "silu" || type == "gelu")
      return {std::max(-0.3, std::min(0.0, x.low)), std::max(0.0, x.high)};
    if (type == "concat" || type == "stack") return OfConcat(op);
    if (type == "select") return Hull(Input(op, "a"), Input(op, "b"));
    if (type == "avg_pool") return Hull(x, {0, 0});
    if (type == "pad") return Hull(Hull(x, {0, 0}), Input(op, "constant_val"));
    if (type == "reduce_sum") {
      const double count = Reduced(op);
      return count < kNoBound ? ProductRange(x, {count, count}) : Interval{};
    }
    if (type == "batch_norm") return OfBatchNorm(op);
    return {};
  }

  ir::Opset opset_;
  ValueRanges ranges_;
};

bool HoldsFloats(const ir::Value& value) {
  return value.type.is_tensor() &&
         (value.type.dtype() == DType::kFp32 || value.type.dtype() == DType::kFp16);
}

std::vector<std::string> NamesWhere(const ir::Function& function, const ValueRanges& ranges,
                                    const std::function<bool(const Interval&)>& wanted) {
  std::vector<std::string> names;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (operation.is_const()) return;
    for (const auto& output : operation.outputs()) {
      const auto found = ranges.find(output.get());
      if (found == ranges.end() || !HoldsFloats(*output) || !wanted(found->second)) continue;
      names.push_back(operation.name());
      return;
    }
  });
  return names;
}

}  // namespace

ValueRanges DeclaredRanges(const ir::Model& model, const ir::Function& function) {
  ValueRanges ranges;
  const ir::FunctionDescription* described = model.FindFunction(function.name);
  for (const auto& input : function.inputs()) {
    const ir::Feature* feature = described != nullptr ? described->FindInput(input->name) : nullptr;
    if (feature != nullptr && feature->image() != nullptr) {
      ranges[input.get()] = {0, 255};
    } else if (const Interval known = RangeWalk::OfType(input->type); known.bounded()) {
      ranges[input.get()] = known;
    }
  }
  return ranges;
}

ValueRanges PropagateRanges(const ir::Function& function, const ValueRanges& inputs) {
  return RangeWalk(function, inputs).Take();
}

std::vector<std::string> LostInHalf(const ir::Function& function, const ValueRanges& ranges) {
  return NamesWhere(function, ranges, [](const Interval& range) {
    if (range.low > kLargestHalf || range.high < -kLargestHalf) return true;
    return (range.low > 0 && range.high < kVanishes) || (range.high < 0 && range.low > -kVanishes);
  });
}

std::vector<std::string> MayExceedHalf(const ir::Function& function, const ValueRanges& ranges) {
  return NamesWhere(function, ranges, [](const Interval& range) {
    return range.bounded() && (range.high > kLargestHalf || range.low < -kLargestHalf);
  });
}

}  // namespace anemone::passes
