// anemone doctor: what this machine can do, and what stands in a model's way on Apple's.
#include <hwy/targets.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "acquire/cache.h"
#include "base/cache_root.h"
#include "cli/command.h"
#include "cli/doctor_float16.h"
#include "exec/session_inputs.h"
#include "facade/convert.h"
#include "placement/analyze.h"
#include "placement/chip.h"
#include "runtime/backends.h"
#include "runtime/compiled_cache.h"
#include "runtime/first_load.h"
#include "runtime/run_record_io.h"

namespace anemone::cli {
namespace {

struct DoctorFlags {
  ModelFlags model;
  std::string chips = "m1,m2,m3,m4";
  Float16Flags float16;
};

Json Optional(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json MachineJson() {
  const runtime::RunMachine machine = runtime::DescribeMachine();
  Json json;
  json["os"] = machine.os;
  json["os_version"] = Optional(machine.os_version);
  json["os_build"] = Optional(machine.os_build);
  json["architecture"] = machine.architecture;
  json["hardware_model"] = Optional(machine.hardware_model);
  json["chip"] = Optional(machine.chip);
  json["cores"] = machine.cores ? Json(*machine.cores) : Json();
  json["memory_bytes"] = machine.memory_bytes ? Json(*machine.memory_bytes) : Json();
  Json targets = Json::array();
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
  Json list = Json::array();
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
  json["failed_first_loads"] = Json::array();
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
  Json json = Json::object();
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
      blocker.confidence = placement::ConfidenceName(verdict.confidence);
    }
  }
  Json list = Json::array();
  for (const auto& [rule, blocker] : blockers) {
    list.push_back({{"reason", blocker.reason},
                    {"operators", blocker.count},
                    {"example", blocker.example},
                    {"confidence", blocker.confidence},
                    {"rewrite", blocker.rewrite.empty() ? Json() : Json(blocker.rewrite)}});
  }
  return list;
}

// What users have seen to drift on the Neural Engine, and nobody can see without one: a hard-swish
// of what a linear layer or matrix product of rank 2 gives, as in MobileNetV3's head.
Json KnownDriftsJson(const ir::Function& function) {
  Json list = Json::array();
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

Result<Json> ModelJson(const DoctorFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  ANEMONE_ASSIGN(const auto chips, placement::ParseChips(flags.chips));
  Json json;
  json["name"] = loaded.name;
  // What is no package yet is judged as it would be converted: that it computes in float32 now
  // would hide all else.
  auto placed = std::make_shared<ir::Model>(facade::CloneModel(*loaded.model));
  json["placement_of"] = "the model as it is";
  if (!loaded.origin.starts_with("ml")) {
    facade::ConvertOptions convert;
    convert.precision = facade::Precision::kFloat16;
    ANEMONE_TRY(facade::Convert(*placed, convert).At(loaded.name));
    json["placement_of"] =
        "its conversion to float16 for " + facade::DeploymentTargetName(convert.target);
  }
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*placed, ""));
  json["known_drifts"] = KnownDriftsJson(*function);
  json["chips"] = Json::array();
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
  ANEMONE_ASSIGN(json["float16"], Float16Json(*loaded.model, flags.float16, globals));
  return json;
}

std::string Text(const Json& value) {
  if (value.is_null()) return "unknown";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void PrintText(const Json& document) {
  const Json& machine = document["machine"];
  std::string simd;
  for (const Json& target : machine["simd"]) simd += " " + target.get<std::string>();
  std::cout << fmt::format("machine   {} {}, {} cores, {}\n", Text(machine["os"]),
                           Text(machine["os_version"]), Text(machine["cores"]),
                           Text(machine["chip"]));
  std::cout << fmt::format("SIMD     {}\n", simd);
  for (const Json& backend : document["backends"]) {
    std::cout << fmt::format(
        "backend   {}: {}\n", Text(backend["name"]),
        backend["available"].get<bool>() ? "available" : Text(backend["reason"]));
  }
  const Json& caches = document["caches"];
  const auto size = [](const Json& bytes) {
    return bytes.is_null() ? std::string("unknown") : SizeText(bytes.get<int64_t>());
  };
  std::cout << fmt::format("caches    {}: downloads {}, compiled models {}\n", Text(caches["root"]),
                           size(caches["downloads_bytes"]), size(caches["compiled_bytes"]));
  for (const Json& failed : caches["failed_first_loads"]) {
    std::cout << fmt::format("          a first load failed: {} ({})\n", Text(failed["message"]),
                             Text(failed["path"]));
  }
  for (const auto& [name, value] : document["settings"].items()) {
    std::cout << fmt::format("setting   {}={}\n", name, Text(value));
  }
  if (!document.contains("model")) return;
  PrintFloat16(document["model"]["float16"]);
  for (const Json& drift : document["model"]["known_drifts"]) {
    std::cout << fmt::format("drift     '{}': {} ({})\n            instead: {}\n",
                             Text(drift["operator"]), Text(drift["reason"]), Text(drift["source"]),
                             Text(drift["rewrite"]));
  }
  std::cout << fmt::format("placement of {}\n", Text(document["model"]["placement_of"]));
  for (const Json& chip : document["model"]["chips"]) {
    std::cout << fmt::format(
        "{:<9} {:.1f} % of the operators could run on the Neural Engine, "
        "{:.1f} % would (estimated)\n",
        Text(chip["chip"]), chip["ane_supported_pct"].get<double>(),
        chip["ane_preferred_pct"].get<double>());
    for (const Json& note : chip["notes"])
      std::cout << fmt::format("          note: {}\n", Text(note));
    for (const Json& blocker : chip["blockers"]) {
      std::cout << fmt::format("          {} x {} ('{}', {})\n", Text(blocker["operators"]),
                               Text(blocker["reason"]), Text(blocker["example"]),
                               Text(blocker["confidence"]));
      if (!blocker["rewrite"].is_null()) {
        std::cout << fmt::format("            instead: {}\n", Text(blocker["rewrite"]));
      }
    }
  }
}

Status RunDoctor(const DoctorFlags& flags, const Globals& globals) {
  Json document = Document("anemone.doctor");
  document["tool_version"] = ANEMONE_VERSION;
  document["machine"] = MachineJson();
  document["backends"] = BackendsJson();
  document["caches"] = CachesJson();
  document["settings"] = SettingsJson();
  if (!flags.model.source.model.empty()) {
    ANEMONE_ASSIGN(document["model"], ModelJson(flags, globals));
  }
  if (globals.json) {
    Print(document);
  } else {
    PrintText(document);
  }
  return {};
}

}  // namespace

void AddDoctor(Command app, Context& context) {
  Command command = app.AddCommand(
      "doctor", "this machine; with MODEL: what stands in its way on Apple's, and what to do");
  auto flags = std::make_shared<DoctorFlags>();
  command.AddOption("MODEL", flags->model.source.model,
                    "an .onnx, .mlpackage, .mlmodelc or catalog name");
  command.AddOption("--weights", flags->model.source.weights,
                    "catalog models: a weight file, or 'seeded'");
  AddFloat16Flags(command, flags->float16);
  command.AddOption("--chip", flags->chips, "chips to ask about").ShowDefault();
  command.Footer("Example: anemone doctor model.mlpackage --chip m1,m4,a17pro");
  OnRun(command, context, [flags, &context] { return RunDoctor(*flags, context.globals); });
}

}  // namespace anemone::cli
