// anemone lab: a sweep of compressed variants, a search among them, a report.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct LabFlags {
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

Status RunLab(const LabFlags& flags, Context& context) {
  const Globals& globals = context.globals;
  LabOptions options = flags.options;
  options.threads = globals.threads;
  if (flags.worker) return facade::RunLabWorker(options, std::cin, std::cout);
  ANEMONE_ASSIGN(const LabResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunLab(options, hooks);
                 }));
  SayResults(options, result, globals);
  if (globals.json) Print(result.json);
  if (options.max_drop && result.chosen.empty()) {
    EndWith(context, Mismatch("no variant loses at most {} %", *options.max_drop)
                         .Advise("allow more with --max-drop"));
  }
  return {};
}

}  // namespace

void AddLab(Command app, Context& context) {
  Command command = app.AddCommand(
      "lab", "sweep compressed variants, search for the smallest within a loss, report");
  auto flags = std::make_shared<LabFlags>();
  AddOptions(command, options::TableOf(flags->options));
  // For workers; no part of the interface.
  command.AddFlag("--worker", flags->worker, "").Hide();
  command.Footer(
      "Example: anemone lab model.onnx -o lab --max-drop 0.5 --images photos --labels "
      "photos/labels.csv");
  OnRun(command, context, [flags, &context] { return RunLab(*flags, context); });
}

}  // namespace anemone::cli
