// anemone lab: a sweep of compressed variants, a search among them, a report.
#include <iostream>

#include "cli/command.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct LabFlags {
  ModelFlags model;
  PreprocessFlags preprocess;
  LabOptions options;
  bool worker = false;
};

void SayResults(const LabOptions& options, const LabResult& result, const Globals& globals) {
  for (const LabVariant& variant : result.variants) {
    if (!variant.error.empty()) {
      Say(globals, fmt::format("{:32} {}", variant.name, variant.error));
      continue;
    }
    std::string line = fmt::format("{:32} {:>9.2f} MB  loss {:<10.4g}", variant.name,
                                   static_cast<double>(variant.package_bytes) * 1e-6, variant.loss);
    if (variant.top1) line += fmt::format("  top-1 {}/{}", *variant.top1, variant.samples);
    if (variant.agreement)
      line += fmt::format("  agrees {}/{}", *variant.agreement, variant.samples);
    Say(globals, line + (variant.name == result.chosen ? "  <- chosen" : ""));
  }
  Say(globals, fmt::format("{}/lab.html: {} variants, {} of {} jobs found finished", options.output,
                           result.variants.size(), result.jobs_found, result.jobs));
  if (result.chosen.empty()) return;
  Say(globals,
      fmt::format("to make it: anemone compress {} -o OUT.mlpackage --config {}/chosen.json{}",
                  result.base, options.output,
                  result.chosen_needs_data
                      ? fmt::format(" --calibration {}/calibration.txt", options.output)
                      : std::string()));
}

Status RunLab(const LabFlags& flags, const Globals& globals) {
  LabOptions options = flags.options;
  ANEMONE_ASSIGN(static_cast<ModelOptions&>(options), ToOptions(flags.model));
  ANEMONE_ASSIGN(options.preprocess, ToOptions(flags.preprocess));
  options.threads = globals.threads;
  if (flags.worker) return facade::RunLabWorker(options, std::cin, std::cout);
  ANEMONE_ASSIGN(const LabResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunLab(options, hooks);
                 }));
  SayResults(options, result, globals);
  if (globals.json) Print(result.json);
  if (options.max_drop >= 0 && result.chosen.empty()) {
    return Mismatch("no variant loses at most {} %", options.max_drop)
        .Advise("allow more with --max-drop");
  }
  return {};
}

}  // namespace

void AddLab(Command app, Context& context) {
  Command command = app.AddCommand(
      "lab", "sweep compressed variants, search for the smallest within a loss, report");
  auto flags = std::make_shared<LabFlags>();
  LabOptions& options = flags->options;
  AddModelFlags(command, flags->model, false);
  command
      .AddOption("-o,--output", options.output,
                 "folder for lab.html, lab.json, lab.sqlite and chosen.json")
      .Required();
  command.AddOption("--config", options.config,
                    R"(a file {"variants": [{"name": ..., "configuration": ...}]}; the uniform )"
                    "forms of the target when absent");
  command
      .AddOption("--max-drop", options.max_drop,
                 "search the smallest mix that loses at most so many percent: of top-1 with "
                 "labels, else of agreement with the reference")
      .Range(0.0, 100.0);
  command.AddOption("--minimum-deployment-target", options.minimum_deployment_target,
                    "iOS15 to iOS18, or macOS12 to macOS15; a package keeps its own by default");
  command.AddOption("--compute-precision", options.compute_precision,
                    "of the base that is compressed: float16 (the default but for packages) or "
                    "float32");
  command.AddOption("--keep-float32", options.keep_float32,
                    "operators to keep in float32: regular expressions over names, or types");
  command.AddOption("--images", options.images,
                    "folder of photographs or of .npy files; seeded inputs when absent");
  command.AddOption("--labels", options.labels, "CSV with the columns file and class_index");
  command.AddOption("--calibration", options.calibration,
                    "folder (or .txt list) of other photographs or .npy files to learn from "
                    "(weighted palettes, gptq, adaround, bias correction, activations)");
  command
      .AddOption("--hold-out", options.hold_out,
                 "without --calibration: the share of the samples to learn from, which are then "
                 "not judged by; by default 0.25 with --max-drop and --images")
      .Range(-1.0, 0.5);
  command.AddOption("--limit", options.limit, "use only the first N files").NotNegative();
  AddPreprocessFlags(command, flags->preprocess);
  command.AddOption("--samples", options.samples, "how many seeded inputs")
      .ShowDefault()
      .Range(1, 100000);
  command.AddOption("--input-seed", options.input_seed, "seed of those inputs").ShowDefault();
  command
      .AddOption("--sensitivity-samples", options.sensitivity_samples,
                 "samples that sensitivities are measured on, spread over all")
      .ShowDefault()
      .Range(1, 100000);
  command
      .AddOption("--refinements", options.refinements,
                 "evaluations that the search may spend on single steps")
      .ShowDefault()
      .Range(0, 1000);
  command.AddOption("--jobs", options.jobs, "variants to work on at once")
      .ShowDefault()
      .Range(1, 1024);
  command.AddFlag("--resume", options.resume, "go on with the lab in the folder");
  command.AddOption(
      "--ray", options.ray,
      "run the sweep on a Ray cluster: its address; auto (the one that runs here, else one "
      "of this machine alone); or local");
  command.AddOption("--backend", options.backend, "auto, cpu, coreml or reference").ShowDefault();
  command.AddFlag("--no-fidelity", options.no_fidelity, "skip the diagnosis of half precision");
  // For workers; no part of the interface.
  command.AddFlag("--worker", flags->worker, "").Hide();
  command.Footer(
      "Example: anemone lab model.onnx -o lab --max-drop 0.5 --images photos --labels "
      "photos/labels.csv");
  OnRun(command, context, [flags, &context] { return RunLab(*flags, context.globals); });
}

}  // namespace anemone::cli
