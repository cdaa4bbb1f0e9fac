// RunLab and RunLabWorker: a lab in its folder, and its workers on other machines.
#include <filesystem>

#include "base/atomic_file.h"
#include "compress/configuration_json.h"
#include "facade/document.h"
#include "facade/lab_subject.h"
#include "facade/save.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "lab/driver.h"
#include "lab/workers.h"
#include "options/command_line.h"
#include "runtime/first_load.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabase = "lab.sqlite";
constexpr const char* kCalibrationList = "calibration.txt";
constexpr const char* kBase = "base.mlpackage";
constexpr int64_t kFidelitySamples = 4;

Status OpenFolder(const LabOptions& options) {
  std::error_code error;
  const fs::path folder(options.output);
  if (options.output.empty()) return Usage("there is no folder for the lab").Advise("give -o");
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    return Usage("it is not a folder").At(options.output).Advise("give another -o");
  if (!options.resume && fs::exists(folder / kDatabase, error)) {
    return Usage("there is a lab in it already")
        .At(options.output)
        .Advise("go on with --resume, or give another -o");
  }
  fs::create_directories(folder, error);
  if (error) return IoError("cannot create the folder: {}", error.message()).At(options.output);
  return {};
}

// The command line of a worker that comes to the same subject: the command, and the options of the
// lab, with paths that hold in any folder.
Result<std::vector<std::string>> WorkerCommand(LabOptions options) {
  std::vector<std::string> command = runtime::FirstLoadHelper();
  if (command.empty()) {
    return Unavailable("there is no program to run the workers")
        .Advise("put the anemone command into PATH, or name it in ANEMONE_HELPER");
  }
  options.resume = false;
  options.ray.clear();
  options.python.clear();
  std::error_code error;
  for (const options::Option& option : options::TableOf(options)) {
    auto* const* path = std::get_if<std::string*>(&option.field);
    if (option.holds != options::Holds::kPath || path == nullptr) continue;
    if (fs::exists(**path, error)) **path = fs::absolute(**path).string();
  }
  command.emplace_back("lab");
  for (std::string& word : options::CommandLine(options)) command.push_back(std::move(word));
  command.emplace_back("--worker");
  return command;
}

Result<lab::DriveOptions> MakeDriveOptions(const LabOptions& options, const Hooks& hooks,
                                           const lab::LabSubject& subject, lab::JobsDb& db) {
  lab::DriveOptions drive;
  drive.config = options.config;
  if (options.max_drop) drive.budget = lab::Budget{*options.max_drop};
  drive.sensitivity_samples = options.sensitivity_samples;
  drive.refinements = options.refinements;
  drive.jobs = options.jobs;
  drive.threads = options.threads;
  drive.cancelled = hooks.cancelled;
  drive.progress = hooks.progress;
  if (options.ray.empty()) return drive;
  lab::RayOptions ray;
  ray.address = options.ray;
  ray.database = (fs::path(options.output) / kDatabase).string();
  ray.python = options.python;
  ANEMONE_ASSIGN(ray.worker, WorkerCommand(options));
  ray.threads = options.threads;
  ray.cancelled = hooks.cancelled;
  ray.progress = hooks.progress;
  drive.elsewhere = [&subject, &db, ray](std::span<const lab::Job> jobs, int64_t first_position) {
    return lab::RunOnRay(subject, db, jobs, first_position, ray);
  };
  return drive;
}

Result<lab::Fidelity> DiagnoseModel(const PreparedLab& prepared, int threads) {
  lab::FidelityOptions options;
  options.threads = threads;
  options.to_float16 = [&](const ir::Model& single, const std::set<std::string>& keep) {
    return HalfCopy(single, prepared.models.convert.keep_float32, keep);
  };
  return lab::DiagnoseFloat16(prepared.subject.backend(), prepared.models.reference,
                              prepared.subject.samples().Subset(kFidelitySamples), options);
}

// The files that variants learned from, for `compress --calibration`.
std::string CalibrationList(const LabOptions& options, const lab::Samples& learned_from) {
  const bool listed = options.calibration.ends_with(".txt");  // then the names are paths already
  const fs::path folder = listed                        ? ""
                          : options.calibration.empty() ? options.images
                                                        : options.calibration;
  std::string list;
  for (const std::string& name : learned_from.names())
    list += fs::absolute(folder / name).string() + "\n";
  return list;
}

void ListSamples(const PreparedLab& prepared, lab::LabReport* report) {
  const auto list = [&](const lab::Samples& samples, bool learned_from) {
    for (size_t i = 0; i < samples.names().size(); ++i) {
      lab::LabReport::Sample sample{samples.names()[i], {}, learned_from};
      if (!samples.labels().empty()) sample.label = samples.labels()[i];
      report->sample_list.push_back(std::move(sample));
    }
  };
  list(*prepared.judged, false);
  if (prepared.learned_from != nullptr) list(*prepared.learned_from, true);
}

