// RunDoctor: this machine, and what stands in a model's way on Apple's; the document
// "anemone.doctor".
#include <hwy/targets.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "acquire/cache.h"
#include "base/cache_root.h"
#include "exec/function_inputs.h"
#include "facade/convert.h"
#include "facade/document.h"
#include "facade/inspect.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "lab/fidelity.h"
#include "options/option.h"
#include "passes/value_ranges.h"
#include "placement/analyze.h"
#include "placement/chip.h"
#include "runtime/backends.h"
#include "runtime/compiled_cache.h"
#include "runtime/first_load.h"
#include "runtime/run_record_io.h"

namespace anemone::facade {
namespace {

Json MachineJson() {
  const runtime::RunMachine machine = runtime::DescribeMachine();
  Json json;
  json["os"] = machine.os;
  json["os_version"] = OrNull(machine.os_version);
  json["os_build"] = OrNull(machine.os_build);
  json["architecture"] = machine.architecture;
  json["hardware_model"] = OrNull(machine.hardware_model);
  json["chip"] = OrNull(machine.chip);
  json["cores"] = OrNull(machine.cores);
  json["memory_bytes"] = OrNull(machine.memory_bytes);
  Json targets = Json::Array();
  int64_t best_first = hwy::SupportedTargets();
  while (best_first != 0) {
    const int64_t best = best_first & -best_first;
    targets.push_back(hwy::TargetName(best));
    best_first &= best_first - 1;
  }
  json["simd"] = std::move(targets);
  return json;
}

Json BackendsJson() {
  Json list = Json::Array();
  for (const exec::Backend* backend : runtime::Backends()) {
    const Status available = backend->Available();
    list.push_back({{"name", backend->name()},
                    {"available", available.ok()},
                    {"reason", available.ok() ? Json() : Json(available.error().ToString())}});
  }
  return list;
}

Json CachesJson() {
  Json json;
  const std::string root = CacheRoot();
  json["root"] = root.empty() ? Json() : Json(root);
  json["state"] = StateRoot().empty() ? Json() : Json(StateRoot());
  json["downloads_bytes"] = Json();
  json["compiled_bytes"] = Json();
  json["failed_first_loads"] = Json::Array();
  if (root.empty()) return json;
  if (const auto downloads = acquire::DownloadCache(acquire::DefaultCacheRoot()).List();
      downloads.ok()) {
    json["downloads_bytes"] = downloads->object_bytes + downloads->partial_bytes;
  }
  if (const auto cache = runtime::CompiledCache::Open(root + "/compiled"); cache.ok()) {
    if (const auto entries = cache->List(); entries.ok()) {
      int64_t bytes = 0;
      for (const runtime::CachedModel& entry : *entries) bytes += entry.size_bytes;
      json["compiled_bytes"] = bytes;
    }
  }
  if (const auto verdicts = runtime::ListVerdicts(runtime::VerdictDir(root)); verdicts.ok()) {
    for (const auto& [path, verdict] : *verdicts) {
      if (!verdict.passed) {
        json["failed_first_loads"].push_back({{"path", path}, {"message", verdict.message}});
      }
    }
  }
  return json;
}

Json SettingsJson() {
  Json json = Json::Object();
  for (const char* name :
       {"ANEMONE_NUM_THREADS", "ANEMONE_COMPUTE_UNITS", "ANEMONE_CACHE_DIR", "ANEMONE_STATE_DIR",
        "ANEMONE_MIRROR", "ANEMONE_OFFLINE", "ANEMONE_LOG_FORMAT", "ANEMONE_LOG_FILE",
        "ANEMONE_CONFIG", "ANEMONE_HELPER", "ANEMONE_OS_BUILD"}) {
    if (const char* value = std::getenv(name)) json[name] = value;
  }
  return json;
}

// What keeps operators off the Neural Engine of one chip: reason, how many, one of them, a way out.
Json BlockersJson(const placement::Analysis& analysis) {
  struct Blocker {
    int64_t count = 0;
    std::string reason;  // of the example
    std::string example;
    std::string rewrite;
    std::string confidence;
  };
  std::map<std::string, Blocker> blockers;
  for (const placement::AnalyzedOp& op : analysis.operations) {
    if (op.Supports(ComputeUnit::kAne)) continue;
    const placement::Verdict& verdict = op.placement.of(ComputeUnit::kAne);
    Blocker& blocker = blockers[op.operation->type() + " " + std::string(verdict.rule)];
    if (blocker.count++ == 0) {
      blocker.reason = op.operation->type() + ": " + verdict.reason;
      blocker.example = op.operation->name();
      blocker.rewrite = verdict.rewrite;
      blocker.confidence = placement::ConfidenceName(verdict.evidence.confidence);
    }
  }
  Json list = Json::Array();
  for (const auto& [rule, blocker] : blockers) {
    list.push_back({{"reason", blocker.reason},
                    {"operators", blocker.count},
                    {"example", blocker.example},
                    {"confidence", blocker.confidence},
                    {"rewrite", blocker.rewrite.empty() ? Json() : Json(blocker.rewrite)}});
  }
  return list;
}

// Drifts that users have seen on the Neural Engine and that cannot be measured without one: a
// hard-swish of the output of a linear layer or matrix product of rank 2, as in MobileNetV3's head.
Json KnownDriftsJson(const ir::Function& function) {
  Json list = Json::Array();
  const ir::UseMap uses = ir::FindUses(function);
  ir::ForEachOperation(*function.block, [&](const ir::Operation& gate) {
    if (gate.type() != "sigmoid_hard") return;
    const ir::Value* x = gate.Input("x");
    if (x == nullptr || x->producer == nullptr || x->type.rank() > 2) return;
    const std::string& type = x->producer->type();
    if (type != "linear" && type != "matmul") return;
    const auto found = uses.find(gate.output());
    if (found == uses.end()) return;
    const bool hard_swish = std::ranges::any_of(found->second, [&](const ir::Use& use) {
      const ir::Operation* product = use.operation;
      return product != nullptr && product->type() == "mul" &&
             (product->Input("x") == x || product->Input("y") == x);
    });
    if (!hard_swish) return;
    const std::string name = x->producer->name();
    list.push_back(
        {{"operator", name},
         {"reason", type + " of rank 2 into a hard-swish: reported to drift on the Neural Engine, "
                           "up to 4 % of the output"},
         {"source", "apple/coremltools#2625, apple/coreai-torch#51"},
         {"confidence", "reported"},
         {"rewrite",
          "make it a 1x1 conv of rank 4, or convert with --keep-float32 '" + name + "'"}});
  });
  return list;
}

Result<lab::Samples> SamplesOf(const ir::Model& model, const ir::Function& function,
                               const DoctorOptions& options) {
  if (options.images.empty()) {
    return lab::Samples::Synthetic(model, function, options.samples, 0);
  }
  return lab::Samples::Folder(function, options.images, {}, options.samples);
}

Result<Json> Float16Json(const ir::Model& model, const DoctorOptions& options) {
  if (options.no_float16) return Json{{"skipped", "not asked for"}};
  auto single = std::make_shared<ir::Model>(CloneModel(model));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*single, ""));
  const bool half = UsesHalf(*function);
  ConvertOptions convert;
  convert.minimum_deployment_target = DeploymentTargetName(function->opset);
  lab::FidelityOptions fidelity;
  fidelity.threads = options.threads;
  if (!half) {
    ANEMONE_TRY(Convert(*single, convert));
    ANEMONE_ASSIGN(function, exec::ChooseFunction(*single, ""));
    fidelity.to_float16 = [](const ir::Model& base, const std::set<std::string>& keep) {
      return HalfCopy(base, {}, keep);
    };
  }
  auto samples = SamplesOf(*single, *function, options);
  if (!samples.ok()) {
    // A model with open shapes is not the user's mistake; files that cannot be read are.
    if (!options.images.empty()) return std::move(samples).error();
    return Json{{"skipped", samples.error().ToString()}};
  }
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("cpu"));
  const auto found = lab::DiagnoseFloat16(*backend, single, *samples, fidelity);
  if (!found.ok()) {
    if (found.error().code() == ErrorCode::kUnsupported)
      return Json{{"skipped", found.error().ToString()}};
    return found.error();
  }
  ANEMONE_ASSIGN(Json json, ParseJson(lab::FidelityJson(*found)));
  // What can be said without running it.
  const passes::ValueRanges ranges =
      passes::PropagateRanges(*function, passes::DeclaredRanges(*single, *function));
  json["lost_by_range"] = passes::LostInHalf(*function, ranges);
  json["may_exceed_by_range"] = passes::MayExceedHalf(*function, ranges);
  return json;
}

