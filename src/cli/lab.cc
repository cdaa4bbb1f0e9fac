// anemone lab: a sweep of compressed variants, a search among them, a report.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "cli/lab_flags.h"
#include "compress/configuration_json.h"
#include "exec/session_inputs.h"
#include "facade/convert.h"
#include "facade/save.h"
#include "lab/report.h"
#include "lab/subgraph.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabase = "lab.sqlite";
constexpr const char* kCalibrationList = "calibration.txt";
constexpr int64_t kFidelitySamples = 4;

Status WriteText(const fs::path& path, const std::string& text) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path.string()));
  ANEMONE_TRY(file.Write(text));
  return file.Commit();
}

// What is compressed and what it is compared with.
struct Models {
  std::shared_ptr<const ir::Model> reference;
  std::shared_ptr<const ir::Model> base;
  std::string name;
  std::string precision;
  bool converted = false;  // the base is no package of the user's
  facade::ConvertOptions convert;
};

Result<std::shared_ptr<const ir::Model>> Convert(const ir::Model& model,
                                                 facade::ConvertOptions options,
                                                 facade::Precision precision) {
  auto copy = std::make_shared<ir::Model>(facade::CloneModel(model));
  options.precision = precision;
  ANEMONE_TRY(facade::Convert(*copy, options));
  return std::shared_ptr<const ir::Model>(std::move(copy));
}

Result<Models> MakeModels(const LabFlags& flags) {
  ANEMONE_ASSIGN(auto loaded, Load(flags.model));
  Models models;
  models.name = loaded.name;
  const bool package = loaded.origin.starts_with("ml");
  models.converted = !package || !flags.precision.empty() || !flags.target.empty();
  models.precision = flags.precision.empty() ? (package ? "as it is" : "float16") : flags.precision;
  const ir::Function* function = loaded.model->program.main();
  models.convert.target = function != nullptr ? function->opset : ir::Opset::kIOS17;
  if (!package) models.convert.target = ir::Opset::kIOS17;
  if (!flags.target.empty()) {
    ANEMONE_ASSIGN(models.convert.target, facade::ParseDeploymentTarget(flags.target));
  }
  models.convert.keep_float32 = flags.keep_float32;
  if (!models.converted) {
    models.reference = models.base = loaded.model;
    return models;
  }
  ANEMONE_ASSIGN(models.reference,
                 Convert(*loaded.model, models.convert, facade::Precision::kFloat32));
  models.base = models.reference;
  if (models.precision == "float16") {
    ANEMONE_ASSIGN(models.base,
                   Convert(*loaded.model, models.convert, facade::Precision::kFloat16));
  }
  return models;
}

Result<lab::Samples> MakeSamples(const LabFlags& flags, const ir::Model& model) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  if (flags.images.empty()) {
    if (!flags.labels.empty()) return Usage("--labels needs --images");
    return lab::Samples::Synthetic(*function, flags.samples, flags.input_seed);
  }
  ANEMONE_ASSIGN(const lab::Preprocess preprocess, PreprocessOf(flags));
  if (flags.labels.empty())
    return lab::Samples::Folder(*function, flags.images, preprocess, flags.limit);
  ANEMONE_ASSIGN(const auto images, lab::ReadLabels(flags.labels));
  return lab::Samples::Labeled(*function, flags.images, images, preprocess, flags.limit);
}

// Judges and teachers.
struct SampleSets {
  std::shared_ptr<const lab::Samples> judged;
  std::shared_ptr<const lab::Samples> learned_from;  // null: none
};

// Whether the list of variants needs inputs to learn from.
Result<bool> ListNeedsData(const LabFlags& flags) {
  if (flags.config.empty()) return false;
  ANEMONE_ASSIGN(const auto configurations, lab::ReadConfigurations(flags.config));
  return std::ranges::any_of(configurations,
                             [](const auto& named) { return compress::NeedsData(named.second); });
}

