#include "cli/gate.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/temporary_folder.h"
#include "cli/session_flags.h"
#include "cli/tensor_files.h"
#include "exec/session_inputs.h"
#include "facade/convert.h"
#include "facade/save.h"
#include "facade/session_options.h"
#include "gate/check_dispatch.h"
#include "gate/checks.h"
#include "gate/live.h"
#include "gate/report.h"
#include "gate/sides_child.h"
#include "lab/input_files.h"
#include "lab/manifest.h"
#include "runtime/first_load.h"
#include "runtime/host.h"

namespace anemone::cli {
namespace {

namespace fs = std::filesystem;

struct GateFlags {
  ModelFlags source;  // its model is each of `models` in turn
  std::vector<std::string> models;
  std::string policy;
  std::vector<std::string> records;
  std::string require;
  std::string junit;
  std::string markdown;
  std::string directory;
  std::string certificates;
  std::string reference;
  std::string images;
  std::vector<std::string> inputs;
  int64_t limit = 16;
};

bool IsPackage(const std::string& path) {
  return path.ends_with(".mlpackage") || path.ends_with(".mlpackage/");
}

// A folder that is no package stands for the packages in it.
Result<std::vector<std::string>> Expand(const std::vector<std::string>& models) {
  std::vector<std::string> expanded;
  for (const std::string& model : models) {
    std::error_code error;
    if (IsPackage(model) || model.ends_with(".mlmodelc") || !fs::is_directory(model, error)) {
      expanded.push_back(model);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(model, error)) {
      if (entry.path().extension() == ".mlpackage") found.push_back(entry.path().string());
    }
    if (error) return IoError("cannot list: {}", error.message()).At(model);
    if (found.empty()) return NotFound("there is no .mlpackage in this folder").At(model);
    std::sort(found.begin(), found.end());
    expanded.insert(expanded.end(), found.begin(), found.end());
  }
  return expanded;
}

// The catalog's network that a manifest says it comes from, built anew; null when it does not.
Result<std::shared_ptr<const ir::Model>> Rebuilt(const std::string& manifest_path) {
  const std::shared_ptr<const ir::Model> none;
  std::ifstream stream(manifest_path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const Json json = Json::parse(text, nullptr, false);
  const Json weights = json.value("weights", Json::object());
  if (!weights.is_object() || weights.value("source", Json()) != "seeded") return none;
  const Json seed = weights.value("anemone.weights.seed", Json());
  const Json name = weights.value("anemone.architecture", Json());
  if (!seed.is_string() || !name.is_string()) return none;
  ModelFlags flags;
  flags.source.model = name.get<std::string>();
  flags.source.weights = "seeded";
  flags.source.seed = std::strtoull(seed.get_ref<const std::string&>().c_str(), nullptr, 10);
  ANEMONE_ASSIGN(const auto loaded, Load(flags));
  return std::shared_ptr<const ir::Model>(loaded.model);
}

// The original of a package: what --reference says, else the network that its manifest names, else
// the fp32 variant beside it.
Status FindReference(const GateFlags& flags, const std::string& package, gate::LiveModel& live) {
  const std::string manifest_path = gate::ManifestPathOf(package);
  const auto manifest = lab::ReadManifest(manifest_path);
  if (manifest.ok()) live.precision = manifest->precision;
  std::string reference = flags.reference;
  if (reference.empty() && manifest.ok()) {
    ANEMONE_ASSIGN(live.reference, Rebuilt(manifest_path));
    live.reference_name = manifest->model + " (built anew)";
    if (live.reference != nullptr) return {};
    const fs::path beside =
        fs::path(manifest_path).parent_path() / (manifest->model + "_fp32.mlpackage");
    std::error_code ignored;
    // A package beside itself would show nothing.
    if (fs::exists(beside, ignored) && !fs::equivalent(beside, package, ignored)) {
      reference = beside.string();
    }
  }
  if (reference.empty()) {
    live.reference_problem =
        "there is no original to compare with: --reference MODEL, or NAME_fp32.mlpackage beside it";
    return {};
  }
  ANEMONE_ASSIGN(const auto loaded, Load(reference));
  live.reference = loaded.model;
  live.reference_name = fs::path(reference).filename().string();
  return {};
}

Result<std::vector<lab::Inputs>> RealInputs(const GateFlags& flags, const ir::Model& model) {
  std::vector<lab::Inputs> sets;
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  if (!flags.inputs.empty()) {
    ANEMONE_ASSIGN(auto set, ReadInputs(model, *function, flags.inputs));
    sets.push_back(std::move(set));
  }
  if (flags.images.empty()) return sets;
  ANEMONE_ASSIGN(const auto files, lab::InputFiles::Open(flags.images, model, {}, flags.limit));
  for (int64_t i = 0; i < files.count(); ++i) {
    ANEMONE_ASSIGN(auto set, files.Sample(i));
    sets.push_back(std::move(set));
  }
  return sets;
}

// Loads one MODEL. What is no package yet (a catalog model, an .onnx) is converted to float16 the
// way `convert` does, and judged beside its original.
Result<gate::LiveModel> MakeLive(const GateFlags& flags, const std::string& argument,
                                 const std::string& scratch) {
  gate::LiveModel live;
  if (IsPackage(argument)) {
    ANEMONE_ASSIGN(const auto loaded, Load(argument));
    live.name =
        fs::path(argument.ends_with('/') ? argument.substr(0, argument.size() - 1) : argument)
            .stem()
            .string();
    live.path = argument;
    live.model = loaded.model;
    ANEMONE_ASSIGN(live.hash, facade::ContentHash(loaded, argument));
    ANEMONE_TRY(FindReference(flags, argument, live));
    return live;
  }
  ModelFlags source = flags.source;
  source.source.model = argument;
  ANEMONE_ASSIGN(const auto original, Load(source));
  ir::Model model = facade::CloneModel(*original.model);
  facade::ConvertOptions convert;
  ANEMONE_ASSIGN(convert.target, facade::ParseDeploymentTarget(flags.source.target));
  convert.precision = facade::Precision::kFloat16;
  ANEMONE_TRY(facade::Convert(model, convert).At(argument));
  live.name = original.name + "_fp16";
  live.path = scratch + "/" + live.name + ".mlpackage";
  ANEMONE_TRY(facade::Save(model, live.path));
  // What is judged is what was written, read back.
  ANEMONE_ASSIGN(const auto written, Load(live.path));
  live.model = written.model;
  live.precision = "fp16";
  ANEMONE_ASSIGN(live.hash, facade::ContentHash(written, live.path));
  live.reference = original.model;
  live.reference_name = original.name;
  if (!flags.reference.empty()) {
    ANEMONE_ASSIGN(const auto reference, Load(flags.reference));
    live.reference = reference.model;
    live.reference_name = fs::path(flags.reference).filename().string();
  }
  return live;
}

// Paths in a folder that is removed mean nothing to the reader.
void ForgetFolder(const std::string& folder, gate::Evidence& evidence) {
  const auto shorten = [&](std::string& path) {
    if (path.starts_with(folder + "/")) path = "live " + path.substr(folder.size() + 1);
  };
  for (gate::RecordFile& file : evidence.records) shorten(file.path);
  for (gate::LogEvidence& log : evidence.logs) shorten(log.path);
  if (evidence.files) shorten(evidence.files->manifest_path);
}

Result<std::vector<gate::Evidence>> Gather(const GateFlags& flags, const gate::Policy& policy,
                                           const std::string& scratch, const Globals& globals) {
  std::vector<gate::RecordFile> files;
  for (const std::string& path : flags.records) {
    ANEMONE_ASSIGN(auto file, gate::ReadRecordFile(path));
    files.push_back(std::move(file));
  }
  std::vector<gate::Evidence> groups = gate::GroupRecords(std::move(files));
  if (flags.models.empty()) return groups;
  ANEMONE_ASSIGN(const auto models, Expand(flags.models));
  Progress progress(globals);
  std::vector<gate::Evidence> gathered;
  for (const std::string& argument : models) {
    progress.Step("loading " + argument);
    ANEMONE_ASSIGN(gate::LiveModel live, MakeLive(flags, argument, scratch));
    ANEMONE_ASSIGN(live.real_inputs, RealInputs(flags, *live.model));
    gate::LiveOptions options;
    options.threads = globals.threads;
    options.tool_version = ANEMONE_VERSION;
    options.helper = runtime::FirstLoadHelper();
    const std::string parent = flags.directory.empty() ? scratch : flags.directory;
    options.directory = parent + "/" + live.name;
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (error) return IoError("cannot make the folder: {}", error.message()).At(options.directory);
    options.progress = [&](const std::string& stage, int64_t done, int64_t total) {
      if (total > 0) {
        progress.Count(done, total, live.name + ": " + stage);
      } else {
        progress.Step(live.name + ": " + stage);
      }
    };
    if (flags.records.empty()) {
      ANEMONE_ASSIGN(auto evidence, gate::RunLive(policy, live, options));
      gathered.push_back(std::move(evidence));
      continue;
    }
    ANEMONE_ASSIGN(const auto here, gate::RunLive(gate::WithoutRuns(policy), live, options));
    bool any = false;
    for (gate::Evidence& group : groups) {
      if (group.model_hash != live.hash) continue;
      any = true;
      gate::Evidence merged = here;
      merged.device = group.device;
      merged.records = group.records;
      gathered.push_back(std::move(merged));
    }
    if (!any) {
      return InvalidInput("no record is of this model (SHA-256 {})", live.hash)
          .At(argument)
          .Advise("a record names the model that it ran by its hash, in its first line");
    }
  }
  if (flags.directory.empty()) {
    for (gate::Evidence& evidence : gathered) ForgetFolder(scratch, evidence);
  }
  return gathered;
}

// Where sessions of this machine look for them.
std::string DefaultCertificates() {
  const char* set = std::getenv("ANEMONE_STATE_DIR");
  const std::string state = set != nullptr && *set != 0 ? set : DefaultStateDir();
  return state.empty() ? "" : state + "/certificates";
}

Status RunGate(const GateFlags& flags, Context& context) {
  const Globals& globals = context.globals;
  if (flags.models.empty() && flags.records.empty()) {
    return Usage("there is nothing to judge").Advise("give a MODEL, or --record FILE");
  }
  gate::GateReport report;
  ANEMONE_ASSIGN(report.policy, FindPolicy(flags.policy));
  ANEMONE_TRY(gate::RequireUnit(flags.require, report.policy));
  report.tool_version = ANEMONE_VERSION;
  report.time_unix_ns =
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  if (!flags.directory.empty()) {
    std::error_code error;
    fs::create_directories(flags.directory, error);
    if (error) return IoError("cannot make the folder: {}", error.message()).At(flags.directory);
  }
  ANEMONE_ASSIGN(const TemporaryFolder scratch, TemporaryFolder::Create("anemone-gate"));
  ANEMONE_ASSIGN(auto evidence, Gather(flags, report.policy, scratch.path(), globals));
  for (gate::Evidence& one : evidence) {
    gate::ModelReport model = gate::MakeReport(report.policy, std::move(one));
    // What our own executor does needs no proof, unless somebody asks for it.
    std::string folder = flags.certificates;
    // Sessions of this machine look for this build of its system.
    const bool here =
        model.evidence.device && model.evidence.device->machine.os_build == runtime::HostOsBuild();
    if (folder.empty() && here && report.policy.subject_backend != "cpu") {
      folder = DefaultCertificates();
    }
    if (!folder.empty() && model.verdict == gate::Verdict::kPass) {
      ANEMONE_ASSIGN(model.certificate,
                     gate::WriteCertificate(folder, report.policy, model, report.time_unix_ns,
                                            ANEMONE_VERSION));
    }
    report.models.push_back(std::move(model));
  }
  if (!flags.directory.empty()) {
    ANEMONE_TRY(WriteWhole(flags.directory + "/gate.json", gate::ToJson(report)));
    ANEMONE_TRY(WriteWhole(flags.directory + "/gate.md", gate::ToMarkdown(report)));
    ANEMONE_TRY(WriteWhole(flags.directory + "/gate.junit.xml", gate::ToJUnit(report)));
  }
  if (!flags.junit.empty()) ANEMONE_TRY(WriteWhole(flags.junit, gate::ToJUnit(report)));
  if (!flags.markdown.empty()) ANEMONE_TRY(WriteWhole(flags.markdown, gate::ToMarkdown(report)));
  std::cout << (globals.json ? gate::ToJson(report) : gate::ToText(report));
  context.exit_code = report.exit_code();
  return {};
}

}  // namespace

Result<gate::Policy> FindPolicy(const std::string& path) {
  if (path.empty()) return gate::BuiltInGateC();
  return gate::ReadPolicy(path);
}

Status WriteWhole(const std::string& path, const std::string& text) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(text));
  return file.Commit();
}

