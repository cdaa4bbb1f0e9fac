#include "lab/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "compress/apply.h"
#include "compress/moments.h"
#include "compress/weights.h"
#include "exec/function_inputs.h"
#include "lab/parity.h"
#include "lab/subgraph.h"
#include "passes/rewriter.h"

namespace anemone::lab {
namespace {

using Values = std::map<std::string, exec::Tensor>;

// The calibration samples from which a form learns; their values are kept for each operator.
constexpr int64_t kCalibrationSamples = 16;

// A weight and the operators of the function's block that take it.
struct Site {
  WeightSensitivity found;
  std::vector<size_t> users;  // positions in the order, ascending
  std::vector<double> noise;  // by form: power of the error and of the output, over all users
  bool known = false;         // from an earlier pass
};

compress::WeightStep Only(const std::string& weight, const compress::OpConfig& config) {
  compress::WeightStep step;
  step.op_name_configs[weight] = config;
  return step;
}

// The weights of the base model, as the compression finds them.
Result<std::vector<Site>> FindSites(const LabSubject& subject, const OperationOrder& order) {
  std::unordered_map<std::string, size_t> place;
  for (size_t i = 0; i < order.size(); ++i) {
    for (const auto& output : order.at(i).outputs()) place[output->name] = i;
  }
  // Rewriter needs a function that it may change.
  ir::Model copy = CloneModel(subject.base());
  ir::Function* function = copy.program.Find(subject.function().name);
  const passes::Rewriter rewriter(*function);
  std::vector<Site> sites;
  std::map<std::string, int> weights_of_operator;
  for (const compress::Weight& weight : compress::FindWeights(rewriter)) {
    if (weight.value->literal->element_count() <= compress::kDefaultWeightThreshold) continue;
    Site site;
    site.found.weight = weight.op->name();
    site.found.shape = weight.value->type.shape();
    site.found.bytes = static_cast<int64_t>(weight.value->literal->bytes().size());
    const ir::Operation& first = *weight.uses[0].operation;
    site.found.operator_name = first.name();
    site.found.operator_type = first.type();
    for (const ir::Use& use : weight.uses) {
      const auto found = use.operation->outputs().empty()
                             ? place.end()
                             : place.find(use.operation->output()->name);
      if (found == place.end()) {
        site.found.skipped = "used inside control flow";
        continue;
      }
      site.users.push_back(found->second);
    }
    std::ranges::sort(site.users);
    site.users.erase(std::unique(site.users.begin(), site.users.end()), site.users.end());
    ++weights_of_operator[site.found.operator_name];
    sites.push_back(std::move(site));
  }
  // An operator's name is the simpler setting, and survives renamed constants; it serves when it
  // selects only this weight.
  for (Site& site : sites) {
    const bool alone = site.users.size() == 1 && weights_of_operator[site.found.operator_name] == 1;
    site.found.setting = alone ? site.found.operator_name : site.found.weight;
  }
  std::ranges::stable_sort(
      sites, {}, [](const Site& site) { return site.users.empty() ? SIZE_MAX : site.users[0]; });
  return sites;
}

// A loaded subgraph.
struct Part {
  Subgraph graph;
  std::unique_ptr<exec::Executable> executable;

  Result<Values> Run(const Values& known) const {
    Values inputs;
    for (const std::string& name : graph.inputs) {
      const auto found = known.find(name);
      if (found == known.end()) return Internal("the value '{}' was not kept", name);
      inputs[name] = found->second;
    }
    return executable->Run(inputs, nullptr, nullptr);
  }
};

// Kept values as calibration inputs of the operator that takes them.
class KeptValues final : public compress::CalibrationData {
 public:
  KeptValues(const std::vector<std::string>& inputs, const std::vector<Values>& values)
      : inputs_(inputs), values_(values) {}
  int64_t count() const override { return static_cast<int64_t>(values_.size()); }
  Result<Values> Sample(int64_t index) const override {
    Values inputs;
    for (const std::string& name : inputs_) {
      const auto found = values_[static_cast<size_t>(index)].find(name);
      if (found == values_[static_cast<size_t>(index)].end())
        return Internal("the value '{}' was not kept", name);
      inputs[name] = found->second;
    }
    return inputs;
  }

 private:
  const std::vector<std::string>& inputs_;
  const std::vector<Values>& values_;
};

class Pass {
 public:
  Pass(const LabSubject& subject, const SensitivityOptions& options, const OperationOrder& order)
      : subject_(subject),
        options_(options),
        order_(order),
        samples_(subject.samples().Subset(options.samples)) {
    load_.threads = options.threads;
  }