// Resolves --hold-out for good: workers are told the outcome.
Result<SampleSets> MakeSampleSets(LabFlags& flags, const ir::Model& model) {
  ANEMONE_ASSIGN(auto judged, MakeSamples(flags, model));
  SampleSets sets;
  const auto share = [](lab::Samples samples) {
    return std::make_shared<const lab::Samples>(std::move(samples));
  };
  if (!flags.calibration.empty()) {
    if (flags.hold_out > 0) return Usage("give one of --calibration and --hold-out");
    LabFlags others = flags;
    others.images = flags.calibration;
    others.labels.clear();
    ANEMONE_ASSIGN(auto learned, MakeSamples(others, model));
    sets.learned_from = share(std::move(learned));
  } else {
    constexpr double kShare = 0.25;
    if (flags.hold_out < 0) {
      ANEMONE_ASSIGN(const bool needed, ListNeedsData(flags));
      const bool search = flags.max_drop >= 0 && !flags.images.empty();
      flags.hold_out = needed || search ? kShare : 0;
    }
    if (flags.hold_out > 0 && judged.count() > 1) {
      const auto every = static_cast<int64_t>(std::lround(1 / flags.hold_out));
      sets.learned_from = share(judged.SetAside(std::clamp<int64_t>(every, 2, judged.count())));
    }
  }
  sets.judged = share(std::move(judged));
  return sets;
}

Status OpenFolder(const LabFlags& flags) {
  std::error_code error;
  const fs::path folder(flags.output);
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    return Usage("it is no folder").At(flags.output).Advise("give another -o");
  if (!flags.resume && fs::exists(folder / kDatabase, error)) {
    return Usage("there is a lab in it already")
        .At(flags.output)
        .Advise("go on with --resume, or give another -o");
  }
  fs::create_directories(folder, error);
  if (error) return IoError("cannot create the folder: {}", error.message()).At(flags.output);
  return {};
}

// The lab at work.
class Lab {
 public:
  Lab(const LabFlags& flags, const Globals& globals, const lab::LabSubject& subject,
      lab::JobsDb& db)
      : flags_(flags), globals_(globals), subject_(subject), db_(db), progress_(globals) {}

  // The variants of the list and the mixes of a search alike. A single one is not worth a cluster.
  Result<std::vector<lab::Finished>> Sweep(std::span<const lab::Job> jobs) {
    if (!flags_.ray.empty() && jobs.size() > 1)
      ANEMONE_TRY(RunOnRay(subject_, db_, jobs, position_, flags_, globals_, progress_));
    lab::SweepOptions options;
    options.jobs = flags_.jobs;
    options.threads = globals_.threads;
    options.progress = [&](int64_t done, int64_t total, const lab::Finished& finished, bool found) {
      progress_.Count(done, total, finished.job.name + (found ? " (found)" : ""));
      found_ += found ? 1 : 0;
      ++evaluated_;
    };
    ANEMONE_ASSIGN(auto finished, lab::RunSweep(subject_, db_, jobs, position_, options));
    position_ += static_cast<int64_t>(jobs.size());
    return finished;
  }

  Status MeasureSensitivity(std::vector<lab::WeightSensitivity>* found) {
    lab::SensitivityOptions options;
    options.forms = Forms();
    options.samples = flags_.sensitivity_samples;
    options.threads = globals_.threads;
    options.progress = [&](int64_t done, int64_t total) {
      progress_.Count(done, total, "operators, one form after the other");
    };
    std::string forms;
    for (const lab::Form& form : options.forms) forms += form.name + ";";
    const auto key = [samples = options.samples, forms](const std::string& weight) {
      return fmt::format("sensitivity of {} on {} samples, forms {}", weight, samples, forms);
    };
    options.find =
        [&, key](const std::string& weight) -> Result<std::optional<lab::WeightSensitivity>> {
      ANEMONE_ASSIGN(const auto note, db_.FindNote(subject_.sha256(), key(weight)));
      if (!note) return std::optional<lab::WeightSensitivity>();
      ANEMONE_ASSIGN(auto known, lab::ParseSensitivity(*note));
      return std::optional(std::move(known));
    };
    options.store = [&, key](const lab::WeightSensitivity& weight) -> Status {
      for (const lab::FormCost& cost : weight.forms) {
        if (!cost.possible) continue;
        ANEMONE_TRY(db_.StoreSensitivity(subject_.sha256(), weight.weight, cost.form, cost.bytes,
                                         cost.loss, cost.snr_db));
      }
      return db_.StoreNote(subject_.sha256(), key(weight.weight), lab::SensitivityJson(weight));
    };
    ANEMONE_ASSIGN(*found, lab::MeasureSensitivity(subject_, options));
    return {};
  }

