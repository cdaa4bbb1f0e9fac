#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "cli/session_flags.h"
#include "exec/session_inputs.h"
#include "facade/feature_files.h"
#include "facade/predictor_source.h"
#include "facade/tensor_files.h"
#include "lab/verify.h"

namespace anemone::cli {
namespace {

struct RunFlags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::string output_directory;
  int64_t iterations = 1;
  bool random_inputs = false;
  uint64_t input_seed = 0;
  SessionOptions session;
};

Json ReportJson(const runtime::CallReport& report, int64_t calls, int64_t fallbacks) {
  Json json;
  json["backend"] = report.backend;
  json["compute_units"] = report.external ? Json(ComputeUnitsName(report.compute_units)) : Json();
  json["experimental"] = report.experimental;
  json["planned_unit"] = ComputeUnitName(report.planned);
  json["observed_unit"] = ComputeUnitName(report.observed);
  json["attempts"] = report.attempts;
  json["fallback_reason"] = runtime::FallbackReasonName(report.fallback_reason);
  json["fallback_unix_ns"] = report.fallback_unix_ns != 0 ? Json(report.fallback_unix_ns) : Json();
  json["circuit_state"] = runtime::CircuitStateName(report.circuit_state);
  json["calls"] = calls;
  json["calls_with_fallback"] = fallbacks;
  return json;
}

// `classes` are the model's, if it is a classifier.
Json OutputJson(const std::string& name, const exec::Tensor& tensor,
                const std::optional<exec::Classes>& classes) {
  Json json{{"name", name}, {"dtype", DTypeName(tensor.dtype())}, {"shape", tensor.shape()}};
  const int64_t count = tensor.count();
  Json values = Json::array();
  for (int64_t i = 0; i < std::min<int64_t>(count, 16); ++i) {
    if (tensor.dtype() == DType::kFp32) {
      values.push_back(tensor.As<float>()[i]);
    } else {
      values.push_back(ir::IntElement(Bytes(tensor.As<uint8_t>(), tensor.size_bytes(), nullptr),
                                      tensor.dtype(), i));
    }
  }
  json["first_values"] = std::move(values);
  if (tensor.dtype() == DType::kFp32 && count > 0) {
    json["argmax"] =
        std::max_element(tensor.As<float>(), tensor.As<float>() + count) - tensor.As<float>();
  }
  if (classes && name == classes->label) {
    json["label"] = classes->names[static_cast<size_t>(*tensor.As<int32_t>())];
  } else if (classes && name == classes->probabilities) {
    json["label"] = classes->names[json["argmax"].get<size_t>()];
  }
  return json;
}

// A model that is not a program, on values of any kind.
Status RunFeatureModel(const RunFlags& flags, const Globals& globals) {
  if (flags.random_inputs) {
    return Usage("--random-inputs are for programs").Advise("give --input NAME=VALUE");
  }
  const auto load_start = std::chrono::steady_clock::now();
  ANEMONE_ASSIGN(const auto loaded, facade::LoadPredictor(flags.model.source, flags.session));
  ANEMONE_ASSIGN(const auto inputs,
                 facade::ReadFeatures(loaded.predictor->description(), flags.inputs));
  const auto start = std::chrono::steady_clock::now();
  feature_models::FeatureValues outputs;
  const int64_t calls = std::max<int64_t>(1, flags.iterations);
  for (int64_t i = 0; i < calls; ++i) {
    ANEMONE_ASSIGN(outputs, loaded.predictor->Predict(inputs).At(flags.model.source.model));
  }
  const auto end = std::chrono::steady_clock::now();
  if (!flags.output_directory.empty()) {
    ANEMONE_TRY(facade::WriteFeatures(outputs, flags.output_directory));
  }
  anemone::Json list = anemone::Json::Array();
  for (const auto& [name, value] : outputs) list.push_back(facade::FeatureValueJson(name, value));
  if (globals.json) {
    const anemone::Json document{{"schema", "anemone.run"},
                                 {"schema_version", 1},
                                 {"model", flags.model.source.model},
                                 {"type", loaded.type},
                                 {"load_ns", std::chrono::nanoseconds(start - load_start).count()},
                                 {"run_ns", std::chrono::nanoseconds(end - start).count()},
                                 {"iterations", calls},
                                 {"outputs", std::move(list)}};
    Print(document.Dump({.indent = 2}));
    return {};
  }
  for (const anemone::Json& output : list) {
    const bool array = output.contains("shape");
    std::cout << fmt::format("{} {} {}\n", output["name"].text(),
                             array ? output["shape"].Dump() : output["kind"].text(),
                             array ? output["first_values"].Dump() : output["value"].Dump());
  }
  return {};
}

Status RunRun(const RunFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const auto file, facade::FindFeatureModel(flags.model.source.model));
  if (file != nullptr) return RunFeatureModel(flags, globals);
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, flags.session.function));
  std::map<std::string, exec::Tensor> inputs;
  if (flags.random_inputs) {
    ANEMONE_ASSIGN(inputs, exec::SyntheticInputs(*function, flags.input_seed, 0));
  } else {
    ANEMONE_ASSIGN(inputs, facade::ReadInputs(*loaded.model, *function, flags.inputs));
  }
  const auto load_start = std::chrono::steady_clock::now();
  ANEMONE_ASSIGN(const auto session,
                 OpenSession(loaded, flags.model.source.model, flags.session, globals)
                     .At(flags.model.source.model));
  const int64_t load_ns =
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - load_start).count();
  std::map<std::string, exec::Tensor> outputs;
  exec::State state;
  runtime::CallReport report;
  int64_t fallbacks = 0;
  const int64_t calls = std::max<int64_t>(1, flags.iterations);
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < calls; ++i) {
    ANEMONE_ASSIGN(outputs, session->Predict(inputs, &state, &report).At(flags.model.source.model));
    fallbacks += report.fallback_reason != runtime::FallbackReason::kNone ? 1 : 0;
  }
  const int64_t run_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
  if (!flags.output_directory.empty())
    ANEMONE_TRY(facade::WriteOutputs(outputs, flags.output_directory));
  Json document = Document("anemone.run");
  document["model"] = flags.model.source.model;
  document["backend"] = report.backend;
  document["numerics"] = flags.session.numerics;
  document["load_ns"] = load_ns;
  document["run_ns"] = run_ns;
  document["iterations"] = calls;
  document["report"] = ReportJson(report, calls, fallbacks);
  Json list = Json::array();
  for (const auto& [name, tensor] : outputs) {
    list.push_back(OutputJson(name, tensor, session->classes()));
  }
  document["outputs"] = std::move(list);
  if (globals.json) {
    Print(document);
    return {};
  }
  for (const auto& output : document["outputs"]) {
    std::string line = fmt::format("{} {} {}", output["name"].get<std::string>(),
                                   output["dtype"].get<std::string>(), output["shape"].dump());
    line += " " + output["first_values"].dump();
    if (output.contains("argmax"))
      line += fmt::format(" argmax {}", output["argmax"].get<int64_t>());
    if (output.contains("label")) line += fmt::format(" '{}'", output["label"].get<std::string>());
    std::cout << line << "\n";
  }
  Say(globals, fmt::format("{} backend: load {:.1f} ms, run {:.2f} ms", report.backend,
                           static_cast<double>(load_ns) * 1e-6,
                           static_cast<double>(run_ns) * 1e-6 / static_cast<double>(calls)));
  if (report.experimental) {
    Say(globals, fmt::format("experimental: no gate has passed this model on {} and this build of "
                             "the system (anemone gate --certificates)",
                             report.backend));
  }
  if (fallbacks > 0) {
    Say(globals,
        fmt::format("{} of {} calls were answered by another backend than the preferred "
                    "one, the last for the reason {}",
                    fallbacks, calls, runtime::FallbackReasonName(report.fallback_reason)));
  }
  return {};
}

}  // namespace