lab::LabReport ReportOn(const PreparedLab& prepared) {
  lab::LabReport report;
  report.model = prepared.models.name;
  report.tool_version = ANEMONE_VERSION;
  report.deployment_target = DeploymentTargetName(prepared.subject.function().opset);
  report.precision = prepared.models.precision;
  report.backend = std::string(prepared.subject.backend().name());
  report.samples = prepared.judged->description();
  if (prepared.learned_from != nullptr) report.calibration = prepared.learned_from->description();
  ListSamples(prepared, &report);
  report.subject = prepared.subject.sha256();
  report.base_sha256 = prepared.subject.base_sha256();
  return report;
}

Status WriteFiles(const LabOptions& options, const PreparedLab& prepared,
                  const lab::LabReport& report, const std::string& document) {
  const fs::path folder(options.output);
  ANEMONE_TRY(WriteAtomically((folder / "lab.json").string(), document));
  ANEMONE_TRY(WriteAtomically((folder / "lab.html").string(), lab::LabHtml(document)));
  if (!report.chosen.empty()) {
    for (const lab::Finished& variant : report.variants) {
      if (variant.job.name != report.chosen) continue;
      ANEMONE_TRY(WriteAtomically((folder / "chosen.json").string(),
                                  compress::ConfigurationJson(variant.job.configuration) + "\n"));
    }
    // What the configuration is for, unless the user has it as a file.
    if (prepared.models.converted)
      ANEMONE_TRY(Save(*prepared.models.base, (folder / kBase).string()));
  }
  if (prepared.learned_from == nullptr || options.images.empty()) return {};
  return WriteAtomically((folder / kCalibrationList).string(),
                         CalibrationList(options, *prepared.learned_from));
}

LabResult ResultOf(const LabOptions& options, const PreparedLab& prepared,
                   const lab::LabReport& report) {
  LabResult result;
  for (const lab::Finished& variant : report.variants) {
    LabVariant& row = result.variants.emplace_back();
    row.name = variant.job.name;
    row.error = variant.error;
    if (!variant.result) continue;
    row.package_bytes = variant.result->package_bytes;
    row.loss = variant.result->loss;
    row.samples = variant.result->samples;
    row.top1 = variant.result->top1;
    row.agreement = variant.result->agreement;
    if (variant.job.name == report.chosen)
      result.chosen_needs_data = compress::NeedsData(variant.job.configuration);
  }
  result.chosen = report.chosen;
  result.base = prepared.models.converted ? options.output + "/" + kBase : options.model;
  return result;
}

}  // namespace

Result<LabResult> RunLab(const LabOptions& given, const Hooks& hooks) {
  LabOptions options = given;
  ANEMONE_ASSIGN(const PreparedLab prepared, PrepareLab(options, hooks));
  const lab::LabSubject& subject = prepared.subject;
  ANEMONE_TRY(OpenFolder(options));
  ANEMONE_ASSIGN(auto db, lab::JobsDb::Open((fs::path(options.output) / kDatabase).string()));
  ANEMONE_TRY(
      db.AddSubject(subject.sha256(), prepared.models.name, prepared.judged->description()));
  lab::LabReport report = ReportOn(prepared);
  ANEMONE_ASSIGN(const auto drive, MakeDriveOptions(options, hooks, subject, db));
  ANEMONE_ASSIGN(const auto counts, lab::Drive(subject, db, drive, &report));
  report.weights = lab::HistogramsOf(subject.function(), compress::kDefaultWeightThreshold);
  if (prepared.models.precision == "float16" && options.fidelity) {
    Tell(hooks, "looking at half precision");
    ANEMONE_ASSIGN(report.fidelity, DiagnoseModel(prepared, options.threads));
  }
  const std::string document = lab::LabJson(report);
  ANEMONE_TRY(WriteFiles(options, prepared, report, document));
  ANEMONE_TRY(db.Checkpoint());
  LabResult result = ResultOf(options, prepared, report);
  result.jobs_found = counts.found;
  result.jobs = counts.evaluated;
  ANEMONE_ASSIGN(const Json parsed, ParseJson(document));
  result.json = DocumentText(parsed);
  return result;
}

Status RunLabWorker(const LabOptions& given, std::istream& jobs, std::ostream& outcomes) {
  LabOptions options = given;
  ANEMONE_ASSIGN(const PreparedLab prepared, PrepareLab(options, {}));
  return lab::WorkOnJobs(prepared.subject, options.threads, jobs, outcomes);
}

}  // namespace anemone::facade