  // Runs the base on the samples; losses are measured against its outputs.
  Status Begin() {
    ANEMONE_ASSIGN(const auto executable, subject_.backend().Load(subject_.shared_base(), load_));
    for (int64_t i = 0; i < samples_.count(); ++i) {
      ANEMONE_ASSIGN(auto outputs, executable->Run(samples_.at(i), nullptr, nullptr));
      wanted_.push_back(std::move(outputs));
      values_.push_back(samples_.at(i));
    }
    const bool data = std::ranges::any_of(
        options_.forms, [](const Form& form) { return compress::NeedsData(form.config); });
    if (!data) return {};
    if (subject_.calibration() == nullptr) return Usage("there are no calibration inputs");
    const Samples learned = subject_.calibration()->Subset(kCalibrationSamples);
    for (int64_t i = 0; i < learned.count(); ++i) calibration_.push_back(learned.at(i));
    return {};
  }

  // Measures the forms of all `sites` that operator `at` takes.
  Status Measure(size_t at, std::span<Site*> sites) {
    ANEMONE_TRY(MoveTo(at));
    ANEMONE_ASSIGN(const Part plain, Load(at, at + 1));
    Part rest;
    const bool last = at + 1 == order_.size();
    if (!last) {
      ANEMONE_ASSIGN(rest, Load(at + 1, order_.size()));
    }
    ANEMONE_TRY(Calibrate(plain));
    std::vector<Values> clean;
    for (const Values& values : values_) {
      ANEMONE_ASSIGN(Values outputs, plain.Run(values));
      clean.push_back(std::move(outputs));
    }
    for (Site* site : sites) {
      for (size_t f = 0; f < options_.forms.size(); ++f) {
        if (options_.cancelled && options_.cancelled()) return Cancelled("interrupted");
        ANEMONE_TRY(MeasureForm(plain, last ? nullptr : &rest, clean, *site, f));
      }
    }
    return {};
  }

 private:
  Result<Part> Load(size_t begin, size_t end) const {
    Part part;
    ANEMONE_ASSIGN(part.graph, Extract(order_, begin, end));
    ANEMONE_ASSIGN(part.executable, subject_.backend().Load(part.graph.model, load_));
    return part;
  }

  // Moves the kept values from in front of operator `position_` to in front of `to`.
  Status MoveTo(size_t to) {
    if (to == position_) return {};
    ANEMONE_ASSIGN(const Part between, Load(position_, to));
    const std::vector<const ir::Value*> live = order_.LiveBefore(to);
    for (size_t i = 0; i < values_.size() + calibration_.size(); ++i) {
      Values& values = i < values_.size() ? values_[i] : calibration_[i - values_.size()];
      ANEMONE_ASSIGN(Values made, between.Run(values));
      Values kept;
      for (const ir::Value* value : live) {
        const auto found = made.find(value->name);
        if (found != made.end()) {
          kept[value->name] = std::move(found->second);
        } else if (const auto old = values.find(value->name); old != values.end()) {
          kept[value->name] = old->second;
        }
      }
      values = std::move(kept);
    }
    position_ = to;
    return {};
  }

  Status MeasureForm(const Part& plain, const Part* rest, const std::vector<Values>& clean,
                     Site& site, size_t form_index) {
    FormCost& cost = site.found.forms[form_index];
    Part changed;
    changed.graph = plain.graph;
    changed.graph.model = std::make_shared<ir::Model>(CloneModel(*plain.graph.model));
    const compress::WeightStep step = Only(site.found.weight, options_.forms[form_index].config);
    ANEMONE_ASSIGN(const compress::Report report,
                   compress::ApplyStep(changed.graph.model->program, step,
                                       {.threads = options_.threads,
                                        .cancelled = options_.cancelled,
                                        .progress = {},
                                        .calibration = nullptr,
                                        .inputs = nullptr,
                                        .learned = nullptr},
                                       &data_));
    if (report.compressed.empty()) {
      cost.possible = false;
      return {};
    }
    cost.possible = true;
    cost.bytes = report.compressed[0].bytes_after;
    ANEMONE_ASSIGN(changed.executable, subject_.backend().Load(changed.graph.model, load_));
    ParityMeter local;
    std::vector<ParityMeter> meters(subject_.function().outputs().size());
    for (size_t i = 0; i < values_.size(); ++i) {
      ANEMONE_ASSIGN(const Values outputs, changed.Run(values_[i]));
      for (const auto& [name, tensor] : outputs) {
        if (tensor.dtype() != DType::kFp32) continue;
        ANEMONE_TRY(AddFlat(clean[i].at(name), tensor, &local));
      }
      Values known = values_[i];
      for (const auto& [name, tensor] : outputs) known[name] = tensor;
      Values results;
      if (rest != nullptr) {
        ANEMONE_ASSIGN(results, rest->Run(known));
      }
      for (size_t k = 0; k < meters.size(); ++k) {
        const std::string& name = subject_.function().outputs()[k]->name;
        // An output made earlier, or by the operator itself, is not a result of the rest.
        const auto found = results.find(name);
        const exec::Tensor& got = found != results.end() ? found->second : known.at(name);
        ANEMONE_TRY(meters[k].Add(wanted_[i].at(name).view(), got.view()));
      }
    }
    std::vector<OutputParity> outputs;
    for (size_t k = 0; k < meters.size(); ++k)
      outputs.push_back({subject_.function().outputs()[k]->name, meters[k].Result(), {}, {}});
    // When several operators share the weight, losses add up and the largest noise counts.
    cost.loss += LossOf(outputs);
    cost.snr_db = std::min(cost.snr_db, local.Result().snr_db);
    return {};
  }

