#include "placement/score.h"

#include <algorithm>
#include <unordered_map>

namespace anemone::placement {
namespace {

class Scorer {
 public:
  Scorer(const Analysis& analysis, const ComputePlan& plan) : analysis_(analysis), plan_(plan) {
    for (const PlannedOperation& planned : plan.operations) {
      for (const ComputeUnit unit : planned.supported) gpu_ = gpu_ || unit == ComputeUnit::kGpu;
      gpu_ = gpu_ || planned.preferred == ComputeUnit::kGpu;
    }
  }

  Score Run() {
    if (plan_.counts_only) {
      CompareCounts();
    } else {
      CompareNames();
    }
    Finish();
    return std::move(score_);
  }

 private:
  void CompareNames() {
    std::unordered_map<std::string_view, const AnalyzedOp*> by_name;
    std::vector<std::string> names;  // keeps the operations' names alive
    names.reserve(analysis_.operations.size());
    for (const AnalyzedOp& op : analysis_.operations) {
      for (const auto& output : op.operation->outputs()) by_name.emplace(output->name, &op);
    }
    for (const AnalyzedOp& op : analysis_.operations) {
      names.push_back(op.operation->name());
      by_name.emplace(names.back(), &op);
    }
    size_t found = 0;
    std::unordered_map<const AnalyzedOp*, bool> seen;
    for (const PlannedOperation& planned : plan_.operations) {
      const auto match = by_name.find(planned.name);
      if (match == by_name.end() || !SameType(planned, *match->second)) {
        ++score_.not_in_model;
        continue;
      }
      if (!seen.emplace(match->second, true).second) continue;
      ++found;
      Compare(*match->second, planned);
    }
    score_.not_in_plan = static_cast<int64_t>(analysis_.operations.size() - found);
  }

  static bool SameType(const PlannedOperation& planned, const AnalyzedOp& op) {
    return planned.type.empty() || planned.type == op.operation->type();
  }

  // Counts by operator: of each type, as many of ours agree as the smaller of the two counts on
  // each side.
  void CompareCounts() {
    std::unordered_map<std::string, std::pair<int64_t, int64_t>> ours;  // total, off the engine
    for (const AnalyzedOp& op : analysis_.operations) {
      auto& [total, off] = ours[op.operation->type()];
      ++total;
      off += op.preferred != ComputeUnit::kAne ? 1 : 0;
    }
    std::unordered_map<std::string, int64_t> planned_off;
    for (const PlannedOperation& planned : plan_.operations) {
      planned_off[planned.type] += planned.count;
      const auto found = ours.find(planned.type);
      const int64_t have = found == ours.end() ? 0 : found->second.first;
      score_.not_in_model += std::max<int64_t>(0, planned.count - have);
    }
    // Without a list of operators only the totals can be compared.
    const bool listed = plan_.ane_count == plan_.total_count || !plan_.operations.empty();
    if (!listed) {
      const auto total = static_cast<int64_t>(analysis_.operations.size());
      const int64_t on = analysis_.CountPreferred(ComputeUnit::kAne);
      score_.all.operations = std::min(total, plan_.total_count);
      score_.all.preferred_compared = score_.all.operations;
      const int64_t off = std::min(total - on, plan_.total_count - plan_.ane_count);
      score_.all.preferred_right =
          std::min(score_.all.operations, std::min(on, plan_.ane_count) + off);
      return;
    }
    for (const auto& [type, counts] : ours) {
      const auto& [total, off] = counts;
      const auto found = planned_off.find(type);
      const int64_t theirs = found == planned_off.end() ? 0 : std::min(found->second, total);
      Agreement& agreement = operators_[type];
      agreement.operations += total;
      agreement.preferred_compared += total;
      agreement.preferred_right += std::min(off, theirs) + std::min(total - off, total - theirs);
    }
  }

