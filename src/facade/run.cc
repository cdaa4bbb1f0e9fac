// RunRun: one or more inferences through a session, with the document "anemone.run".
#include <algorithm>

#include "base/cache_root.h"
#include "base/clock.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "facade/document.h"
#include "facade/feature_files.h"
#include "facade/predictor_source.h"
#include "facade/predictor_tools.h"
#include "facade/session_options.h"
#include "facade/tensor_files.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "neural_network/lift.h"
#include "options/option.h"
#include "options/shapes.h"

namespace anemone::facade {
namespace {

using Tensors = std::map<std::string, exec::Tensor>;

// Where something is remembered or compiled, the user's folders stand for those that are not given.
// What is remembered costs a hash of the model: only where something remembers.
Result<std::shared_ptr<runtime::Session>> Open(const LoadedModel& model, const RunOptions& run) {
  SessionOptions options = run.session;
  ANEMONE_ASSIGN(const bool external, IsExternalBackend(options.backend));
  if (options.state_dir.empty() && (external || options.dispatch_by_measurement)) {
    options.state_dir = StateRoot();
  }
  if (options.cache_dir.empty() && external) options.cache_dir = CacheRoot();
  return OpenSession(model, run.model, options);
}

// What all calls came to.
struct Calls {
  Tensors outputs;             // of the last
  runtime::CallReport report;  // of the last
  int64_t count = 0;
  int64_t fallbacks = 0;
  int64_t load_ns = 0;
  int64_t run_ns = 0;
};

Result<Calls> Call(runtime::Session& session, const Tensors& inputs, int64_t count) {
  Calls calls;
  calls.count = std::max<int64_t>(1, count);
  exec::State state;
  const int64_t start_ns = NowNs();
  for (int64_t i = 0; i < calls.count; ++i) {
    ANEMONE_ASSIGN(calls.outputs, session.Predict(inputs, &state, &calls.report));
    if (calls.report.fallback_reason != runtime::FallbackReason::kNone) ++calls.fallbacks;
  }
  calls.run_ns = NowNs() - start_ns;
  return calls;
}

Json ReportJson(const Calls& calls) {
  const runtime::CallReport& report = calls.report;
  return {
      {"backend", report.backend},
      {"compute_units", report.external ? Json(ComputeUnitsName(report.compute_units)) : Json()},
      {"experimental", report.experimental},
      {"planned_unit", ComputeUnitName(report.planned)},
      {"observed_unit", ComputeUnitName(report.observed)},
      {"attempts", report.attempts},
      {"fallback_reason", runtime::FallbackReasonName(report.fallback_reason)},
      {"fallback_unix_ns", report.fallback_unix_ns != 0 ? Json(report.fallback_unix_ns) : Json()},
      {"circuit_state", runtime::CircuitStateName(report.circuit_state)},
      {"calls", calls.count},
      {"calls_with_fallback", calls.fallbacks}};
}

Json FirstValuesJson(const exec::Tensor& tensor) {
  Json values = Json::Array();
  const bool floats = tensor.dtype() == DType::kFp32;
  const Bytes bytes = floats ? Bytes() : Bytes(tensor.As<uint8_t>(), tensor.size_bytes(), nullptr);
  for (int64_t i = 0; i < std::min(tensor.count(), kFirstValues); ++i) {
    values.push_back(floats ? Json(static_cast<double>(tensor.As<float>()[i]))
                            : Json(ir::IntElement(bytes, tensor.dtype(), i)));
  }
  return values;
}

// `classes` are the model's, if it is a classifier.
Json OutputJson(const std::string& name, const exec::Tensor& tensor,
                const std::optional<exec::Classes>& classes) {
  Json json{{"name", name},
            {"dtype", DTypeName(tensor.dtype())},
            {"shape", tensor.shape()},
            {"first_values", FirstValuesJson(tensor)}};
  int64_t argmax = 0;
  if (tensor.dtype() == DType::kFp32 && tensor.count() > 0) {
    const float* values = tensor.As<float>();
    argmax = std::max_element(values, values + tensor.count()) - values;
    json["argmax"] = argmax;
  }
  if (classes && name == classes->label) {
    json["label"] = classes->names[static_cast<size_t>(*tensor.As<int32_t>())];
  } else if (classes && name == classes->probabilities) {
    json["label"] = classes->names[static_cast<size_t>(argmax)];
  }
  return json;
}

// Why a network whose sizes are declared flexible runs in one size only; null of other models.
Json FixedShapesJson(const ir::Model& model) {
  const auto& notes = model.metadata.user_defined;
  const auto found = notes.find(std::string(neural_network::kFixedShapesKey));
  return found == notes.end() ? Json() : Json(found->second);
}

std::string RunJson(const RunOptions& options, const Calls& calls, const ir::Model& model,
                    const std::optional<exec::Classes>& classes) {
  Json document = Document("anemone.run");
  document["model"] = options.model;
  document["backend"] = calls.report.backend;
  document["numerics"] = options.session.numerics;
  document["load_ns"] = calls.load_ns;
  document["run_ns"] = calls.run_ns;
  document["iterations"] = calls.count;
  document["report"] = ReportJson(calls);
  document["fixed_shapes"] = FixedShapesJson(model);
  Json outputs = Json::Array();
  for (const auto& [name, tensor] : calls.outputs)
    outputs.push_back(OutputJson(name, tensor, classes));
  document["outputs"] = std::move(outputs);
  return DocumentText(document);
}

}  // namespace

Result<RunResult> RunRun(const RunOptions& given) {
  RunOptions options = given;
  options::MoveShapes(&options.inputs, &options.input_shapes);
  ANEMONE_TRY(options::Check(options));
  ModelSource source = SourceOf(options);
  ANEMONE_ASSIGN(source.file, OpenModelFile(options.model));
  if (IsFeatureModel(source.file.get())) return RunFeatureModel(source, options);
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(source));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, options.session.function));
  Tensors inputs;
  if (options.random_inputs) {
    ANEMONE_ASSIGN(inputs, exec::SyntheticInputs(*loaded.model, *function, options.input_seed, 0));
  } else {
    ANEMONE_ASSIGN(inputs, ReadInputs(*loaded.model, *function, options.inputs,
                                      FixedShapes(options.input_shapes)));
  }
  const int64_t load_start_ns = NowNs();
  ANEMONE_ASSIGN(const auto session, Open(loaded, options).At(options.model));
  const int64_t load_ns = NowNs() - load_start_ns;
  ANEMONE_ASSIGN(Calls calls, Call(*session, inputs, options.iterations).At(options.model));
  calls.load_ns = load_ns;
  if (!options.output_dir.empty()) {
    ANEMONE_TRY(WriteOutputs(calls.outputs, loaded.model->FindFunction(function->name),
                             options.output_dir));
  }
  return RunResult{RunJson(options, calls, *loaded.model, session->classes())};
}

}  // namespace anemone::facade
