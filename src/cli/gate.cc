// anemone gate: pass or fail against a policy.
#include <iostream>

#include "cli/command.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunGate(GateOptions options, Context& context) {
  options.threads = context.globals.threads;
  ANEMONE_ASSIGN(const GateResult result, WithProgress(context.globals, [&](const Hooks& hooks) {
                   return facade::RunGate(options, hooks);
                 }));
  std::cout << (context.globals.json ? result.json : result.text);
  context.exit_code = result.exit_code;
  return {};
}

}  // namespace

void AddGate(Command app, Context& context) {
  Command command = app.AddCommand("gate", "pass or fail against a policy");
  auto options = std::make_shared<GateOptions>();
  command.AddOption("MODEL", options->models,
                    "packages, a folder of them, .onnx files or catalog names");
  command.AddOption("--policy", options->policy,
                    "a policy file (gates/*.json); Gate C when left out");
  command.AddOption("--record", options->record, "judge these run records instead of running");
  command
      .AddOption("--require", options->require, "ane, gpu or none: the unit that must be planned")
      .OneOf({"ane", "gpu", "none"});
  command.AddOption("-o,--output", options->output,
                    "write gate.json, gate.md, gate.junit.xml, records and logs there");
  command.AddOption("--junit", options->junit, "write JUnit XML");
  command.AddOption("--markdown", options->markdown, "write Markdown, for a pull request");
  command.AddOption(
      "--certificates", options->certificates,
      "write a certificate there for each model that passes; without it, into the folder "
      "that sessions of this machine look in, when the subject is not the CPU");
  command.AddOption("--reference", options->reference, "the original MODEL to compare with");
  command.AddOption("--images", options->images,
                    "compare on the pictures, .npy or .npz files of this folder too");
  command.AddOption("--inputs", options->inputs, "compare on NAME=FILE.npy or FILE.npz too");
  command.AddOption("--limit", options->limit, "files of that folder at most, evenly spread")
      .ShowDefault();
  command.AddOption("--weights", options->weights,
                    "catalog models: a .safetensors file, or 'seeded'");
  command.AddOption("--seed", options->seed, "seed of seeded weights");
  command
      .AddOption("--minimum-deployment-target", options->minimum_deployment_target,
                 "of what is converted here: iOS15 to iOS18, macOS12 to macOS15")
      .ShowDefault();
  command.Footer(
      "Exit codes: 0 PASS, 1 FAIL, 4 NOT MEASURED, 5 a backend crashed, 6 timeout, 7 unit not "
      "obtained, 8 INCONCLUSIVE.\n"
      "Example: anemone gate models/resnet50_fp16.mlpackage --policy gates/gate-c.json -o report");
  OnRun(command, context, [options, &context] { return RunGate(*options, context); });
}

}  // namespace anemone::cli
