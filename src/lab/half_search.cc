#include "lab/half_search.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "exec/function_inputs.h"
#include "ir/arithmetic.h"
#include "lab/half_trace.h"
#include "lab/subgraph.h"
#include "passes/pipeline.h"
#include "passes/rescale_for_half.h"

namespace anemone::lab {
namespace {

// Runs of the program, on one sample each, that a search may take: as many as this arithmetic allows
// (some seconds), within limits.
constexpr double kMostFlops = 2e11;
constexpr double kFewestRuns = 28;
constexpr double kMostRuns = 160;
// The stretches of a network whose share of the error is measured.
constexpr size_t kStretches = 16;
// A list within this share is short enough that no other is looked for.
constexpr double kSmallShare = 0.01;

struct HalfStep {
  std::string name;
  double flops = 0;
};

struct HalfTrial {
  std::set<std::string> keep;
  HalfOutcome outcome;
  HalfCost cost;
};

class HalfSearch {
 public:
  HalfSearch(const HalfCheck& check, const HalfSearchOptions& options)
      : check_(check), options_(options), base_(check.single()) {}

  Result<HalfPlan> Run() {
    ANEMONE_ASSIGN(plain_, Try({}));
    start_ = plain_;
    if (options_.chooses && plain_.outcome.worst > options_.goal) {
      ANEMONE_TRY(Prepare());
      ANEMONE_TRY(Trace());
      if (plain_.outcome.worst > options_.limit) ANEMONE_TRY(Rescale());
      if (start_.outcome.worst > options_.goal) {
        ANEMONE_TRY(List());
        most_runs_ = runs_ + std::clamp(kMostFlops / std::max(flops_, 1.0), kFewestRuns, kMostRuns);
        ANEMONE_TRY(WorstFirst());
        if (!Good(best_, kSmallShare)) ANEMONE_TRY(ByStretches());
      }
    }
    return Plan();
  }

 private:
  bool broken() const { return !start_.outcome.failure.empty(); }
  bool Good(const std::optional<HalfTrial>& trial, double share) const {
    return trial && trial->outcome.worst <= options_.goal && trial->cost.share <= share;
  }

  // Whether one more set may be tested, on `samples` samples.
  bool MayTry(size_t samples) const { return runs_ + static_cast<double>(samples) <= most_runs_; }
  size_t all_samples() const { return check_.samples().size(); }

  // On the first `samples` samples; 0: on all.
  Result<HalfTrial> Try(std::set<std::string> keep, size_t samples = 0) {
    if (options_.cancelled && options_.cancelled()) return Cancelled("interrupted");
    runs_ += static_cast<double>(samples == 0 ? all_samples() : samples);
    HalfTrial trial;
    keep.insert(forced_.begin(), forced_.end());
    ANEMONE_ASSIGN(const auto half, options_.to_float16(*base_, keep));
    trial.keep = std::move(keep);
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*half, check_.function()));
    trial.cost = CostOfHalf(*function);
    ANEMONE_ASSIGN(trial.outcome, check_.Judge(half, samples));
    return trial;
  }

  // The program as the conversion changes it before it rounds.
  Status Prepare() {
    auto model = std::make_shared<ir::Model>(CloneModel(*base_));
    const passes::PassGroup group = passes::HalfPreparation();
    ANEMONE_TRY(passes::RunPasses(model->program, std::span(&group, 1)).status());
    base_ = std::move(model);
    return {};
  }

  Status Trace() {
    ANEMONE_ASSIGN(rows_, TraceHalf(check_.backend(), base_, check_.function(),
                                    std::span(check_.samples()).first(1), check_.threads()));
    return {};
  }

  // Scales what leaves half's range, when that helps.
  Status Rescale() {
    std::unordered_map<std::string, double> largest;
    for (const OperatorFidelity& row : rows_) largest[row.value] = row.largest;
    const std::shared_ptr<const ir::Model> before = base_;
    auto model = std::make_shared<ir::Model>(CloneModel(*base_));
    ANEMONE_ASSIGN(const ir::Function* chosen, exec::ChooseFunction(*model, check_.function()));
    ANEMONE_ASSIGN(const passes::Rescaled rescaled,
                   passes::RescaleForHalf(*model->program.Find(chosen->name), largest));
    if (rescaled.operators == 0) return {};
    base_ = std::move(model);
    forced_.insert(rescaled.keep_float32.begin(), rescaled.keep_float32.end());
    ANEMONE_ASSIGN(HalfTrial trial, Try({}));
    if (trial.outcome.worst >= plain_.outcome.worst) {
      base_ = before;
      forced_.clear();
      return {};
    }
    start_ = std::move(trial);
    rescaled_ = rescaled.operators;
    return start_.outcome.worst > options_.goal ? Trace() : Status();
  }