  Status Run(lab::LabReport* report) {
    std::vector<lab::Job> jobs;
    if (flags_.config.empty()) {
      ANEMONE_ASSIGN(jobs, lab::DefaultJobs(subject_));
    } else {
      ANEMONE_ASSIGN(jobs, lab::ReadJobs(subject_, flags_.config));
    }
    ANEMONE_ASSIGN(report->variants, Sweep(jobs));
    const std::string base_key = subject_.KeyOf({});
    const auto find_base = [&] {
      for (const lab::Finished& variant : report->variants)
        if (variant.job.key == base_key) report->base = variant.result;
    };
    find_base();
    if (flags_.max_drop >= 0) {
      if (!report->base) {
        const lab::Job job = lab::MakeJob(subject_, "base", {});
        ANEMONE_ASSIGN(auto done, Sweep(std::span(&job, 1)));
        report->variants.insert(report->variants.begin(), done[0]);
        find_base();
      }
      if (!report->base)
        return Unsupported("the base model cannot be measured: {}", report->variants[0].error);
      ANEMONE_TRY(Search(report));
    }
    return {};
  }

  int64_t found() const { return found_; }
  int64_t evaluated() const { return evaluated_; }

 private:
  std::vector<lab::Form> Forms() const {
    return lab::FormsOf(subject_.function().opset, subject_.calibration() != nullptr);
  }

  Status Search(lab::LabReport* report) {
    report->budget = lab::Budget{flags_.max_drop};
    ANEMONE_TRY(MeasureSensitivity(&report->sensitivity));
    std::vector<lab::WeightSensitivity> weights;
    for (const auto& weight : report->sensitivity)
      if (weight.skipped.empty()) weights.push_back(weight);
    lab::SearchOptions options;
    options.budget = *report->budget;
    options.forms = Forms();
    options.max_refinements = flags_.refinements;
    // Who compresses with the chosen configuration needs the data again: there must be some.
    options.try_bias_correction = subject_.calibration() != nullptr;
    options.evaluate = [&](std::span<const lab::Job> jobs) { return Sweep(jobs); };
    for (const lab::Finished& variant : report->variants) {
      if (variant.result && variant.job.name != "base" &&
          !variant.job.configuration.weights.empty())
        options.targets.push_back({variant.job.name, variant.result->weight_bytes});
    }
    ANEMONE_ASSIGN(const lab::Found found, lab::Search(subject_, weights, *report->base, options));
    // The smallest within the budget, of the given variants and the mixes.
    int64_t smallest = INT64_MAX;
    const auto consider = [&](const lab::Finished& variant) {
      if (!variant.result || variant.result->package_bytes >= smallest) return;
      if (lab::DropPct(*report->base, *variant.result) > report->budget->max_drop_pct) return;
      smallest = variant.result->package_bytes;
      report->chosen = variant.job.name;
    };
    std::map<std::string, bool> known;
    for (const lab::Finished& variant : report->variants) known[variant.job.key] = true;
    for (const lab::Finished& variant : found.tried)
      if (!std::exchange(known[variant.job.key], true)) report->variants.push_back(variant);
    for (const lab::Finished& variant : report->variants) consider(variant);
    return {};
  }

