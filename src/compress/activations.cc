// See activations.h.
//
//   before                             after
//     a = conv(x = x, weight = w);       q = quantize(input = x, scale = 0.02,
//     b = relu(x = a);                                output_dtype = "int8");
//     c = conv(x = b, weight = v);       d = dequantize(input = q, scale = 0.02);
//   } -> (c);                            a = conv(x = d, weight = w);
//                                        b = relu(x = a);
//                                        e = quantize(input = b, ...);
//                                        f = dequantize(input = e, ...);
//                                        c = conv(x = f, weight = v);
//                                      } -> (c);
#include "compress/activations.h"

#include <algorithm>
#include <set>

#include "compress/linear_codec.h"
#include "compress/lowest_opset.h"

namespace anemone::compress {
namespace {

constexpr std::string_view kUnary[] = {"conv", "avg_pool", "max_pool", "linear"};
constexpr std::string_view kFusedActivations[] = {"leaky_relu",   "tanh", "scaled_tanh", "sigmoid",
                                                  "hard_sigmoid", "relu", "relu6"};

template <size_t kCount>
bool IsOneOf(const std::string& type, const std::string_view (&types)[kCount]) {
  return std::ranges::find(types, type) != std::end(types);
}

bool IsFloat(const ir::Value* value) {
  return value != nullptr && value->type.is_tensor() && anemone::IsFloat(value->type.dtype());
}

// Whether it is made when the model runs, not when it is loaded.
bool IsLive(const ir::Value* value) { return IsFloat(value) && !value->is_stored(); }

// The parameters of `op` that become 8 bits; empty when the operator does not compute in 8 bits.
std::vector<std::string_view> QuantizedInputs(const ir::Operation& op) {
  if (IsOneOf(op.type(), kUnary)) {
    if (IsLive(op.Input("x"))) return {"x"};
    return {};
  }
  if (op.type() == "add" && IsLive(op.Input("x")) && IsLive(op.Input("y"))) return {"x", "y"};
  return {};
}

class Planner {
 public:
  Planner(const passes::Rewriter& rewriter, const ActivationStep& step)
      : rewriter_(rewriter), step_(step), uses_(ir::FindUses(rewriter.function())) {}

  ActivationPlan Plan() {
    for (ir::Operation* op : rewriter_.operations()) {
      if (op->type() == "concat") Share(*op);
      const ActivationConfig* config = SettingOf(step_, op->name(), op->type());
      const auto inputs = QuantizedInputs(*op);
      if (config == nullptr || inputs.empty()) continue;
      for (const std::string_view input : inputs) SiteOf(op->Input(input), *config);
      if (ir::Value* last = LastOf(op)) SiteOf(last, *config).behind = true;
    }
    for (ActivationSite& site : plan_.sites) FillUses(&site);
    std::erase_if(plan_.sites, [](const ActivationSite& site) { return site.uses.empty(); });
    return std::move(plan_);
  }

 private:
  // The result of the fused pattern that starts at `op`; null when only the caller takes it.
  ir::Value* LastOf(ir::Operation* op) {
    ir::Value* value = op->output();
    const auto found = uses_.find(value);
    if (found == uses_.end()) return nullptr;
    const bool fuses = op->type() == "conv" || op->type() == "add" || op->type() == "linear";
    if (fuses && found->second.size() == 1 && found->second[0].operation != nullptr &&
        IsOneOf(found->second[0].operation->type(), kFusedActivations)) {
      value = found->second[0].operation->output();
    }
    const auto users = uses_.find(value);
    if (users == uses_.end() || !IsFloat(value)) return nullptr;
    const bool any = std::ranges::any_of(
        users->second, [](const ir::Use& use) { return use.operation != nullptr; });
    return any ? value : nullptr;
  }

  ActivationSite& SiteOf(ir::Value* value, const ActivationConfig& config) {
    for (ActivationSite& site : plan_.sites)
      if (site.value == value) return site;
    plan_.sites.push_back({value, config, false, {}});
    return plan_.sites.back();
  }

  void FillUses(ActivationSite* site) {
    for (const ir::Use& use : uses_.at(site->value)) {
      if (use.operation == nullptr) continue;
      if (!site->behind) {
        const auto inputs = QuantizedInputs(*use.operation);
        const std::string& parameter = use.operation->arguments()[use.argument].name;
        if (SettingOf(step_, use.operation->name(), use.operation->type()) == nullptr ||
            std::ranges::find(inputs, parameter) == inputs.end())
          continue;
      }
      site->uses.push_back(use);
    }
  }

