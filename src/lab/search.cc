#include "lab/search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/parity.h"

namespace anemone::lab {
namespace {

// One change of one weight: to a smaller form.
struct Step {
  size_t weight = 0;
  int form = kKeep;
  int64_t saved = 0;  // bytes
  double added = 0;   // loss
  double price = 0;   // loss for each byte
};

struct HullPoint {
  int form = kKeep;
  int64_t bytes = 0;
  double loss = 0;
};

HullPoint PointOf(const WeightSensitivity& weight, int form) {
  if (form == kKeep) return {kKeep, weight.bytes, 0};
  const FormCost& cost = weight.forms[static_cast<size_t>(form)];
  return {form, cost.bytes, std::max(0.0, cost.loss)};
}

// The lower convex hull of a weight's forms, starting with keeping it as it is.
std::vector<HullPoint> HullOf(const WeightSensitivity& weight) {
  std::vector<HullPoint> points{{kKeep, weight.bytes, 0}};
  for (size_t i = 0; i < weight.forms.size(); ++i) {
    const FormCost& cost = weight.forms[i];
    if (cost.possible && std::isfinite(cost.loss) && cost.bytes < weight.bytes)
      points.push_back({static_cast<int>(i), cost.bytes, std::max(0.0, cost.loss)});
  }
  // Larger ones first; the better one first at equal size.
  std::ranges::stable_sort(points, [](const HullPoint& a, const HullPoint& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.loss < b.loss;
  });
  std::vector<HullPoint> hull;
  const auto slope = [](const HullPoint& from, const HullPoint& to) {
    return (to.loss - from.loss) / static_cast<double>(from.bytes - to.bytes);
  };
  for (const HullPoint& point : points) {
    if (!hull.empty() && point.bytes == hull.back().bytes) continue;
    // A form that is larger and no better is never on a path.
    while (!hull.empty() && hull.back().loss >= point.loss && hull.back().form != kKeep)
      hull.pop_back();
    while (hull.size() > 1 &&
           slope(hull[hull.size() - 2], hull.back()) >= slope(hull.back(), point))
      hull.pop_back();
    hull.push_back(point);
  }
  return hull;
}

std::vector<Step> StepsOf(std::span<const WeightSensitivity> weights) {
  std::vector<Step> steps;
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::vector<HullPoint> hull = HullOf(weights[i]);
    for (size_t k = 1; k < hull.size(); ++k) {
      Step step{i, hull[k].form, hull[k - 1].bytes - hull[k].bytes, hull[k].loss - hull[k - 1].loss,
                0};
      step.price = step.added / static_cast<double>(step.saved);
      steps.push_back(step);
    }
  }
  // Stable, and prices rise along each hull: the steps of one weight stay in their order.
  std::ranges::stable_sort(steps, {}, &Step::price);
  return steps;
}

Assignment Start(std::span<const WeightSensitivity> weights) {
  Assignment start;
  start.forms.assign(weights.size(), kKeep);
  for (const WeightSensitivity& weight : weights) start.bytes += weight.bytes;
  return start;
}

void Take(const Step& step, Assignment* assignment) {
  assignment->forms[step.weight] = step.form;
  assignment->bytes -= step.saved;
  assignment->loss += step.added;
}

// Spends the remaining bytes on the largest gains.
Assignment FillRoom(std::span<const WeightSensitivity> weights, Assignment best, int64_t bytes) {
  for (;;) {
    size_t at = weights.size();
    HullPoint to;
    double gain = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      const HullPoint now = PointOf(weights[i], best.forms[i]);
      for (int form = kKeep; form < static_cast<int>(weights[i].forms.size()); ++form) {
        if (form != kKeep && !weights[i].forms[static_cast<size_t>(form)].possible) continue;
        const HullPoint other = PointOf(weights[i], form);
        if (best.bytes + other.bytes - now.bytes > bytes || now.loss - other.loss <= gain) continue;
        gain = now.loss - other.loss;
        at = i;
        to = other;
      }
    }
    if (at == weights.size()) return best;
    const HullPoint now = PointOf(weights[at], best.forms[at]);
    best.bytes += to.bytes - now.bytes;
    best.loss += to.loss - now.loss;
    best.forms[at] = to.form;
  }
}

// Takes the steps in order; for a weight with a banned step, all from that one on are left out.
class Walker {
 public:
  Walker(std::span<const WeightSensitivity> weights, std::vector<Step> steps)
      : weights_(weights), steps_(std::move(steps)), banned_(steps_.size(), false) {}

  size_t size() const { return steps_.size(); }
  // After the first `count` steps.
  Assignment At(size_t count) const {
    Assignment assignment = Start(weights_);
    std::vector<bool> closed(weights_.size(), false);
    for (size_t i = 0; i < count; ++i) {
      if (banned_[i]) closed[steps_[i].weight] = true;
      if (!closed[steps_[i].weight]) Take(steps_[i], &assignment);
    }
    return assignment;
  }
  void Ban(size_t step) { banned_[step] = true; }

 private:
  std::span<const WeightSensitivity> weights_;
  std::vector<Step> steps_;
  std::vector<bool> banned_;
};

}  // namespace

double DropPct(const VariantResult& base, const VariantResult& variant) {
  if (!std::isfinite(variant.loss) || variant.samples == 0) return kInfinity;
  const auto samples = static_cast<double>(variant.samples);
  if (base.top1 && variant.top1)
    return 100 * static_cast<double>(*base.top1 - *variant.top1) / samples;
  if (base.agreement && variant.agreement)
    return 100 * static_cast<double>(*base.agreement - *variant.agreement) / samples;
  return 100 * (variant.loss - base.loss);
}

