#include "lab/driver.h"

#include <map>
#include <utility>

namespace anemone::lab {
namespace {

class Driver {
 public:
  Driver(const LabSubject& subject, JobsDb& db, const DriveOptions& options)
      : subject_(subject), db_(db), options_(options) {}

  Status Run(LabReport* report) {
    std::vector<Job> jobs;
    if (options_.config.empty()) {
      ANEMONE_ASSIGN(jobs, DefaultJobs(subject_));
    } else {
      ANEMONE_ASSIGN(jobs, ReadJobs(subject_, options_.config));
    }
    ANEMONE_ASSIGN(report->variants, Sweep(jobs));
    const std::string base_key = subject_.KeyOf({});
    const auto find_base = [&] {
      for (const Finished& variant : report->variants)
        if (variant.job.key == base_key) report->base = variant.result;
    };
    find_base();
    if (!options_.budget) return {};
    if (!report->base) {
      const Job job = MakeJob(subject_, "base", {});
      ANEMONE_ASSIGN(auto done, Sweep(std::span(&job, 1)));
      report->variants.insert(report->variants.begin(), done[0]);
      find_base();
    }
    if (!report->base)
      return Unsupported("the base model cannot be measured: {}", report->variants[0].error);
    return SearchMix(report);
  }

  const DriveCounts& counts() const { return counts_; }

 private:
  // Both the variants of the list and the mixes of a search.
  Result<std::vector<Finished>> Sweep(std::span<const Job> jobs) {
    if (options_.elsewhere && jobs.size() > 1) ANEMONE_TRY(options_.elsewhere(jobs, position_));
    SweepOptions options;
    options.jobs = options_.jobs;
    options.threads = options_.threads;
    options.cancelled = options_.cancelled;
    options.progress = [&](int64_t done, int64_t total, const Finished& finished, bool found) {
      Tell(finished.job.name + (found ? " (found)" : ""), done, total);
      counts_.found += found ? 1 : 0;
      ++counts_.evaluated;
    };
    ANEMONE_ASSIGN(auto finished, RunSweep(subject_, db_, jobs, position_, options));
    position_ += static_cast<int64_t>(jobs.size());
    return finished;
  }

  Result<std::vector<WeightSensitivity>> Sensitivities() {
    SensitivityOptions options;
    options.forms = Forms();
    options.samples = options_.sensitivity_samples;
    options.threads = options_.threads;
    options.cancelled = options_.cancelled;
    options.progress = [&](int64_t done, int64_t total) {
      Tell("operators, one form after the other", done, total);
    };
    std::string forms;
    for (const Form& form : options.forms) forms += form.name + ";";
    const auto key = [samples = options.samples, forms](const std::string& weight) {
      return fmt::format("sensitivity of {} on {} samples, forms {}", weight, samples, forms);
    };
    options.find = [&, key](const std::string& weight) -> Result<std::optional<WeightSensitivity>> {
      ANEMONE_ASSIGN(const auto note, db_.FindNote(subject_.sha256(), key(weight)));
      if (!note) return std::optional<WeightSensitivity>();
      ANEMONE_ASSIGN(auto known, ParseSensitivity(*note));
      return std::optional(std::move(known));
    };
    options.store = [&, key](const WeightSensitivity& weight) -> Status {
      for (const FormCost& cost : weight.forms) {
        if (!cost.possible) continue;
        ANEMONE_TRY(db_.StoreSensitivity(subject_.sha256(), weight.weight, cost.form, cost.bytes,
                                         cost.loss, cost.snr_db));
      }
      return db_.StoreNote(subject_.sha256(), key(weight.weight), SensitivityJson(weight));
    };
    return MeasureSensitivity(subject_, options);
  }

  Status SearchMix(LabReport* report) {
    report->budget = options_.budget;
    ANEMONE_ASSIGN(report->sensitivity, Sensitivities());
    std::vector<WeightSensitivity> weights;
    for (const auto& weight : report->sensitivity)
      if (weight.skipped.empty()) weights.push_back(weight);
    SearchOptions options;
    options.budget = *report->budget;
    options.forms = Forms();
    options.max_refinements = options_.refinements;
    // Who compresses with the chosen configuration needs the data again: there must be some.
    options.try_bias_correction = subject_.calibration() != nullptr;
    options.evaluate = [&](std::span<const Job> jobs) { return Sweep(jobs); };
    for (const Finished& variant : report->variants) {
      if (variant.result && variant.job.name != "base" &&
          !variant.job.configuration.weights.empty())
        options.targets.push_back({variant.job.name, variant.result->weight_bytes});
    }
    ANEMONE_ASSIGN(const Found found, Search(subject_, weights, *report->base, options));
    std::map<std::string, bool> known;
    for (const Finished& variant : report->variants) known[variant.job.key] = true;
    for (const Finished& variant : found.tried)
      if (!std::exchange(known[variant.job.key], true)) report->variants.push_back(variant);
    Choose(report);
    return {};
  }

  // The smallest within the budget, of the given variants and the mixes.
  static void Choose(LabReport* report) {
    int64_t smallest = INT64_MAX;
    for (const Finished& variant : report->variants) {
      if (!variant.result || variant.result->package_bytes >= smallest) continue;
      if (DropPct(*report->base, *variant.result) > report->budget->max_drop_pct) continue;
      smallest = variant.result->package_bytes;
      report->chosen = variant.job.name;
    }
  }

  std::vector<Form> Forms() const {
    return FormsOf(subject_.function().opset, subject_.calibration() != nullptr);
  }
  void Tell(const std::string& stage, int64_t done, int64_t total) const {
    if (options_.progress) options_.progress(stage, done, total);
  }

  const LabSubject& subject_;
  JobsDb& db_;
  const DriveOptions& options_;
  int64_t position_ = 0;
  DriveCounts counts_;
};

}  // namespace

Result<DriveCounts> Drive(const LabSubject& subject, JobsDb& db, const DriveOptions& options,
                          LabReport* report) {
  Driver driver(subject, db, options);
  ANEMONE_TRY(driver.Run(report));
  return driver.counts();
}

}  // namespace anemone::lab
