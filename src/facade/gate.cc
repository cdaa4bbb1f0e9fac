// RunGate: gathers the evidence of every model, judges it, writes the reports.
#include <cstdlib>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/cache_root.h"
#include "base/clock.h"
#include "base/temporary_folder.h"
#include "facade/gate_models.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "gate/check_dispatch.h"
#include "gate/checks.h"
#include "gate/report.h"
#include "options/option.h"
#include "runtime/first_load.h"
#include "runtime/host.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

// Paths in a folder that is removed mean nothing to the reader.
void ForgetFolder(const std::string& folder, gate::Evidence& evidence) {
  const auto shorten = [&](std::string& path) {
    if (path.starts_with(folder + "/")) path = "live " + path.substr(folder.size() + 1);
  };
  for (gate::RecordFile& file : evidence.records) shorten(file.path);
  for (gate::LogEvidence& log : evidence.logs) shorten(log.path);
  if (evidence.files) shorten(evidence.files->manifest_path);
}

Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(path);
  return {};
}

Result<gate::LiveOptions> LiveOptionsFor(const GateOptions& options, const std::string& model,
                                         const std::string& scratch, const Hooks& hooks) {
  gate::LiveOptions live;
  live.threads = options.threads;
  live.tool_version = ANEMONE_VERSION;
  live.helper = runtime::FirstLoadHelper();
  live.directory = (options.output.empty() ? scratch : options.output) + "/" + model;
  ANEMONE_TRY(MakeFolder(live.directory));
  live.cancelled = hooks.cancelled;
  live.progress = [&hooks, model](const std::string& stage, int64_t done, int64_t total) {
    Tell(hooks, model + ": " + stage, done, total);
  };
  return live;
}

// The evidence of a live run joined with that of each device whose records are of this model.
Result<std::vector<gate::Evidence>> Join(const gate::Evidence& here,
                                         const std::vector<gate::Evidence>& groups,
                                         const std::string& model) {
  std::vector<gate::Evidence> joined;
  for (const gate::Evidence& group : groups) {
    if (group.model_hash != here.model_hash) continue;
    gate::Evidence merged = here;
    merged.device = group.device;
    merged.records = group.records;
    joined.push_back(std::move(merged));
  }
  if (joined.empty()) {
    return InvalidInput("no record is of this model (SHA-256 {})", here.model_hash)
        .At(model)
        .Advise("a record names the model that it ran by its hash, in its first line");
  }
  return joined;
}

Result<std::vector<gate::Evidence>> Gather(const GateOptions& options, const gate::Policy& policy,
                                           const std::string& scratch, const Hooks& hooks) {
  std::vector<gate::RecordFile> files;
  for (const std::string& path : options.record) {
    ANEMONE_ASSIGN(auto file, gate::ReadRecordFile(path));
    files.push_back(std::move(file));
  }
  const std::vector<gate::Evidence> groups = gate::GroupRecords(std::move(files));
  if (options.models.empty()) return groups;
  ANEMONE_ASSIGN(const auto models, ExpandFolders(options.models));
  std::vector<gate::Evidence> gathered;
  for (const std::string& model : models) {
    ANEMONE_TRY(CheckCancelled(hooks));
    Tell(hooks, "loading " + model);
    ANEMONE_ASSIGN(const gate::LiveModel live, MakeLiveModel(options, model, scratch));
    ANEMONE_ASSIGN(const auto how, LiveOptionsFor(options, live.name, scratch, hooks));
    if (options.record.empty()) {
      ANEMONE_ASSIGN(auto evidence, gate::RunLive(policy, live, how));
      gathered.push_back(std::move(evidence));
      continue;
    }
    ANEMONE_ASSIGN(const auto here, gate::RunLive(gate::WithoutRuns(policy), live, how));
    ANEMONE_ASSIGN(auto joined, Join(here, groups, model));
    for (gate::Evidence& evidence : joined) gathered.push_back(std::move(evidence));
  }
  if (options.output.empty()) {
    for (gate::Evidence& evidence : gathered) ForgetFolder(scratch, evidence);
  }
  return gathered;
}

// Where a certificate goes; empty: nowhere. Without a folder that was named it is the one that
// sessions of this machine look in, for this build of its system. What our own executor does needs
// no proof, unless it is asked for.
std::string CertificateFolder(const GateOptions& options, const gate::Policy& policy,
                              const gate::ModelReport& model) {
  if (!options.certificates.empty()) return options.certificates;
  const bool here =
      model.evidence.device && model.evidence.device->machine.os_build == runtime::HostOsBuild();
  if (!here || policy.subject_backend == "cpu") return {};
  const char* set = std::getenv("ANEMONE_STATE_DIR");
  const std::string state = set != nullptr && *set != 0 ? set : StateRoot();
  return state.empty() ? "" : state + "/certificates";
}

Status WriteReports(const GateOptions& options, const gate::GateReport& report) {
  if (!options.output.empty()) {
    ANEMONE_TRY(WriteAtomically(options.output + "/gate.json", gate::ToJson(report)));
    ANEMONE_TRY(WriteAtomically(options.output + "/gate.md", gate::ToMarkdown(report)));
    ANEMONE_TRY(WriteAtomically(options.output + "/gate.junit.xml", gate::ToJUnit(report)));
  }
  if (!options.junit.empty()) ANEMONE_TRY(WriteAtomically(options.junit, gate::ToJUnit(report)));
  if (!options.markdown.empty())
    ANEMONE_TRY(WriteAtomically(options.markdown, gate::ToMarkdown(report)));
  return {};
}

}  // namespace

Result<GateResult> RunGate(const GateOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  if (options.models.empty() && options.record.empty()) {
    return Usage("there is nothing to judge").Advise("give a MODEL, or --record FILE");
  }
  gate::GateReport report;
  ANEMONE_ASSIGN(report.policy, FindPolicy(options.policy));
  ANEMONE_TRY(gate::RequireUnit(options.require, report.policy));
  report.tool_version = ANEMONE_VERSION;
  report.time_unix_ns = UnixNowNs();
  if (!options.output.empty()) ANEMONE_TRY(MakeFolder(options.output));
  ANEMONE_ASSIGN(const TemporaryFolder scratch, TemporaryFolder::Create("anemone-gate"));
  ANEMONE_ASSIGN(auto evidence, Gather(options, report.policy, scratch.path(), hooks));
  for (gate::Evidence& one : evidence) {
    gate::ModelReport model = gate::MakeReport(report.policy, std::move(one));
    const std::string folder = CertificateFolder(options, report.policy, model);
    if (!folder.empty() && model.verdict == gate::Verdict::kPass) {
      ANEMONE_ASSIGN(model.certificate,
                     gate::WriteCertificate(folder, report.policy, model, report.time_unix_ns,
                                            ANEMONE_VERSION));
    }
    report.models.push_back(std::move(model));
  }
  ANEMONE_TRY(WriteReports(options, report));
  return GateResult{std::string(gate::VerdictName(report.verdict())), report.exit_code(),
                    gate::ToJson(report), gate::ToText(report)};
}

}  // namespace anemone::facade