std::vector<Assignment> SearchPath(std::span<const WeightSensitivity> weights) {
  std::vector<Assignment> path{Start(weights)};
  for (const Step& step : StepsOf(weights)) {
    path.push_back(path.back());
    Take(step, &path.back());
  }
  return path;
}

Assignment FitBytes(std::span<const WeightSensitivity> weights, std::span<const Assignment> path,
                    int64_t bytes) {
  const auto first =
      std::ranges::find_if(path, [&](const Assignment& a) { return a.bytes <= bytes; });
  if (first == path.end()) return path.back();
  Assignment best = FillRoom(weights, *first, bytes);
  // Also tries one form for all: with few weights, the path's steps are coarse.
  const size_t forms = weights.empty() ? 0 : weights[0].forms.size();
  for (size_t form = 0; form < forms; ++form) {
    Assignment uniform = Start(weights);
    for (size_t i = 0; i < weights.size(); ++i) {
      if (!weights[i].forms[form].possible) continue;
      const HullPoint point = PointOf(weights[i], static_cast<int>(form));
      uniform.forms[i] = point.form;
      uniform.bytes += point.bytes - weights[i].bytes;
      uniform.loss += point.loss;
    }
    if (uniform.bytes > bytes) continue;
    uniform = FillRoom(weights, std::move(uniform), bytes);
    if (uniform.loss < best.loss) best = std::move(uniform);
  }
  return best;
}

compress::Configuration ToConfiguration(std::span<const WeightSensitivity> weights,
                                        std::span<const Form> forms, const Assignment& assignment) {
  compress::WeightStep step;
  for (size_t i = 0; i < weights.size(); ++i) {
    auto& setting = step.op_name_configs[weights[i].setting];
    const int form = assignment.forms[i];
    if (form != kKeep) setting = forms[static_cast<size_t>(form)].config;
  }
  return {.weights = {std::move(step)}};
}

Result<Found> Search(const LabSubject& subject, std::span<const WeightSensitivity> weights,
                     const VariantResult& base, const SearchOptions& options) {
  Found found;
  const std::vector<Assignment> path = SearchPath(weights);
  int64_t measured_bytes = 0;
  for (const WeightSensitivity& weight : weights) measured_bytes += weight.bytes;
  const int64_t other_bytes =
      base.weight_bytes - measured_bytes;  // the part that is never compressed
  bool correct_bias = false;
  const auto job_of = [&](std::string name, const Assignment& assignment) {
    compress::Configuration configuration = ToConfiguration(weights, options.forms, assignment);
    configuration.correct_bias = correct_bias;
    return MakeJob(subject, std::move(name), std::move(configuration));
  };
  const auto consider = [&](const Finished& finished) {
    const bool good =
        finished.result && DropPct(base, *finished.result) <= options.budget.max_drop_pct;
    found.tried.push_back(finished);
    if (good && (found.chosen < 0 ||
                 finished.result->package_bytes <
                     found.tried[static_cast<size_t>(found.chosen)].result->package_bytes)) {
      found.chosen = static_cast<int>(found.tried.size()) - 1;
    }
    return good;
  };

  const auto mixes_of_targets = [&](const char* ending) -> Result<std::vector<Finished>> {
    std::vector<Job> mixes;
    for (const SearchOptions::Target& target : options.targets) {
      const Assignment fit = FitBytes(weights, path, target.weight_bytes - other_bytes);
      mixes.push_back(job_of("mix of the size of " + target.name + ending, fit));
    }
    return options.evaluate(mixes);
  };
  ANEMONE_ASSIGN(const std::vector<Finished> plain, mixes_of_targets(""));
  for (const Finished& finished : plain) consider(finished);
  if (options.try_bias_correction && !options.targets.empty()) {
    correct_bias = true;
    ANEMONE_ASSIGN(const std::vector<Finished> corrected, mixes_of_targets(", bias corrected"));
    for (const Finished& finished : corrected) consider(finished);
    // Decided where the search will end: by the mixes near the limit.
    int better = 0;
    for (size_t i = 0; i < plain.size(); ++i) {
      if (!plain[i].result || !corrected[i].result) continue;
      if (DropPct(base, *plain[i].result) > 10 * (1 + options.budget.max_drop_pct)) continue;
      better += corrected[i].result->loss < plain[i].result->loss ? 1 : -1;
    }
    correct_bias = better > 0;
  }

  Walker walker(weights, StepsOf(weights));
  const auto try_at = [&](size_t count) -> Result<bool> {
    const Job job = job_of(fmt::format("mix {}", found.tried.size() + 1), walker.At(count));
    ANEMONE_ASSIGN(const auto done, options.evaluate(std::span(&job, 1)));
    return consider(done[0]);
  };
  // Bisects the path, as if the measured loss only rose.
  size_t good = 0;
  size_t bad = walker.size() + 1;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    ANEMONE_ASSIGN(const bool passed, try_at(middle));
    (passed ? good : bad) = middle;
  }
  // Beyond that: leave out the step that exceeds the budget, and continue with the steps after it,
  // in growing strides as long as they pass.
  size_t stride = 1;
  for (int round = 0; round < options.max_refinements && good < walker.size(); ++round) {
    const size_t next = std::min(walker.size(), good + stride);
    ANEMONE_ASSIGN(const bool passed, try_at(next));
    if (passed) {
      good = next;
      stride *= 2;
    } else if (stride > 1) {
      stride = 1;
    } else {
      walker.Ban(good);
      ++good;
    }
  }
  return found;
}

}  // namespace anemone::lab
