// Search: the smallest setting of every weight within a stated loss.
//
// From the sensitivities each weight has a list of (bytes, loss); losses of weights nearly add up
// while they are small. So the best mixes for all sizes are on one path: each weight's list is cut
// to its lower convex hull, and the steps of all hulls are taken in the order of loss for each byte
// saved (Shoham and Gersho 1988, allocation by Lagrange multipliers). Real evaluations along the
// path find how far one may go, and then, around that place, which single steps cost more than
// estimated: those are undone and the next ones tried. Thread rules: as RunSweep.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "lab/sensitivity.h"
#include "lab/sweep.h"

namespace anemone::lab {

// The loss that is allowed, in percent of the samples: top-1 with labels, else agreement with the
// reference's best class; for outputs that rank nothing, of the reference's power.
struct Budget {
  double max_drop_pct = 0.5;
};
// The loss of a variant in that measure; infinite when an output is not finite. `base` is the model
// that loses nothing.
double DropPct(const VariantResult& base, const VariantResult& variant);

// The form of each weight: an index into WeightSensitivity::forms, or kKeep.
inline constexpr int kKeep = -1;
struct Assignment {
  std::vector<int> forms;  // parallel to the sensitivities
  int64_t bytes = 0;       // of these weights
  double loss = 0;         // estimated: the sum
};

// The path: the first keeps everything, the last has the smallest of each weight's hull.
std::vector<Assignment> SearchPath(std::span<const WeightSensitivity> weights);
// The last assignment of the path that takes at most `bytes`, with further steps as long as they
// fit; the path's smallest when none does.
Assignment FitBytes(std::span<const WeightSensitivity> weights, std::span<const Assignment> path,
                    int64_t bytes);

// The setting of each weight by name; weights that keep their form map to null.
compress::Configuration ToConfiguration(std::span<const WeightSensitivity> weights,
                                        std::span<const Form> forms, const Assignment& assignment);

struct SearchOptions {
  Budget budget;
  std::vector<Form> forms;
  // Sizes at which the best mix is wanted too: those of uniform variants.
  struct Target {
    std::string name;
    int64_t weight_bytes = 0;
  };
  std::vector<Target> targets;
  // Try bias correction on the targets' mixes, and use it from then on if it lowers their losses.
  bool try_bias_correction = true;
  int max_refinements = 12;
  // Evaluates a batch of jobs, as the sweep does.
  std::function<Result<std::vector<Finished>>(std::span<const Job> jobs)> evaluate;
};

struct Found {
  std::vector<Finished> tried;  // in the order of trial, the targets' mixes included
  int chosen = -1;              // the smallest within the budget; -1: none but the base
};
// `base`: the result of the empty configuration.
Result<Found> Search(const LabSubject& subject, std::span<const WeightSensitivity> weights,
                     const VariantResult& base, const SearchOptions& options);

}  // namespace anemone::lab