  // Learns how the calibration samples drive the operator's weight.
  Status Calibrate(const Part& plain) {
    data_ = {};
    if (calibration_.empty()) return {};
    const KeptValues kept(plain.graph.inputs, calibration_);
    compress::Calibration calibration;
    calibration.data = &kept;
    calibration.load = [this](std::shared_ptr<const ir::Model> model) {
      return subject_.backend().Load(std::move(model), load_);
    };
    const ir::Model& model = *plain.graph.model;
    ANEMONE_ASSIGN(
        compress::InputStatistics inputs,
        compress::CollectMoments(model, calibration, compress::MatrixNames(model.program), true, {},
                                 options_.cancelled));
    data_.inputs = std::make_shared<const compress::InputStatistics>(std::move(inputs));
    return {};
  }

  // Outputs of an operator may differ in shape; the meter is for one shape.
  static Status AddFlat(const exec::Tensor& reference, const exec::Tensor& variant,
                        ParityMeter* meter) {
    exec::ConstTensor a = reference.view();
    exec::ConstTensor b = variant.view();
    // As columns of one element, because there are no classes to rank inside a network.
    a.shape = {a.count(), 1};
    b.shape = {b.count(), 1};
    return meter->Add(a, b);
  }

  const LabSubject& subject_;
  const SensitivityOptions& options_;
  const OperationOrder& order_;
  Samples samples_;
  exec::LoadOptions load_;
  size_t position_ = 0;
  std::vector<Values> values_;  // by sample: the live values in front of operator position_
  std::vector<Values> wanted_;
  std::vector<Values> calibration_;  // as values_, for the calibration samples
  compress::WeightData data_;        // of the current operator
};

}  // namespace

Result<std::vector<WeightSensitivity>> MeasureSensitivity(const LabSubject& subject,
                                                          const SensitivityOptions& options) {
  const OperationOrder order(subject.function());
  ANEMONE_ASSIGN(std::vector<Site> sites, FindSites(subject, order));
  std::map<size_t, std::vector<Site*>> work;  // by operator
  for (Site& site : sites) {
    if (!site.found.skipped.empty()) continue;
    if (options.find) {
      ANEMONE_ASSIGN(auto earlier, options.find(site.found.weight));
      if (earlier) {
        site.found = std::move(*earlier);
        site.known = true;
        continue;
      }
    }
    for (const Form& form : options.forms) {
      FormCost cost;
      cost.form = form.name;
      cost.snr_db = kInfinity;
      site.found.forms.push_back(std::move(cost));
    }
    for (const size_t user : site.users) work[user].push_back(&site);
  }
  const auto total = static_cast<int64_t>(work.size());
  int64_t done = 0;
  if (total > 0) {
    Pass pass(subject, options, order);
    ANEMONE_TRY(pass.Begin());
    for (auto& [at, here] : work) {
      ANEMONE_TRY(pass.Measure(at, here).At(fmt::format("operator '{}'", order.at(at).name())));
      for (Site* site : here) {
        if (site->users.back() == at && options.store) ANEMONE_TRY(options.store(site->found));
      }
      if (options.progress) options.progress(++done, total);
    }
  }
  std::vector<WeightSensitivity> found;
  for (Site& site : sites) found.push_back(std::move(site.found));
  return found;
}

}  // namespace anemone::lab
