#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/inspect_placement.h"
#include "facade/predictor_source.h"
#include "ir/text.h"

namespace anemone::cli {
namespace {

struct InspectFlags {
  ModelFlags model;
  std::string function;
  bool operators = false;
  bool weights = false;
  bool text = false;
  bool placement = false;
  std::string chips = "m1,m2,m3,m4";
  std::string compute_units = "all";
};

void PrintSummary(const ir::Model& model, const facade::Summary& summary,
                  const InspectFlags& flags) {
  std::ostream& out = std::cout;
  out << fmt::format("specification version {} ({}), function {}\n", summary.spec_version,
                     summary.target, summary.function);
  if (summary.functions.size() > 1) {
    out << "functions:";
    for (const std::string& name : summary.functions) out << " " << name;
    out << "\n";
  }
  if (const auto* description = model.FindFunction(summary.function)) {
    for (const auto& feature : description->inputs)
      out << "input   " << facade::DescribeFeature(feature) << "\n";
    for (const auto& feature : description->states)
      out << "state   " << facade::DescribeFeature(feature) << "\n";
    for (const auto& feature : description->outputs)
      out << "output  " << facade::DescribeFeature(feature) << "\n";
  }
  out << fmt::format("{} operators, {:.3f} GFLOP, {} parameters, weights {}\n", summary.operations,
                     static_cast<double>(summary.flops) * 1e-9, summary.parameters,
                     SizeText(summary.weight_bytes));
  for (const auto& [dtype, bytes] : summary.weight_bytes_by_dtype) {
    out << fmt::format("  {:8} {}\n", dtype, SizeText(bytes));
  }
  for (const auto& [type, count] : summary.operator_counts)
    out << fmt::format("  {:5} x {}\n", count, type);
  for (const auto& [key, value] : model.metadata.user_defined)
    out << fmt::format("metadata {} = {}\n", key, value);
  if (flags.operators) {
    for (const auto& row : summary.operators) {
      const std::string flops = row.flops < 0 ? "?" : std::to_string(row.flops);
      out << fmt::format("{:32} {:24} {:32} {:>14} flop {:>12} B weights\n", row.name, row.type,
                         row.output, flops, row.weight_bytes);
    }
  }
  if (flags.weights) {
    for (const auto& row : summary.weights)
      out << fmt::format("{:40} {:36} {}\n", row.name, row.type, SizeText(row.bytes));
  }
}

Result<facade::PlacementReport> Placement(const ir::Model& model, const InspectFlags& flags) {
  facade::PlacementOptions options;
  options.function = flags.function;
  ANEMONE_ASSIGN(options.chips, placement::ParseChips(flags.chips));
  ANEMONE_ASSIGN(options.units, ComputeUnitsFromName(flags.compute_units));
  return facade::AnalyzePlacement(model, options);
}

// Parameters of any depth, one line each: "trees: 40", "stages: 2" and below it each stage.
void PrintParameters(const anemone::Json& json, const std::string& indent) {
  constexpr size_t kShown = 8;  // elements of a list
  for (const JsonMember& member : json.items()) {
    const anemone::Json& value = member.value;
    const bool nested = value.is_array() && value.size() != 0 && value[0].is_object();
    if (value.is_object()) {
      if (value.size() != 0) std::cout << indent << member.key << ":\n";
      PrintParameters(value, indent + "  ");
    } else if (nested) {
      std::cout << fmt::format("{}{}: {}\n", indent, member.key, value.size());
      for (const anemone::Json& element : value) {
        std::cout << indent << "-\n";
        PrintParameters(element, indent + "  ");
      }
    } else if (value.is_array() && value.size() > kShown) {
      std::cout << fmt::format("{}{}: {} values, the first {} and the last {}\n", indent,
                               member.key, value.size(), value.front().Dump(), value.back().Dump());
    } else {
      std::cout << fmt::format("{}{}: {}\n", indent, member.key,
                               value.is_text() ? value.text() : value.Dump());
    }
  }
}

// A model that is not a program.
Status InspectFeatureModel(const format::ModelFile& file, const InspectFlags& flags,
                           const Globals& globals) {
  if (flags.text || flags.placement || flags.operators || flags.weights) {
    return Usage(
               "a {} has no operators, so that --text, --placement, --ops and --weights say "
               "nothing",
               file.type_name())
        .At(flags.model.source.model);
  }
  ANEMONE_ASSIGN(const auto loaded, facade::DescribePredictor(file));
  if (globals.json) {
    Print(facade::InspectPredictor(*loaded.predictor, loaded.type, flags.model.source.model,
                                   loaded.spec_version)
              .Dump({.indent = 2}));
    return {};
  }
  std::ostream& out = std::cout;
  out << fmt::format("specification version {}, {}\n", loaded.spec_version, loaded.type);
  for (const auto& feature : loaded.predictor->description().inputs)
    out << "input   " << facade::DescribeFeature(feature) << (feature.optional ? " (optional)" : "")
        << "\n";
  for (const auto& feature : loaded.predictor->description().outputs)
    out << "output  " << facade::DescribeFeature(feature) << "\n";
  PrintParameters(loaded.predictor->Parameters(), "");
  for (const auto& [key, value] : loaded.predictor->interface().metadata.user_defined)
    out << fmt::format("metadata {} = {}\n", key, value);
  return {};
}

Status RunInspect(const InspectFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const auto file, facade::FindFeatureModel(flags.model.source.model));
  if (file != nullptr) return InspectFeatureModel(*file, flags, globals);
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  if (flags.text) {
    ir::PrintOptions options;
    options.value_elements = 64;
    std::cout << ir::PrintText(loaded.model->program, options);
    return {};
  }
  ANEMONE_ASSIGN(const auto summary,
                 facade::Inspect(*loaded.model, flags.function).At(flags.model.source.model));
  std::optional<facade::PlacementReport> placed;
  if (flags.placement) {
    ANEMONE_ASSIGN(placed, Placement(*loaded.model, flags));
  }
  if (globals.json) {
    Json document = Json::parse(facade::InspectJson(
        *loaded.model, summary, flags.model.source.model, flags.operators, flags.weights));
    if (placed) document["placement"] = Json::parse(facade::PlacementJson(*placed));
    Print(document);
  } else if (placed) {
    std::cout << facade::PlacementText(*placed, flags.operators);
  } else {
    PrintSummary(*loaded.model, summary, flags);
  }
  return {};
}

}  // namespace

void AddInspect(Command app, Context& context) {
  Command command =
      app.AddCommand("inspect", "show inputs, outputs, operators, weights and arithmetic");
  auto flags = std::make_shared<InspectFlags>();
  AddModelFlags(command, flags->model, false, "--weights-from");
  command.AddOption("--function", flags->function, "which function of a multi-function model");
  command.AddFlag("--ops", flags->operators, "list every operator");
  command.AddFlag("--weights", flags->weights, "list every weight tensor");
  command.AddFlag("--text", flags->text, "print the MIL text");
  command.AddFlag("--placement", flags->placement,
                  "where each operator would run, and why (an estimate, without a Mac)");
  command.AddOption("--chip", flags->chips, "chips to place for: m1 to m5, a14 to a18pro, ...")
      .ShowDefault();
  command
      .AddOption("--compute-units", flags->compute_units,
                 "all, cpu_and_ne, cpu_and_gpu or cpu_only")
      .ShowDefault();
  command.Footer(
      "Example: anemone inspect model.mlpackage --ops\n"
      "         anemone inspect model.mlpackage --placement --chip m1,m4,a17pro");
  OnRun(command, context, [flags, &context] { return RunInspect(*flags, context.globals); });
}

}  // namespace anemone::cli