  const LabFlags& flags_;
  const Globals& globals_;
  const lab::LabSubject& subject_;
  lab::JobsDb& db_;
  Progress progress_;
  int64_t position_ = 0;
  int64_t found_ = 0;
  int64_t evaluated_ = 0;
};

Result<lab::Fidelity> DiagnoseModel(const Models& models, const lab::LabSubject& subject,
                                    const Globals& globals) {
  lab::FidelityOptions options;
  options.threads = globals.threads;
  options.to_float16 = [&](const std::vector<std::string>& keep) {
    facade::ConvertOptions convert = models.convert;
    convert.keep_float32.insert(convert.keep_float32.end(), keep.begin(), keep.end());
    return Convert(*models.reference, convert, facade::Precision::kFloat16);
  };
  return lab::DiagnoseFloat16(subject.backend(), models.reference,
                              subject.samples().Subset(kFidelitySamples), options);
}

// The files that variants learned from, for `compress --calibration`.
std::string CalibrationList(const LabFlags& flags, const lab::Samples& learned_from) {
  const bool listed = flags.calibration.ends_with(".txt");  // then the names are paths already
  const fs::path folder = listed                      ? ""
                          : flags.calibration.empty() ? flags.images
                                                      : flags.calibration;
  std::string list;
  for (const std::string& name : learned_from.names())
    list += fs::absolute(folder / name).string() + "\n";
  return list;
}

void ListSamples(const SampleSets& sets, lab::LabReport* report) {
  const auto list = [&](const lab::Samples& samples, bool learned_from) {
    for (size_t i = 0; i < samples.names().size(); ++i) {
      lab::LabReport::Sample sample{samples.names()[i], {}, learned_from};
      if (!samples.labels().empty()) sample.label = samples.labels()[i];
      report->sample_list.push_back(std::move(sample));
    }
  };
  list(*sets.judged, false);
  if (sets.learned_from != nullptr) list(*sets.learned_from, true);
}

void SayResults(const lab::LabReport& report, const Globals& globals) {
  for (const lab::Finished& variant : report.variants) {
    if (!variant.result) {
      Say(globals, fmt::format("{:32} {}", variant.job.name, variant.error));
      continue;
    }
    const lab::VariantResult& result = *variant.result;
    std::string line = fmt::format("{:32} {:>9.2f} MB  loss {:<10.4g}", variant.job.name,
                                   static_cast<double>(result.package_bytes) * 1e-6, result.loss);
    if (result.top1) line += fmt::format("  top-1 {}/{}", *result.top1, result.samples);
    if (result.agreement) line += fmt::format("  agrees {}/{}", *result.agreement, result.samples);
    Say(globals, line + (variant.job.name == report.chosen ? "  <- chosen" : ""));
  }
}

Status WriteFiles(const LabFlags& flags, const Models& models, const lab::LabReport& report) {
  const fs::path folder(flags.output);
  const std::string document = lab::LabJson(report);
  ANEMONE_TRY(WriteText(folder / "lab.json", document));
  ANEMONE_TRY(WriteText(folder / "lab.html", lab::LabHtml(document)));
  if (report.chosen.empty()) return {};
  for (const lab::Finished& variant : report.variants) {
    if (variant.job.name != report.chosen) continue;
    ANEMONE_TRY(WriteText(folder / "chosen.json",
                          compress::ConfigurationJson(variant.job.configuration) + "\n"));
  }
  // What the configuration is for, unless the user has it as a file.
  if (models.converted)
    ANEMONE_TRY(facade::Save(*models.base, (folder / "base.mlpackage").string()));
  return {};
}