  // Tensors of concats that touch one another are one group.
  void Share(const ir::Operation& concat) {
    std::vector<std::string> group{concat.output()->name};
    for (const ir::Value* value : concat.Inputs("values"))
      if (IsLive(value)) group.push_back(value->name);
    for (auto& other : plan_.shared) {
      const bool meets = std::ranges::any_of(group, [&](const std::string& name) {
        return std::ranges::find(other, name) != other.end();
      });
      if (!meets) continue;
      for (std::string& name : group)
        if (std::ranges::find(other, name) == other.end()) other.push_back(std::move(name));
      return;
    }
    plan_.shared.push_back(std::move(group));
  }

  const passes::Rewriter& rewriter_;
  const ActivationStep& step_;
  ir::UseMap uses_;
  ActivationPlan plan_;
};

struct Parameters {
  float scale = 1;
  int64_t zero_point = 0;
};

// Scale and zero point as coremltools computes them from the two ends of a range.
Parameters ParametersOf(ActivationRange range, const ActivationConfig& config, DType dtype) {
  Parameters parameters;
  const std::vector<float> ends{static_cast<float>(range.low), static_cast<float>(range.high)};
  const ir::Literal literal = ir::Literal::Floats(dtype, ends, {2});
  const auto tensor = QuantizeLinear(literal, {0}, config.dtype, config.mode);
  if (!tensor.ok() || tensor->scale[0] == 0) return parameters;
  parameters.scale = tensor->scale[0];
  if (!tensor->offset.empty()) {
    parameters.zero_point =
        IsUnsignedInt(config.dtype) ? static_cast<uint8_t>(tensor->offset[0]) : tensor->offset[0];
  }
  return parameters;
}

}  // namespace

Result<ActivationPlan> PlanActivations(const passes::Rewriter& rewriter,
                                       const ActivationStep& step) {
  const ir::Function& function = rewriter.function();
  if (function.opset < kActivationsOpset) {
    return Unsupported(
               "quantized activations need the op set ios17 or later, but function '{}' is {}",
               function.name, ir::OpsetName(function.opset))
        .Advise("convert again with a deployment target of ios17 or later");
  }
  return Planner(rewriter, step).Plan();
}

Status InsertActivations(passes::Rewriter& rewriter, const ActivationStep& step,
                         const ActivationPlan& plan, const Observers& observers, Report* report) {
  for (const ActivationSite& site : plan.sites) {
    ir::Value* value = site.value;
    TensorRecord record{.name = value->name,
                        .op = value->producer != nullptr ? value->producer->type() : "input",
                        .shape = value->type.shape(),
                        .dtype = value->type.dtype(),
                        .form = {},
                        .reason = {}};
    ActivationObserver seen(true);
    const auto found = observers.find(value->name);
    if (found != observers.end()) seen.Merge(found->second);
    for (const auto& group : plan.shared) {
      if (std::ranges::find(group, value->name) == group.end()) continue;
      for (const std::string& name : group) {
        const auto other = observers.find(name);
        if (name != value->name && other != observers.end()) seen.Merge(other->second);
      }
    }
    if (seen.count() == 0) {
      record.reason = "no finite value was seen in calibration";
      report->skipped.push_back(std::move(record));
      continue;
    }
    const ActivationRange range = seen.Range(step.observer, step.percentile, site.config.mode, 8);
    const DType dtype = value->type.dtype();
    const Parameters parameters = ParametersOf(range, site.config, dtype);
    const std::string type(DTypeName(site.config.dtype));
    ir::Builder& builder = rewriter.builder();
    std::vector<ir::ArgInit> quantize{{"input", value},
                                      {"scale", ir::Literal::Float(dtype, parameters.scale)},
                                      {"output_dtype", ir::Literal::String(type)}};
    std::vector<ir::ArgInit> dequantize{{"scale", ir::Literal::Float(dtype, parameters.scale)}};
    if (site.config.mode == LinearMode::kAsymmetric || IsUnsignedInt(site.config.dtype)) {
      ANEMONE_ASSIGN(
          const ir::Literal zero_point,
          ir::Literal::FromBytes(ir::Type::Scalar(site.config.dtype),
                                 ir::PackInts({parameters.zero_point}, site.config.dtype)));
      quantize.push_back({"zero_point", zero_point});
      dequantize.push_back({"zero_point", zero_point});
    }
    ir::Value* integers = builder.Op("quantize", std::move(quantize), value->name + "_quantized");
    dequantize.insert(dequantize.begin(), {"input", integers});
    ir::Value* back = builder.Op("dequantize", std::move(dequantize), value->name + "_dequantized");
    ANEMONE_TRY(rewriter.CommitAfter(value));
    for (const ir::Use& use : site.uses) {
      const ir::Argument& argument = use.operation->arguments()[use.argument];
      std::vector<ir::Value*> values = argument.values;
      values[use.index] = back;
      rewriter.SetInputs(*use.operation, argument.name, std::move(values));
    }
    record.form = fmt::format("{} activation, {:.4g} to {:.4g}", type, range.low, range.high);
    report->compressed.push_back(std::move(record));
  }
  return {};
}

}  // namespace anemone::compress