  // The operators of the program, and what takes their results.
  Status List() {
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*base_, check_.function()));
    const ir::UseMap uses = ir::FindUses(*function);
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (operation.is_const()) return;
      const double flops = static_cast<double>(ir::FlopsOf(operation, function->opset).value_or(0));
      steps_.push_back({operation.name(), flops});
      flops_ += flops;
      for (const auto& output : operation.outputs()) {
        const auto found = uses.find(output.get());
        if (found == uses.end()) continue;
        for (const ir::Use& use : found->second)
          if (use.operation != nullptr) takers_[operation.name()].push_back(use.operation->name());
      }
    });
    return {};
  }

  // Remembers the trial when no earlier one serves better.
  void Consider(const HalfTrial& trial) {
    if (trial.outcome.worst <= options_.limit)
      least_share_ = std::min(least_share_, trial.cost.share);
    const auto rank = [&](const HalfTrial& each) {
      const int reached = each.outcome.worst <= options_.goal    ? 0
                          : each.outcome.worst <= options_.limit ? 1
                          : each.outcome.failure.empty()         ? 2
                                                                 : 3;
      return std::pair(reached, reached < 2 ? each.cost.share : each.outcome.worst);
    };
    if (!best_ || rank(trial) < rank(*best_)) best_ = trial;
  }

  // The first `count` operators of `order`, and what takes their values as long as these are beyond
  // half's range (a convolution, its relu), to the operator that leads back.
  std::set<std::string> Chosen(const std::vector<const OperatorFidelity*>& order,
                               size_t count) const {
    std::vector<std::string> chosen;
    std::set<std::string> seen;
    const auto choose = [&](const std::string& name) {
      if (seen.insert(name).second) chosen.push_back(name);
    };
    for (size_t i = 0; i < count; ++i) choose(order[i]->name);
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (!overflowing_.contains(chosen[i])) continue;
      const auto found = takers_.find(chosen[i]);
      if (found == takers_.end()) continue;
      for (const std::string& taker : found->second) choose(taker);
    }
    return seen;
  }

  // The worst 1, 2, 4 ... operators, until the outputs are near enough; then fewer again.
  Status WorstFirst() {
    std::vector<const OperatorFidelity*> order;
    for (const OperatorFidelity& row : rows_) {
      if (row.added > 0) order.push_back(&row);
      if (row.overflowing > 0) overflowing_.insert(row.name);
    }
    std::ranges::stable_sort(order, std::greater(), &OperatorFidelity::added);
    size_t failed = 0;
    size_t reached = 0;
    for (size_t count = 1; !order.empty() && MayTry(all_samples()); count *= 2) {
      count = std::min(count, order.size());
      ANEMONE_ASSIGN(const HalfTrial trial, Try(Chosen(order, count)));
      Consider(trial);
      if (trial.outcome.worst <= options_.goal) {
        reached = count;
        break;
      }
      failed = count;
      if (count == order.size() || (!broken() && trial.cost.share > options_.most_share)) break;
    }
    while (reached > failed + 1 && MayTry(all_samples())) {
      const size_t middle = (reached + failed) / 2;
      ANEMONE_ASSIGN(const HalfTrial trial, Try(Chosen(order, middle)));
      Consider(trial);
      (trial.outcome.worst <= options_.goal ? reached : failed) = middle;
    }
    return {};
  }

  struct Stretch {
    std::set<std::string> names;
    double flops = 0;
    double error = 0;  // of the outputs when only this stretch is half
  };

  // Measures what each stretch of the network adds by itself. Independent errors add as squares, so
  // the stretches that add most for their arithmetic are kept until what remains is small enough.
  Status ByStretches() {
    std::vector<Stretch> stretches(std::min(kStretches, steps_.size()));
    // Where the answers that are sought are of all samples, the parts are told apart by one.
    if (!MayTry(stretches.size() + 2 * all_samples())) return {};
    for (size_t i = 0; i < steps_.size(); ++i) {
      Stretch& stretch = stretches[i * stretches.size() / steps_.size()];
      stretch.names.insert(steps_[i].name);
      stretch.flops += steps_[i].flops;
    }
    for (Stretch& stretch : stretches) {
      std::set<std::string> keep;
      for (const HalfStep& step : steps_)
        if (!stretch.names.contains(step.name)) keep.insert(step.name);
      ANEMONE_ASSIGN(const HalfTrial trial, Try(std::move(keep), 1));
      stretch.error = std::min(trial.outcome.worst, 1e3);
    }
    std::ranges::stable_sort(stretches, [&](const Stretch& a, const Stretch& b) {
      return a.error * a.error * (b.flops + 1) > b.error * b.error * (a.flops + 1);
    });
    std::set<std::string> keep;
    double kept = 0;
    for (size_t i = 0; i < stretches.size() && MayTry(all_samples()); ++i) {
      keep.insert(stretches[i].names.begin(), stretches[i].names.end());
      kept += stretches[i].flops;
      double left = 0;
      for (size_t k = i + 1; k < stretches.size(); ++k)
        left += stretches[k].error * stretches[k].error;
      // A set that is expected to miss the goal by far is not tested.
      if (std::sqrt(left) > 2 * options_.goal) continue;
      if (best_ && best_->outcome.worst <= options_.goal && kept > best_->cost.share * flops_)
        return {};
      ANEMONE_ASSIGN(const HalfTrial trial, Try(keep));
      Consider(trial);
      if (trial.outcome.worst <= options_.goal) return {};
    }
    return {};
  }

  Result<HalfPlan> Plan() {
    HalfPlan plan;
    plan.plain = plain_.outcome;
    plan.base = base_;
    plan.rescaled = rescaled_;
    plan.least_share = least_share_;
    const HalfTrial* chosen = &start_;
    if (best_ && best_->outcome.worst < start_.outcome.worst) {
      const bool needed = start_.outcome.worst > options_.limit;
      const double most = broken() ? 1 : needed ? options_.most_share : options_.most_share / 5;
      const bool serves =
          broken() ? best_->outcome.failure.empty() : best_->outcome.worst <= options_.limit;
      if (serves && best_->cost.share <= most) chosen = &*best_;
    }
    if (steps_.empty()) ANEMONE_TRY(List());
    std::set<std::string> listed;
    for (const HalfStep& step : steps_) {
      if (chosen->keep.contains(step.name) && listed.insert(step.name).second)
        plan.keep.push_back(step.name);
    }
    plan.outcome = chosen->outcome;
    plan.cost = chosen->cost;
    plan.casts_added = chosen->cost.casts - plain_.cost.casts;
    return plan;
  }

  const HalfCheck& check_;
  const HalfSearchOptions& options_;
  std::shared_ptr<const ir::Model> base_;  // what is made half: the program, or it rescaled
  std::set<std::string> forced_;           // kept whatever else is
  int64_t rescaled_ = 0;
  std::vector<OperatorFidelity> rows_;
  std::vector<HalfStep> steps_;  // in execution order
  std::unordered_map<std::string, std::vector<std::string>> takers_;
  std::set<std::string> overflowing_;
  HalfTrial plain_;
  HalfTrial start_;  // with nothing chosen: plain, or rescaled
  std::optional<HalfTrial> best_;
  double least_share_ = 2;
  double flops_ = 0;      // of one run
  double runs_ = 0;       // made so far
  double most_runs_ = 0;  // that may be made
};

bool ComputesInFloat32(const ir::Operation& operation) {
  if (operation.is_const() || operation.def() == nullptr || operation.def()->constexpr_op ||
      operation.type() == "cast") {
    return false;
  }
  const auto is_float32 = [](const ir::Value& value) {
    return value.type.is_tensor() && value.type.dtype() == DType::kFp32;
  };
  for (const auto& output : operation.outputs())
    if (is_float32(*output)) return true;
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values)
      if (!value->is_const() && is_float32(*value)) return true;
  }
  return false;
}

}  // namespace

HalfCost CostOfHalf(const ir::Function& function) {
  HalfCost cost;
  double all = 0;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (operation.is_const()) return;
    if (operation.type() == "cast") {
      ++cost.casts;
      return;
    }
    const double flops = static_cast<double>(ir::FlopsOf(operation, function.opset).value_or(0));
    all += flops;
    if (!ComputesInFloat32(operation)) return;
    ++cost.operators;
    cost.share += flops;
  });
  if (all > 0) cost.share /= all;
  return cost;
}

Result<HalfPlan> PlanHalf(const HalfCheck& check, const HalfSearchOptions& options) {
  return HalfSearch(check, options).Run();
}

}  // namespace anemone::lab
