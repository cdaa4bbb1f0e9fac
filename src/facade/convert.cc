#include "facade/convert.h"

#include <algorithm>
#include <array>

#include "ir/verifier.h"
#include "lab/subgraph.h"
#include "options/option.h"
#include "passes/pipeline.h"

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

}  // namespace

Status Convert(ir::Model& model, const ConvertOptions& options, ConvertReport* report,
               const ConvertProgress& progress) {
  ANEMONE_TRY(options::Check(options));
  ANEMONE_ASSIGN(const ir::Opset target, ParseDeploymentTarget(options.minimum_deployment_target));
  ConvertReport local;
  ConvertReport& out = report != nullptr ? *report : local;
  out = {};
  out.operations_before = CountOperations(model.program);
  for (auto& function : model.program.functions) {
    if (function->opset > target) {
      // An older op set may lack what the program uses; verification says which operators.
      function->opset = target;
      ANEMONE_TRY(ir::Verify(*function).At("for " + DeploymentTargetName(target)));
    }
    function->opset = target;
  }
  passes::PipelineOptions pipeline;
  if (options.compute_precision == "float16") {
    pipeline.compute_precision = DType::kFp16;
    ANEMONE_ASSIGN(pipeline.float16.keep_float32, passes::MatchOperations(options.keep_float32));
  }
  passes::RunOptions run;
  run.progress = progress;
  ANEMONE_ASSIGN(const auto ran, passes::Optimize(model.program, pipeline, run));
  for (const auto& pass : ran.passes)
    out.passes.push_back({pass.name, pass.time_ns, pass.changes > 0});
  for (const auto& note : ran.notes) out.notes.push_back(note.name + ": " + note.text);
  out.operations_after = CountOperations(model.program);
  model.spec_version = ir::SpecVersionOf(target);
  return {};
}

}  // namespace anemone::facade
