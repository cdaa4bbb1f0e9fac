#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "facade/tensor_files.h"
#include "exec/session_inputs.h"
#include "facade/arrays.h"
#include "lab/verify.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

struct CompareFlags {
  std::string reference;
  std::string variant;
  std::vector<std::string> inputs;
  std::string backend = "auto";
  std::string numerics = "as_typed";
  lab::VerifyOptions options;
  bool per_operator = false;
  double tolerance_linf = 1e-2;
  double tolerance_rmse = 1e-3;
  double min_psnr = 0;
};

Status RunCompare(CompareFlags flags, const Globals& globals) {
  flags.options.threads = globals.threads;
  ANEMONE_ASSIGN(flags.options.variant_numerics, facade::ParseNumerics(flags.numerics));
  ANEMONE_ASSIGN(const auto reference, Load(flags.reference));
  ANEMONE_ASSIGN(const auto variant, Load(flags.variant));
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(flags.backend));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*reference.model, ""));
  std::vector<lab::Inputs> inputs;
  if (!flags.inputs.empty()) {
    ANEMONE_ASSIGN(auto set, facade::ReadInputs(*reference.model, *function, flags.inputs));
    inputs.push_back(std::move(set));
  } else {
    for (int sample = 0; sample < flags.options.samples; ++sample) {
      ANEMONE_ASSIGN(auto set, exec::SyntheticInputs(*function, flags.options.seed, sample));
      inputs.push_back(std::move(set));
    }
  }
  const lab::ParityLimits limits{flags.tolerance_linf, flags.tolerance_rmse};
  ANEMONE_ASSIGN(auto outputs, lab::VerifyOn(*backend, reference.model, variant.model, limits,
                                             flags.options, inputs));
  bool passed = true;
  for (auto& output : outputs) {
    if (flags.min_psnr > 0 && !(output.parity.psnr_db >= flags.min_psnr))
      output.judged.passed = false;
    passed &= output.judged.passed;
  }
  std::vector<lab::OperatorDrift> drifts;
  if (flags.per_operator || !passed) {
    ANEMONE_ASSIGN(drifts, lab::CompareOperators(*backend, reference.model, variant.model,
                                                 inputs[0], flags.options));
  }
  const std::string first_drift = lab::FirstDrift(drifts, limits);
  if (globals.json) {
    Json document = Document("anemone.compare");
    document["reference"] = flags.reference;
    document["variant"] = flags.variant;
    document["inputs"] = flags.inputs.empty() ? lab::DescribeInputs(flags.options) : "given files";
    document["limit_l_inf"] = limits.linf;
    document["limit_rmse"] = limits.rmse;
    Json list = Json::array();
    for (const auto& output : outputs) {
      Json row = Json::parse(lab::ToJson(output.parity));
      row["output"] = output.output;
      row["judged"] = output.judged.relative ? "relative" : "absolute";
      row["passed"] = output.judged.passed;
      list.push_back(std::move(row));
    }
    document["outputs"] = std::move(list);
    if (flags.per_operator) {
      Json rows = Json::array();
      for (const auto& drift : drifts) {
        Json row = Json::parse(lab::ToJson(drift.parity));
        row["name"] = drift.name;
        row["type"] = drift.type;
        rows.push_back(std::move(row));
      }
      document["operators"] = std::move(rows);
    }
    document["first_drift"] = first_drift.empty() ? Json(nullptr) : Json(first_drift);
    document["passed"] = passed;
    Print(document);
  } else {
    if (flags.per_operator) {
      for (const auto& drift : drifts) {
        std::cout << fmt::format(
            "{:40} {:20} L-inf {:10.3g} of range, RMSE {:10.3g}, PSNR {:6.1f} dB\n", drift.name,
            drift.type, drift.parity.linf_relative, drift.parity.rmse_relative,
            drift.parity.psnr_db);
      }
    }
    for (const auto& output : outputs) {
      std::cout << fmt::format(
          "{}: L-inf {:.3g} ({:.3g} of range), RMSE {:.3g} ({:.3g} of range), PSNR {:.1f} dB, "
          "top-1 agreement {:.4f}, "
          "judged {} against {:g} / {:g}: {}\n",
          output.output, output.parity.linf, output.parity.linf_relative, output.parity.rmse,
          output.parity.rmse_relative, output.parity.psnr_db, output.parity.top1_agreement(),
          output.judged.relative ? "relative to range" : "absolutely", limits.linf, limits.rmse,
          output.judged.passed ? "PASSED" : "FAILED");
    }
  }
  if (passed) return {};
  const std::string reason =
      first_drift.empty() ? "no operator alone exceeds the limit" : "first drift: " + first_drift;
  return Mismatch("the outputs differ by more than the tolerance; {}", reason)
      .Advise(
          "--per-op lists every operator; --tolerance-linf and --tolerance-rmse set the limits");
}

}  // namespace

void AddCompare(Command app, Context& context) {
  Command command =
      app.AddCommand("compare", "compare two models' outputs, whole or operator by operator");
  auto flags = std::make_shared<CompareFlags>();
  command.AddOption("A", flags->reference, "the reference MODEL").Required();
  command.AddOption("B", flags->variant, "the MODEL to judge").Required();
  command.AddOption("--inputs", flags->inputs,
                    "NAME=FILE.npy, .png or .jpg; seeded normal inputs when absent");
  command.AddOption("--seed", flags->options.seed, "seed of the inputs").ShowDefault();
  command.AddOption("--samples", flags->options.samples, "how many seeded inputs")
      .ShowDefault()
      .Range(1, 100000);
  command.AddFlag("--per-op", flags->per_operator, "list every operator's drift");
  command.AddOption("--tolerance-linf", flags->tolerance_linf, "largest difference allowed")
      .ShowDefault();
  command
      .AddOption("--tolerance-rmse", flags->tolerance_rmse, "root-mean-square difference allowed")
      .ShowDefault();
  command.AddOption("--min-psnr", flags->min_psnr, "smallest PSNR allowed, in dB");
  command.AddOption("--backend", flags->backend, "auto, cpu, coreml or reference").ShowDefault();
  command.AddOption("--numerics", flags->numerics, "of the variant: as_typed, float32 or float16")
      .ShowDefault();
  command.Footer("Example: anemone compare model.onnx model.mlpackage --per-op");
  OnRun(command, context, [flags, &context] { return RunCompare(*flags, context.globals); });
}

}  // namespace anemone::cli
