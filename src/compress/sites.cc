#include "compress/sites.h"

#include <algorithm>

#include "compress/method.h"

namespace anemone::compress {
namespace {

constexpr int64_t kMinElements = 10;  // smaller constants are written into the program itself

constexpr std::string_view kNotTaken = "nothing that a joint compression of this kind takes";

// Whether the setting leaves the constant unchanged because of its size or rank.
bool LeavesAlone(const OpConfig& config, const Site& site) {
  return site.shape.size() <= 1 ||
         ir::ElementCount(site.shape).value_or(0) <= config.weight_threshold();
}

Result<const OpConfig*> ConfigOf(const WeightStep& step, const Site& site) {
  const auto named = step.op_name_configs.find(site.weight.op->name());
  if (named != step.op_name_configs.end())
    return named->second ? &*named->second : static_cast<const OpConfig*>(nullptr);
  const auto setting_of = [&](const ir::Use& use) {
    return SettingOf(step, use.operation->name(), use.operation->type());
  };
  const OpConfig* first = setting_of(site.weight.uses[0]);
  for (const ir::Use& use : site.weight.uses) {
    const OpConfig* other = setting_of(use);
    // Settings without effect do not differ: one bias of zeros may serve many operators.
    const bool first_counts = first != nullptr && !LeavesAlone(*first, site);
    const bool other_counts = other != nullptr && !LeavesAlone(*other, site);
    if (first_counts == other_counts && (!first_counts || *other == *first)) continue;
    return Usage("the constant '{}' is shared by '{}' and '{}', which have different settings",
                 site.weight.value->name, site.weight.uses[0].operation->name(),
                 use.operation->name())
        .Advise("give the constant its own setting in op_name_configs");
  }
  return first;
}

// The uses by operators that compute, behind any chain of constexpr operators; empty when one of
// them is not an operator.
std::vector<ir::Use> EndUses(const ir::UseMap& uses, const ir::Value* value) {
  std::vector<ir::Use> end;
  const auto found = uses.find(value);
  if (found == uses.end()) return end;
  for (const ir::Use& use : found->second) {
    if (use.operation == nullptr) return {};
    if (!use.operation->is_constexpr()) {
      end.push_back(use);
      continue;
    }
    for (const auto& output : use.operation->outputs()) {
      for (const ir::Use& further : EndUses(uses, output.get())) end.push_back(further);
    }
  }
  return end;
}

// The shape of the final weight to which the constexpr operator contributes.
ir::Shape EndShape(const ir::UseMap& uses, const ir::Operation& op) {
  for (const auto& output : op.outputs()) {
    const auto found = uses.find(output.get());
    if (found == uses.end()) continue;
    for (const ir::Use& use : found->second) {
      if (use.operation != nullptr && !use.operation->is_constexpr()) return output->type.shape();
      if (use.operation != nullptr) return EndShape(uses, *use.operation);
    }
  }
  return op.output()->type.shape();
}

bool IsFloatTensor(const ir::Value& value) {
  return value.type.is_tensor() &&
         (value.type.dtype() == DType::kFp32 || value.type.dtype() == DType::kFp16);
}

// The kind of site that a constant with the single use `use` is for a joint compression.
std::optional<SiteKind> JointKind(const ir::Use& use, const ir::Value& value) {
  const ir::Operation& op = *use.operation;
  const std::string& parameter = op.arguments()[use.argument].name;
  if (op.type() == "constexpr_sparse_to_dense" && parameter == "nonzero_data")
    return SiteKind::kSparseValues;
  if (op.type().starts_with("constexpr_lut_to_") && parameter == "lut" && IsFloatTensor(value))
    return SiteKind::kTable;
  if (op.type() == "constexpr_blockwise_shift_scale" && parameter == "data")
    return SiteKind::kQuantizedData;
  return std::nullopt;
}

Status CheckOpset(const ir::Function& function, const OpsetNeed& need) {
  if (function.opset >= need.opset) return {};
  return Unsupported("{} needs the op set {} or later, but function '{}' is {}", need.what,
                     ir::OpsetName(need.opset), function.name, ir::OpsetName(function.opset))
      .Advise(fmt::format("convert again with a deployment target of {} or later",
                          ir::OpsetName(need.opset)));
}

// Whether the site is only the weight of conv and linear operators, or is named itself.
bool IsOfConvAndLinear(const Site& site, const WeightStep& step) {
  if (step.op_name_configs.contains(site.weight.op->name())) return true;
  return std::ranges::all_of(site.weight.uses, [](const ir::Use& use) {
    return (use.operation->type() == "conv" || use.operation->type() == "linear") &&
           use.operation->arguments()[use.argument].name == "weight";
  });
}

// Fills in the setting or the reason.
Status Decide(const ir::Function& function, const WeightStep& step, Site* site) {
  ANEMONE_ASSIGN(const OpConfig* config, ConfigOf(step, *site));
  if (config == nullptr) {
    site->reason = "its operator is left out by the configuration";
    return {};
  }
  const Method& method = config->method();
  const int64_t threshold = config->weight_threshold();
  const int64_t elements = ir::ElementCount(site->shape).value_or(0);
  const std::string_view restricted = method.ForConvAndLinearOnly(*config);
  if (site->shape.size() <= 1) {
    site->reason = "vectors (biases, scales) are left alone";
  } else if (elements <= threshold) {
    site->reason = fmt::format("{} elements, not more than {}", elements, threshold);
  } else if (!method.Takes(site->kind, step.joint_compression)) {
    site->reason = kNotTaken;
  } else if (!restricted.empty() && !IsOfConvAndLinear(*site, step)) {
    site->reason = fmt::format("{} are for the weights of conv and linear only", restricted);
  }
  if (!site->reason.empty()) return {};
  ANEMONE_TRY(CheckOpset(function, method.NeedOf(*config)));
  ANEMONE_TRY(method.CheckSite(*config, *site));
  site->config = *config;
  return {};
}

}  // namespace

Result<std::vector<Site>> FindSites(const passes::Rewriter& rewriter, const WeightStep& step) {
  const ir::Function& function = rewriter.function();
  std::vector<Site> sites;
  const ir::UseMap uses = ir::FindUses(function);
  for (ir::Operation* op : rewriter.operations()) {
    Site site;
    const bool prunable =
        step.joint_compression &&
        (op->type() == "constexpr_lut_to_dense" || op->type() == "constexpr_blockwise_shift_scale");
    if (!op->is_const() && !prunable) continue;
    ir::Value* value = op->output();
    const auto found = uses.find(value);
    if (found == uses.end() || !value->type.is_tensor() ||
        value->type.element_count().value_or(0) < kMinElements) {
      continue;
    }
    const bool fed_to_constexpr = std::ranges::any_of(found->second, [](const ir::Use& use) {
      return use.operation != nullptr && use.operation->is_constexpr();
    });
    site.shape = value->type.shape();
    if (prunable) {
      if (fed_to_constexpr) continue;
      site.kind = SiteKind::kCompressed;
    } else if (fed_to_constexpr) {
      if (!step.joint_compression || found->second.size() != 1) continue;
      const auto kind = JointKind(found->second[0], *value);
      if (!kind) continue;
      site.kind = *kind;
      site.child = found->second[0].operation;
      site.shape = EndShape(uses, *site.child);
    } else if (!IsFloatTensor(*value)) {
      continue;
    }
    site.weight = {op, value, EndUses(uses, value)};
    if (site.weight.uses.empty()) continue;
    if (step.joint_compression)
      ANEMONE_TRY(CheckOpset(function, {ir::Opset::kIOS18, "joint compression"}));
    ANEMONE_TRY(Decide(function, step, &site).At(fmt::format("'{}'", value->name)));
    // Parts of compressed constants that the method does not take do not count as skipped.
    if (site.kind != SiteKind::kDense && site.reason == kNotTaken) continue;
    sites.push_back(std::move(site));
  }
  return sites;
}

}  // namespace anemone::compress
