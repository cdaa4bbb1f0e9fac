// RunCompare: a variant beside its reference, with the document "anemone.compare".
#include "exec/function_inputs.h"
#include "facade/arrays.h"
#include "facade/document.h"
#include "facade/output_comparison.h"
#include "facade/tensor_files.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "ir/feature_shapes.h"
#include "lab/precision.h"
#include "lab/verify.h"
#include "options/option.h"
#include "options/shapes.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

Result<std::vector<lab::Inputs>> MakeInputs(const CompareOptions& options,
                                            const LoadedModel& reference) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*reference.model, ""));
  std::vector<lab::Inputs> inputs;
  if (!options.inputs.empty()) {
    ANEMONE_ASSIGN(auto set, ReadInputs(*reference.model, *function, options.inputs,
                                        FixedShapes(options.input_shapes)));
    inputs.push_back(std::move(set));
    return inputs;
  }
  for (int sample = 0; sample < options.samples; ++sample) {
    ANEMONE_ASSIGN(auto set,
                   exec::SyntheticInputs(*reference.model, *function, options.seed, sample));
    inputs.push_back(std::move(set));
  }
  return inputs;
}

// One of the two models, in the shapes that were chosen for both.
Result<LoadedModel> LoadSide(const std::string& model, const CompareOptions& options) {
  ModelOptions one;
  one.model = model;
  one.input_shapes = options.input_shapes;
  // The other model may be the result, which lacks the inputs that are fixed.
  if (LowerExtension(model) == ".onnx") {
    one.input_value = options.input_value;
    one.lowering = options.lowering;
    one.clamp_int64 = options.clamp_int64;
  }
  return LoadModel(one);
}

// The two of them. Where an ONNX graph leaves shapes open that the other model has defaults for, it
// takes those.
Result<std::pair<LoadedModel, LoadedModel>> LoadBoth(const CompareOptions& options) {
  auto reference = LoadSide(options.reference, options);
  if (reference.ok()) {
    ANEMONE_ASSIGN(auto variant, LoadSide(options.variant, options));
    return std::pair(std::move(*reference), std::move(variant));
  }
  if (LowerExtension(options.reference) != ".onnx" ||
      reference.error().code() != ErrorCode::kUnsupported) {
    return std::move(reference).error();
  }
  ANEMONE_ASSIGN(auto variant, LoadSide(options.variant, options));
  CompareOptions shaped = options;
  const ir::Function* function = variant.model->program.main();
  if (function == nullptr) return std::move(reference).error();
  const auto& names = variant.model->metadata.user_defined;
  for (const auto& input : function->inputs()) {
    const auto shape = ir::DefaultInputShape(*variant.model, *function, *input);
    if (!shape.ok()) continue;
    const auto original = names.find("onnx.name." + input->name);
    shaped.input_shapes.try_emplace(original == names.end() ? input->name : original->second,
                                    std::vector<Dimension>(shape->begin(), shape->end()));
  }
  auto again = LoadSide(options.reference, shaped);
  // The first error says what is open; the second one would speak of shapes nobody gave.
  if (!again.ok()) return std::move(reference).error();
  return std::pair(std::move(*again), std::move(variant));
}

// The limits that were given, and for those that were not, what the models ask for.
lab::ChosenLimits LimitsFor(const CompareOptions& options, const ir::Model& reference,
                            const ir::Model& variant) {
  lab::ChosenLimits chosen =
      lab::ChooseLimits(reference, variant, /*half=*/options.numerics == "float16");
  if (options.tolerance_linf) chosen.limits.linf = *options.tolerance_linf;
  if (options.tolerance_rmse) chosen.limits.rmse = *options.tolerance_rmse;
  const std::string by_model = fmt::format("{}: {}", chosen.precision, chosen.reason);
  if (options.tolerance_linf && options.tolerance_rmse) {
    chosen.reason = "given";
  } else if (options.tolerance_linf || options.tolerance_rmse) {
    chosen.reason =
        fmt::format("{} is given; {}", options.tolerance_linf ? "L-inf" : "RMSE", by_model);
  } else {
    chosen.reason = by_model;
  }
  return chosen;
}

