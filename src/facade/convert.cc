#include "facade/convert.h"

#include <algorithm>
#include <array>
#include <utility>

#include "facade/class_labels.h"
#include "facade/image_inputs.h"
#include "ir/verifier.h"
#include "lab/subgraph.h"
#include "options/option.h"
#include "passes/pipeline.h"
#include "passes/raise_opset.h"

namespace anemone::facade {
namespace {

struct Target {
  std::string_view ios;
  std::string_view macos;
  ir::Opset opset;
};
constexpr std::array<Target, 4> kTargets{{
    {"iOS15", "macOS12", ir::Opset::kIOS15},
    {"iOS16", "macOS13", ir::Opset::kIOS16},
    {"iOS17", "macOS14", ir::Opset::kIOS17},
    {"iOS18", "macOS15", ir::Opset::kIOS18},
}};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

Result<ir::Opset> ParseDeploymentTarget(const std::string& text) {
  for (const Target& target : kTargets) {
    if (EqualsIgnoringCase(text, target.ios) || EqualsIgnoringCase(text, target.macos))
      return target.opset;
  }
  return Usage("unknown deployment target '{}'", text)
      .Advise("choose iOS15, iOS16, iOS17, iOS18, or macOS12 to macOS15");
}

std::string DeploymentTargetName(ir::Opset opset) {
  return std::string(kTargets[static_cast<size_t>(opset)].ios);
}

ir::Model CloneModel(const ir::Model& model) { return lab::CloneModel(model); }

namespace {

int64_t CountOperations(const ir::Program& program) {
  int64_t count = 0;
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      count += operation.is_const() ? 0 : 1;
    });
  }
  return count;
}

// Runs the groups, and adds to the report what they did.
Status RunGroups(ir::Program& program, const std::vector<passes::PassGroup>& groups,
                 ConvertReport& report, const ConvertProgress& progress) {
  passes::RunOptions run;
  run.progress = progress;
  ANEMONE_ASSIGN(const auto ran, passes::RunPasses(program, groups, run));
  for (const auto& pass : ran.passes) {
    const auto known = std::ranges::find(report.passes, pass.name, &ConvertReport::Pass::name);
    if (known == report.passes.end()) {
      report.passes.push_back({pass.name, pass.time_ns, pass.changes > 0});
    } else {
      known->duration_ns += pass.time_ns;
      known->changed |= pass.changes > 0;
    }
  }
  for (const auto& note : ran.notes) report.notes.push_back(note.name + ": " + note.text);
  report.operations_after = CountOperations(program);
  return {};
}

}  // namespace

Status Convert(ir::Model& model, const ConvertOptions& options, ConvertReport* report,
               const ConvertProgress& progress) {
  ANEMONE_TRY(options::Check(options));
  ANEMONE_ASSIGN(const ir::Opset target, ParseDeploymentTarget(options.minimum_deployment_target));
  ConvertReport local;
  ConvertReport& out = report != nullptr ? *report : local;
  out = {};
  ANEMONE_TRY(DeclareImageInputs(model, options));
  ANEMONE_TRY(DeclareClassLabels(model, options));
  out.operations_before = CountOperations(model.program);
  for (auto& function : model.program.functions) {
    if (function->opset > target) {
      // An older op set may lack what the program uses; verification says which operators.
      function->opset = target;
      ANEMONE_TRY(ir::Verify(*function).At("for " + DeploymentTargetName(target)));
    }
    ANEMONE_TRY(passes::RaiseOpset(*function, target));
  }
  ANEMONE_TRY(RunGroups(model.program, passes::Pipeline(), out, progress));
  model.spec_version = ir::SpecVersionOf(target);
  if (options.compute_precision != "float16") return {};
  ANEMONE_ASSIGN(const KeepFloat32 keep, ParseKeepFloat32(options.keep_float32));
  return ConvertToHalf(model, keep.patterns, {}, &out, progress);
}

Status ConvertToHalf(ir::Model& model, const std::vector<std::string>& patterns,
                     const KeepOperation& keep, ConvertReport* report,
                     const ConvertProgress& progress) {
  ConvertReport local;
  ConvertReport& out = report != nullptr ? *report : local;
  ANEMONE_ASSIGN(const auto parsed, passes::OperationPatterns::Parse(patterns));
  ANEMONE_TRY(parsed.CheckEachMatches(model.program));
  passes::Float16Options options;
  options.keep_float32 = [&](const ir::Operation& operation) {
    return parsed.Match(operation) || (keep && keep(operation));
  };
  return RunGroups(model.program, passes::PrecisionPipeline(options), out, progress);
}

Result<std::shared_ptr<const ir::Model>> HalfCopy(const ir::Model& model,
                                                  const std::vector<std::string>& patterns,
                                                  const std::set<std::string>& keep) {
  auto half = std::make_shared<ir::Model>(CloneModel(model));
  ANEMONE_TRY(ConvertToHalf(*half, patterns, [&](const ir::Operation& operation) {
    return keep.contains(operation.name());
  }));
  return std::shared_ptr<const ir::Model>(std::move(half));
}

Result<KeepFloat32> ParseKeepFloat32(const std::vector<std::string>& values) {
  KeepFloat32 keep;
  bool none = false;
  keep.automatic = values.empty();
  for (const std::string& value : values) {
    if (value == "auto") {
      keep.automatic = true;
    } else if (value == "none") {
      none = true;
    } else {
      keep.patterns.push_back(value);
    }
  }
  if (none && values.size() > 1) {
    return Usage("'none' stands beside other values")
        .At("keep_float32")
        .Advise("'none' keeps nothing and checks nothing; leave it out to add patterns");
  }
  keep.checked = !none;
  return keep;
}

}  // namespace anemone::facade