Result<Json> ModelJson(const DoctorOptions& options) {
  ANEMONE_ASSIGN(const auto loaded, LoadModel(options));
  ANEMONE_ASSIGN(const auto chips, placement::ParseChips(options.chip));
  Json json;
  json["name"] = loaded.name;
  // A model that is not a package yet is judged as it would be converted: float32, which it
  // computes in now, would hide all other findings.
  auto placed = std::make_shared<ir::Model>(CloneModel(*loaded.model));
  json["placement_of"] = "the model as it is";
  if (!loaded.origin.starts_with("ml")) {
    ConvertOptions convert;
    convert.compute_precision = "float16";
    ANEMONE_TRY(Convert(*placed, convert).At(loaded.name));
    json["placement_of"] = "its conversion to float16 for " + convert.minimum_deployment_target;
  }
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*placed, ""));
  json["known_drifts"] = KnownDriftsJson(*function);
  json["chips"] = Json::Array();
  for (const placement::Chip* chip : chips) {
    const placement::Analysis analysis =
        placement::Analyze(*function, *chip, placement::FlexibilityOf(*placed, ""));
    json["chips"].push_back({{"chip", chip->name},
                             {"ane_supported_pct", analysis.supported.by_count_pct},
                             {"ane_preferred_pct", analysis.preferred.by_count_pct},
                             {"source", "estimated"},
                             {"notes", analysis.notes},
                             {"blockers", BlockersJson(analysis)}});
  }
  ANEMONE_ASSIGN(json["float16"], Float16Json(*loaded.model, options));
  return json;
}

}  // namespace

Result<DoctorResult> RunDoctor(const DoctorOptions& options) {
  ANEMONE_TRY(options::Check(options));
  Json document = Document("anemone.doctor");
  document["tool_version"] = ANEMONE_VERSION;
  document["machine"] = MachineJson();
  document["backends"] = BackendsJson();
  document["caches"] = CachesJson();
  document["settings"] = SettingsJson();
  if (!options.model.empty()) {
    ANEMONE_ASSIGN(document["model"], ModelJson(options));
  }
  return DoctorResult{DocumentText(document)};
}

}  // namespace anemone::facade
