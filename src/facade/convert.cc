#include "facade/convert.h"

#include <algorithm>
#include <array>

#include "ir/verifier.h"

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
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

Result<ir::Opset> ParseDeploymentTarget(const std::string& text) {
  for (const Target& target : kTargets) {
    if (EqualsIgnoringCase(text, target.ios) || EqualsIgnoringCase(text, target.macos)) return target.opset;
  }
  return Usage("unknown deployment target '{}'", text)
      .Advise("choose iOS15, iOS16, iOS17, iOS18, or macOS12 to macOS15");
}

std::string DeploymentTargetName(ir::Opset opset) {
  return std::string(kTargets[static_cast<size_t>(opset)].ios);
}

ir::Model CloneModel(const ir::Model& model) {
  ir::Model copy;
  copy.spec_version = model.spec_version;
  copy.metadata = model.metadata;
  copy.functions = model.functions;
  copy.multi_function = model.multi_function;
  copy.default_function = model.default_function;
  copy.program = ir::Clone(model.program);
  return copy;
}

Status Convert(ir::Model& model, const ConvertOptions& options, ConvertReport* report) {
  if (options.precision == Precision::kFloat16) return Unsupported("float16 compute precision");
  for (auto& function : model.program.functions) function->opset = options.target;
  model.spec_version = ir::SpecVersionOf(options.target);
  if (report != nullptr) *report = {};
  return ir::Verify(model.program);
}

}  // namespace anemone::facade