Status RunLab(LabFlags flags, const Globals& globals) {
  Progress progress(globals);
  if (!flags.precision.empty() && flags.precision != "float16" && flags.precision != "float32") {
    return Usage("unknown compute precision '{}'", flags.precision)
        .Advise("choose float32 or float16");
  }
  progress.Step("reading " + flags.model.source.model);
  ANEMONE_ASSIGN(const Models models, MakeModels(flags));
  progress.Step("reading the samples");
  ANEMONE_ASSIGN(const SampleSets sets, MakeSampleSets(flags, *models.reference));
  const lab::Samples* samples = sets.judged.get();
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(flags.backend));
  progress.Step("running the reference");
  ANEMONE_ASSIGN(const auto subject,
                 lab::LabSubject::Make(models.reference, models.base, sets.judged, *backend,
                                       globals.threads, sets.learned_from));
  if (flags.max_drop >= 0 && lab::FormsOf(subject.function().opset, false).empty()) {
    return Unsupported("no op set before iOS16 holds compressed weights")
        .Advise("give --minimum-deployment-target iOS16, or higher");
  }
  if (flags.worker) return WorkOnJobs(subject, globals);
  ANEMONE_TRY(OpenFolder(flags));
  ANEMONE_ASSIGN(auto db, lab::JobsDb::Open((fs::path(flags.output) / kDatabase).string()));
  ANEMONE_TRY(db.AddSubject(subject.sha256(), models.name, samples->description()));
  lab::LabReport report;
  report.model = models.name;
  report.tool_version = ANEMONE_VERSION;
  report.deployment_target = facade::DeploymentTargetName(subject.function().opset);
  report.precision = models.precision;
  report.backend = std::string(backend->name());
  report.samples = samples->description();
  if (sets.learned_from != nullptr) report.calibration = sets.learned_from->description();
  ListSamples(sets, &report);
  report.subject = subject.sha256();
  report.base_sha256 = subject.base_sha256();
  Lab lab(flags, globals, subject, db);
  ANEMONE_TRY(lab.Run(&report));
  report.weights = lab::HistogramsOf(subject.function(), compress::kDefaultWeightThreshold);
  if (models.precision == "float16" && !flags.no_fidelity) {
    progress.Step("looking at half precision");
    ANEMONE_ASSIGN(report.fidelity, DiagnoseModel(models, subject, globals));
  }
  ANEMONE_TRY(WriteFiles(flags, models, report));
  if (sets.learned_from != nullptr && !flags.images.empty()) {
    ANEMONE_TRY(WriteText(fs::path(flags.output) / kCalibrationList,
                          CalibrationList(flags, *sets.learned_from)));
  }
  ANEMONE_TRY(db.Checkpoint());
  SayResults(report, globals);
  Say(globals, fmt::format("{}/lab.html: {} variants, {} of {} jobs found finished", flags.output,
                           report.variants.size(), lab.found(), lab.evaluated()));
  for (const lab::Finished& variant : report.variants) {
    if (variant.job.name != report.chosen || report.chosen.empty()) continue;
    Say(globals,
        fmt::format("to make it: anemone compress {} -o OUT.mlpackage --config {}/chosen.json{}",
                    models.converted ? flags.output + "/base.mlpackage" : flags.model.source.model,
                    flags.output,
                    compress::NeedsData(variant.job.configuration)
                        ? fmt::format(" --calibration {}/{}", flags.output, kCalibrationList)
                        : std::string()));
  }
  if (globals.json) Print(Json::parse(lab::LabJson(report)));
  if (flags.max_drop >= 0 && report.chosen.empty()) {
    return Mismatch("no variant loses at most {} %", flags.max_drop)
        .Advise("allow more with --max-drop");
  }
  return {};
}

}  // namespace

void AddLab(Command app, Context& context) {
  Command command = app.AddCommand(
      "lab", "sweep compressed variants, search for the smallest within a loss, report");
  auto flags = std::make_shared<LabFlags>();
  AddLabFlags(command, *flags);
  OnRun(command, context, [flags, &context] { return RunLab(*flags, context.globals); });
}

}  // namespace anemone::cli
