// anemone compress: a compressed variant of a model, with its manifest.
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunCompress(CompressFileOptions options, const Globals& globals) {
  options.compress.threads = globals.threads;
  ANEMONE_ASSIGN(const CompressFileResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunCompressFile(options, hooks);
                 }));
  if (globals.json) Print(result.json);
  if (!result.raised_from.empty()) {
    Say(globals, fmt::format("the deployment target was raised from {} to {}, the lowest that can "
                             "hold this form",
                             result.raised_from, result.deployment_target));
  }
  for (const std::string& warning : result.warnings) Say(globals, "warning: " + warning);
  if (globals.verbose > 0) {
    for (const auto& skipped : result.skipped)
      Say(globals, fmt::format("skipped {}: {}", skipped.tensor, skipped.reason));
  }
  Say(globals, fmt::format("{}: ok, {} of {} tensors compressed, weights {} -> {}, package {}",
                           options.output, result.compressed,
                           result.compressed + static_cast<int64_t>(result.skipped.size()),
                           facade::SizeText(result.weight_bytes_before),
                           facade::SizeText(result.weight_bytes_after),
                           facade::SizeText(result.size_bytes)));
  return {};
}

}  // namespace

void AddCompress(Command app, Context& context) {
  Command command = app.AddCommand("compress", "make a compressed variant");
  auto options = std::make_shared<CompressFileOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Example: anemone compress model.mlpackage -o model_4bit.mlpackage --mode palettize "
      "--nbits 4");
  OnRun(command, context, [options, &context] { return RunCompress(*options, context.globals); });
}

}  // namespace anemone::cli
