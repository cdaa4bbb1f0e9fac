// anemone demo: the main job on embedded defaults.
#include <filesystem>
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct DemoFlags {
  DemoOptions options;
  bool strict = false;
};

// Every line fits 100 columns, but for longer names of outputs and operators.
void PrintVariant(const DemoResult::Variant& variant) {
  bool first = true;
  for (const OutputComparison& output : variant.outputs) {
    std::cout << fmt::format(
        "  {:16} {:>9}  {:13} {:>8.1e} {:>6g} {:>9.1e} {:>6g} {:>5.1f} {:>6.0f} %  {}\n",
        first ? variant.form : "",
        first ? fmt::format("{:.1f} MB", static_cast<double>(variant.package_size_bytes) * 1e-6)
              : "",
        output.output, output.relative ? output.linf_relative : output.linf, variant.limit_linf,
        output.relative ? output.rmse_relative : output.rmse, variant.limit_rmse, output.psnr_db,
        100 * output.top1_agreement, output.passed ? "within" : "MISSED");
    first = false;
  }
  if (!variant.kept_wide.empty()) {
    const size_t more = variant.kept_wide.size() - 1;
    std::cout << fmt::format("  {:16} in half precision: {}{}\n", "", variant.kept_wide[0],
                             more > 0 ? fmt::format(" and {} more", more) : "");
  }
  if (!variant.first_drift.empty())
    std::cout << fmt::format("  {:16} first drift: {}\n", "", variant.first_drift);
}

void PrintTable(const DemoResult& result, const DemoOptions& options) {
  std::cout << fmt::format("{:18} {:>9}  {:13} {:>8} {:>6} {:>9} {:>6} {:>5} {:>8}  {}\n",
                           "variant", "size", "output", "L-inf", "limit", "RMSE", "limit", "PSNR",
                           "top-1", "verdict");
  std::string model;
  for (const DemoResult::Variant& variant : result.variants) {
    if (variant.model != model) std::cout << variant.model << "\n";
    model = variant.model;
    PrintVariant(variant);
  }
  std::cout << fmt::format(
      "\nDifferences from the fp32 original on {} seeded inputs: of probabilities absolute, of "
      "other\n"
      "outputs as a part of their range; top-1: the same first class. Weights: {}.\n"
      "int8: a scale for each channel, rounded by how other inputs drive each weight, biases\n"
      "corrected; \"int8 per tensor\" is the plainest form, for comparison, and not to be "
      "shipped.\n",
      options.samples,
      options.weights == "seeded" ? fmt::format("seeded (seed {})", options.seed)
                                  : options.weights);
}

// A word for a shell.
std::string ShellWord(const std::string& word) {
  const bool plain =
      word.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%,") ==
      std::string::npos;
  if (plain && !word.empty()) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// What a newcomer would type next, with what is there now.
void SayNext(const Globals& globals, const DemoResult& result, const DemoOptions& options) {
  const DemoResult::Variant* small = nullptr;
  const DemoResult::Variant* original = nullptr;
  const DemoResult::Variant* half = nullptr;
  for (const DemoResult::Variant& variant : result.variants) {
    if (variant.shipped && variant.precision == "int8" &&
        (small == nullptr || variant.package_size_bytes < small->package_size_bytes))
      small = &variant;
  }
  if (small == nullptr) return;
  for (const DemoResult::Variant& variant : result.variants) {
    if (variant.model == small->model && variant.form == "fp32") original = &variant;
    if (variant.model == small->model && variant.form == "fp16") half = &variant;
  }
  const std::string command = ShellWord(globals.invoked_as);
  const std::string package = ShellWord(small->package);
  const std::string page =
      ShellWord((std::filesystem::path(options.models_dir) / (small->model + ".html")).string());
  if (original == nullptr || half == nullptr) return;
  Say(globals, "next:");
  Say(globals, fmt::format("  {} view {} -o {}", command, ShellWord(half->package), page));
  Say(globals, fmt::format("  {} inspect {} --placement --chip m4", command, package));
  Say(globals,
      fmt::format("  {} bench {} --against {}", command, package, ShellWord(original->package)));
}

Status RunDemo(const DemoFlags& flags, Context& context) {
  const Globals& globals = context.globals;
  DemoOptions options = flags.options;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const DemoResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunDemo(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintTable(result, options);
    std::cout << std::flush;
  }
  const size_t count = result.variants.size();
  Say(globals, fmt::format("{} packages with manifests in {}; {}", count, options.models_dir,
                           result.missed == 0
                               ? std::string("every shipped variant is within its limits")
                               : fmt::format("{} shipped variants miss a limit", result.missed)));
  Say(globals, fmt::format("the table for a browser: {}", result.page));
  SayNext(globals, result, options);
  if (flags.strict && result.missed > 0)
    EndWith(context, Mismatch("{} of {} variants miss a limit", result.missed, count));
  return {};
}

}  // namespace

void AddDemo(Command app, Context& context) {
  Command command = app.AddCommand(
      "demo", "the whole job on the catalog models, offline: build, convert, compress, verify");
  auto flags = std::make_shared<DemoFlags>();
  AddOptions(command, options::TableOf(flags->options));
  command.AddFlag("--strict", flags->strict,
                  "end with exit code 1 when a shipped variant misses a limit");
  command.Footer("Example: anemone demo --models-dir models");
  OnRun(command, context, [flags, &context] { return RunDemo(*flags, context); });
}

}  // namespace anemone::cli