Result<std::string> CompareJson(const CompareOptions& options, const CompareResult& result,
                                const std::string& described_inputs,
                                const std::vector<lab::OutputParity>& outputs,
                                const std::vector<lab::OperatorDrift>& drifts) {
  Json document = Document("anemone.compare");
  document["reference"] = options.reference;
  document["variant"] = options.variant;
  document["inputs"] = options.inputs.empty() ? described_inputs : "given files";
  document["limit_l_inf"] = result.limit_linf;
  document["limit_rmse"] = result.limit_rmse;
  document["limits_reason"] = result.limits_reason;
  Json list = Json::Array();
  for (const auto& output : outputs) {
    ANEMONE_ASSIGN(Json row, ParseJson(lab::ToJson(output.parity)));
    row["output"] = output.output;
    row["judged"] = output.judged.relative ? "relative" : "absolute";
    row["passed"] = output.judged.passed;
    list.push_back(std::move(row));
  }
  document["outputs"] = std::move(list);
  if (options.per_op) {
    Json rows = Json::Array();
    for (const auto& drift : drifts) {
      ANEMONE_ASSIGN(Json row, ParseJson(lab::ToJson(drift.parity)));
      row["name"] = drift.name;
      row["type"] = drift.type;
      rows.push_back(std::move(row));
    }
    document["operators"] = std::move(rows);
  }
  document["first_drift"] = result.first_drift.empty() ? Json() : Json(result.first_drift);
  document["passed"] = result.passed;
  return DocumentText(document);
}

}  // namespace

Result<CompareResult> RunCompare(const CompareOptions& given, const Hooks& hooks) {
  CompareOptions options = given;
  options::MoveShapes(&options.inputs, &options.input_shapes);
  ANEMONE_TRY(options::Check(options));
  lab::VerifyOptions verify;
  verify.samples = options.samples;
  verify.seed = options.seed;
  verify.threads = options.threads;
  verify.cancelled = hooks.cancelled;
  ANEMONE_ASSIGN(verify.variant_numerics, ParseNumerics(options.numerics));
  Tell(hooks, fmt::format("loading {} and {}", options.reference, options.variant));
  ANEMONE_ASSIGN(const auto both, LoadBoth(options));
  const auto& [reference, variant] = both;
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(options.backend));
  ANEMONE_ASSIGN(const auto inputs, MakeInputs(options, reference));
  const lab::ChosenLimits chosen = LimitsFor(options, *reference.model, *variant.model);
  const lab::ParityLimits& limits = chosen.limits;
  Tell(hooks, "comparing");
  ANEMONE_ASSIGN(auto outputs,
                 lab::VerifyOn(*backend, reference.model, variant.model, limits, verify, inputs));
  CompareResult result;
  result.passed = true;
  result.limit_linf = limits.linf;
  result.limit_rmse = limits.rmse;
  result.limits_reason = chosen.reason;
  for (auto& output : outputs) {
    if (options.min_psnr > 0 && !(output.parity.psnr_db >= options.min_psnr))
      output.judged.passed = false;
    result.passed &= output.judged.passed;
    result.outputs.push_back(ToRow(output));
  }
  std::vector<lab::OperatorDrift> drifts;
  if (options.per_op || !result.passed) {
    ANEMONE_TRY(CheckCancelled(hooks));
    Tell(hooks, "comparing operators");
    ANEMONE_ASSIGN(
        drifts, lab::CompareOperators(*backend, reference.model, variant.model, inputs[0], verify));
  }
  result.first_drift = lab::FirstDrift(drifts, limits);
  if (options.per_op) {
    for (const auto& drift : drifts) {
      result.operators.push_back({drift.name, drift.type, drift.parity.linf_relative,
                                  drift.parity.rmse_relative, drift.parity.psnr_db});
    }
  }
  ANEMONE_ASSIGN(result.json,
                 CompareJson(options, result, lab::DescribeInputs(verify), outputs, drifts));
  return result;
}

}  // namespace anemone::facade