void AddRun(Command app, Context& context) {
  Command command = app.AddCommand("run", "run one or more inferences");
  auto flags = std::make_shared<RunFlags>();
  command
      .AddOption("MODEL", flags->model.source.model,
                 "an .onnx, .mlpackage, .mlmodel, .mlmodelc or catalog name")
      .Required();
  // --input is for files here.
  AddOptions(
      command,
      Pick(options::TableOf(flags->model.source.options), {"weights", "seed", "input_shapes"}),
      {{"input_shapes", "--input-shape"}});
  command.AddOption(
      "--input", flags->inputs,
      "NAME=FILE.npy, .png or .jpg; NAME may be left out for one input. Models that are "
      "not programs also take NAME=VALUE: a number, a text, a dictionary or list as "
      "JSON or FILE.json; and one FILE.json with all inputs");
  command.AddFlag("--random-inputs", flags->random_inputs,
                  "seeded standard-normal inputs instead of files");
  command.AddOption("--input-seed", flags->input_seed, "seed of --random-inputs");
  command.AddOption("--output-dir", flags->output_directory,
                    "write every output there as NAME.npy");
  command.AddOption("--iterations", flags->iterations, "how often to run").ShowDefault();
  AddSessionFlags(command, flags->session);
  command.Footer("Example: anemone run model.mlpackage --input image=cat.jpg --output-dir out");
  OnRun(command, context, [flags, &context] { return RunRun(*flags, context.globals); });
}

}  // namespace anemone::cli