  std::vector<ComputeUnit> Comparable(const std::vector<ComputeUnit>& units) const {
    std::vector<ComputeUnit> kept;
    for (const ComputeUnit unit : kHardwareUnits) {
      const bool has = std::find(units.begin(), units.end(), unit) != units.end();
      if (has && (unit != ComputeUnit::kGpu || gpu_)) kept.push_back(unit);
    }
    return kept;
  }

  void Compare(const AnalyzedOp& op, const PlannedOperation& planned) {
    std::vector<ComputeUnit> ours;
    for (const ComputeUnit unit : kHardwareUnits) {
      if (op.Supports(unit)) ours.push_back(unit);
    }
    Disagreement difference{
        planned.name,     op.operation->type(),          std::string(op.placement.ane.rule),
        Comparable(ours), Comparable(planned.supported), op.preferred,
        planned.preferred};
    const bool sets = !planned.supported.empty();
    const bool preferred =
        planned.preferred != ComputeUnit::kUnknown && op.preferred != ComputeUnit::kUnknown;
    const bool set_right = !sets || difference.predicted == difference.planned;
    const bool preferred_right = !preferred || planned.preferred == op.preferred;
    for (Agreement* agreement : {&operators_[difference.type], &rules_[difference.rule]}) {
      agreement->operations += 1;
      agreement->sets_compared += sets ? 1 : 0;
      agreement->sets_right += sets && set_right ? 1 : 0;
      agreement->preferred_compared += preferred ? 1 : 0;
      agreement->preferred_right += preferred && preferred_right ? 1 : 0;
    }
    if (!set_right || !preferred_right) score_.disagreements.push_back(std::move(difference));
  }

  static std::vector<Agreement> Sorted(const std::unordered_map<std::string, Agreement>& table) {
    std::vector<Agreement> rows;
    for (const auto& [name, agreement] : table) {
      rows.push_back(agreement);
      rows.back().name = name;
    }
    std::sort(rows.begin(), rows.end(), [](const Agreement& a, const Agreement& b) {
      return a.wrong() != b.wrong() ? a.wrong() > b.wrong() : a.name < b.name;
    });
    return rows;
  }

  void Finish() {
    for (const auto& [name, agreement] : operators_) {
      score_.all.operations += agreement.operations;
      score_.all.sets_compared += agreement.sets_compared;
      score_.all.sets_right += agreement.sets_right;
      score_.all.preferred_compared += agreement.preferred_compared;
      score_.all.preferred_right += agreement.preferred_right;
    }
    score_.by_operator = Sorted(operators_);
    score_.by_rule = Sorted(rules_);
  }

  const Analysis& analysis_;
  const ComputePlan& plan_;
  bool gpu_ = false;
  Score score_;
  std::unordered_map<std::string, Agreement> operators_;
  std::unordered_map<std::string, Agreement> rules_;
};

void AddRows(const std::vector<Agreement>& from, std::vector<Agreement>* to) {
  for (const Agreement& row : from) {
    auto found = std::find_if(to->begin(), to->end(),
                              [&](const Agreement& other) { return other.name == row.name; });
    if (found == to->end()) {
      to->push_back(row);
      continue;
    }
    found->operations += row.operations;
    found->sets_compared += row.sets_compared;
    found->sets_right += row.sets_right;
    found->preferred_compared += row.preferred_compared;
    found->preferred_right += row.preferred_right;
  }
  std::sort(to->begin(), to->end(), [](const Agreement& a, const Agreement& b) {
    return a.wrong() != b.wrong() ? a.wrong() > b.wrong() : a.name < b.name;
  });
}

}  // namespace

void Score::Add(const Score& other) {
  std::vector<Agreement> total{all};
  AddRows({other.all}, &total);
  all = total[0];
  AddRows(other.by_operator, &by_operator);
  AddRows(other.by_rule, &by_rule);
  disagreements.insert(disagreements.end(), other.disagreements.begin(), other.disagreements.end());
  not_in_plan += other.not_in_plan;
  not_in_model += other.not_in_model;
}

Score ScorePlan(const Analysis& analysis, const ComputePlan& plan) {
  return Scorer(analysis, plan).Run();
}

}  // namespace anemone::placement