void AddGate(Command app, Context& context) {
  Command command = app.AddCommand("gate", "pass or fail against a policy");
  auto flags = std::make_shared<GateFlags>();
  command.AddOption("MODEL", flags->models,
                    "packages, a folder of them, .onnx files or catalog names");
  command.AddOption("--policy", flags->policy,
                    "a policy file (gates/*.json); Gate C when left out");
  command.AddOption("--record", flags->records, "judge these run records instead of running");
  command.AddOption("--require", flags->require, "ane, gpu or none: the unit that must be planned")
      .OneOf({"ane", "gpu", "none"});
  command.AddOption("-o,--output", flags->directory,
                    "write gate.json, gate.md, gate.junit.xml, records and logs there");
  command.AddOption("--junit", flags->junit, "write JUnit XML");
  command.AddOption("--markdown", flags->markdown, "write Markdown, for a pull request");
  command.AddOption(
      "--certificates", flags->certificates,
      "write a certificate there for each model that passes; without it, into the folder "
      "that sessions of this machine look in, when the subject is not the CPU");
  command.AddOption("--reference", flags->reference, "the original MODEL to compare with");
  command.AddOption("--images", flags->images,
                    "compare on the pictures, .npy or .npz files of this folder too");
  command.AddOption("--inputs", flags->inputs, "compare on NAME=FILE.npy or FILE.npz too");
  command.AddOption("--limit", flags->limit, "files of that folder at most, evenly spread")
      .ShowDefault();
  command.AddOption("--weights", flags->source.source.weights,
                    "catalog models: a .safetensors file, or 'seeded'");
  command.AddOption("--seed", flags->source.source.seed, "seed of seeded weights");
  command
      .AddOption("--minimum-deployment-target", flags->source.target,
                 "of what is converted here: iOS15 to iOS18, macOS12 to macOS15")
      .ShowDefault();
  command.Footer(
      "Exit codes: 0 PASS, 1 FAIL, 4 NOT MEASURED, 5 a backend crashed, 6 timeout, 7 unit not "
      "obtained, 8 INCONCLUSIVE.\n"
      "Example: anemone gate models/resnet50_fp16.mlpackage --policy gates/gate-c.json -o report");
  OnRun(command, context, [flags, &context] { return RunGate(*flags, context); });

  auto child = app.AddCommand(gate::kRunSidesCommand).Hide();
  auto request = std::make_shared<std::string>();
  child.AddOption("REQUEST", *request).Required();
  child.OnChosen([request, &context] { context.exit_code = gate::RunSidesChild(*request); });
}

}  // namespace anemone::cli
