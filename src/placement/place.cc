#include "placement/place.h"

#include <vector>

#include "ir/runtime_values.h"

namespace anemone::placement {
namespace {

// What was measured on another generation than `family`, or on an unnamed one, is inferred.
void CarryOver(AneFamily family, Evidence* evidence) {
  if (evidence->confidence == Confidence::kMeasured && evidence->measured_on != family)
    evidence->confidence = Confidence::kInferred;
}

Verdict GpuVerdict(Others others) {
  switch (others) {
    case Others::kGpuAndCpu:
      return Yes("gpu_default", kMeasuredM4);
    case Others::kUnknownGpu:
      return Maybe("gpu_unseen", true, {kM6, Confidence::kHearsay},
                   "no published plan shows this operator on the GPU");
    case Others::kCpuOnly:
      return No("gpu_no_kernel", kMeasuredM4, "only the CPU has a kernel");
    case Others::kNobody:
      break;
  }
  return {};
}

}  // namespace

std::string_view SupportName(Support support) {
  static constexpr std::string_view kNames[] = {"supported", "unsupported", "conditional",
                                                "unknown"};
  return kNames[static_cast<size_t>(support)];
}

std::string_view ConfidenceName(Confidence confidence) {
  static constexpr std::string_view kNames[] = {"documented", "measured", "inferred",
                                                "reverse-engineered", "hearsay"};
  return kNames[static_cast<size_t>(confidence)];
}

bool Query::IsDynamic(std::string_view param) const {
  if (runtime != nullptr && args.operation() != nullptr) {
    return runtime->Among(*args.operation(), param);
  }
  return args.Has(param) && !ir::IsConstantArg(args, param);
}

int64_t Query::IntOr(std::string_view param, int64_t otherwise) const {
  const auto value = args.Int(param);
  return value.ok() ? *value : otherwise;
}

Evidence Query::evidence() const { return follows_m4() ? kMeasuredM4 : kTables; }

Verdict Yes(std::string_view rule, Evidence evidence, std::string reason) {
  return {Support::kSupported, true, rule, std::move(reason), evidence, {}};
}

Verdict No(std::string_view rule, Evidence evidence, std::string reason, std::string rewrite) {
  return {Support::kUnsupported, false, rule, std::move(reason), evidence, std::move(rewrite)};
}

Verdict Maybe(std::string_view rule, bool expected, Evidence evidence, std::string reason,
              std::string rewrite) {
  return {Support::kConditional, expected, rule, std::move(reason), evidence, std::move(rewrite)};
}

Verdict Unknown(std::string_view rule, std::string reason) {
  return {Support::kUnknown, false, rule, std::move(reason), {}, {}};
}

Verdict YesEverywhere(const Query& query) { return Yes("ane_kernel", query.evidence()); }

Verdict YesBut(const Query& query, std::string_view rule, Evidence evidence, std::string caution,
               std::string rewrite) {
  Verdict verdict = YesEverywhere(query);
  verdict.rule = rule;
  verdict.evidence = evidence;
  verdict.reason = std::move(caution);
  verdict.rewrite = std::move(rewrite);
  return verdict;
}

Verdict NoKernel(const Query& query) {
  return No("ane_no_kernel", query.evidence(),
            fmt::format("the Neural Engine has no {}", query.args.def().name));
}

OpPlacement Place(const ir::Operation& operation, ir::Opset opset, const Chip& chip,
                  FlexibleShapes flexible, const ir::RuntimeValues* runtime) {
  OpPlacement placement;
  if (operation.is_const() || operation.is_constexpr()) {
    placement.placed = false;
    return placement;
  }
  const PlaceRule* rule = FindPlaceRule(operation.type());
  if (operation.def() == nullptr || rule == nullptr) {
    const std::string reason = fmt::format("operator {} is not in the rules", operation.type());
    placement.ane = Unknown("no_rule", reason);
    placement.gpu = Unknown("no_rule", reason);
    placement.cpu =
        Maybe("cpu_default", true, {kM6, Confidence::kHearsay}, "the CPU takes what others do not");
    return placement;
  }
  placement.work = rule->work;
  placement.belief = rule->belief;
  if (rule->others == Others::kNobody) {
    placement.placed = false;
    return placement;
  }
  std::vector<ir::Type> outputs;
  outputs.reserve(operation.outputs().size());
  for (const auto& output : operation.outputs()) outputs.push_back(output->type);
  const ir::OpArgs args(operation, opset);
  const Query query{args, outputs, chip, flexible, runtime};
  // An operator that the engine lacks is told as such, whatever its tensors are.
  placement.ane = rule->ane(query);
  if (placement.ane.support != Support::kUnsupported) {
    if (auto barred = CheckConditions(query, *rule)) placement.ane = std::move(*barred);
  }
  CarryOver(chip.family, &placement.ane.evidence);
  placement.gpu = GpuVerdict(rule->others);
  CarryOver(chip.family, &placement.gpu.evidence);
  placement.cpu = Yes("cpu_default", {kApple, Confidence::kDocumented});
  return placement;
}

}  // namespace anemone::placement
