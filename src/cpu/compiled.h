// Compiled: a function of a model with the plans made for it so far, one for each set of input
// shapes, and what they share: folded constants and packed weights. Ownership: keeps the model alive.
// Thread rules: any number of threads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "cpu/plan.h"
#include "cpu/planner.h"
#include "exec/backend.h"

namespace anemone::cpu {

using InputShapes = std::map<std::string, ir::Shape>;

class Compiled {
 public:
  // The plans kept at most, and the bytes of their own constants; the least recently used go first.
  static constexpr size_t kKeptPlans = 64;
  static constexpr int64_t kKeptBytes = int64_t{64} << 20;

  Compiled(std::shared_ptr<const ir::Model> model, const ir::Function& function,
           exec::Numerics numerics)
      : model_(std::move(model)),
        function_(function),
        numerics_(numerics),
        shared_(function.opset) {}

  // The Compiled for these arguments that is still alive, or a new one.
  static std::shared_ptr<Compiled> Find(std::shared_ptr<const ir::Model> model,
                                        const ir::Function& function, exec::Numerics numerics);

  const ir::Function& function() const { return function_; }
  // The plan for inputs of these shapes, made if necessary, where the pool packs weights.
  Result<std::shared_ptr<const Plan>> PlanFor(const InputShapes& shapes, bool trace_values,
                                              ThreadPool& pool);

  // How much work was done so far.
  struct Counts {
    int64_t plans = 0;     // made
    int64_t packings = 0;  // weights packed for a kernel
    int64_t foldings = 0;  // operations on constants computed, decompression included
  };
  Counts counts() const;

 private:
  struct Entry {
    InputShapes shapes;
    bool trace_values;
    std::shared_ptr<const Plan> plan;
  };

  std::shared_ptr<const ir::Model> model_;
  const ir::Function& function_;
  exec::Numerics numerics_;
  mutable std::mutex mutex_;
  SharedParts shared_;
  std::vector<Entry> plans_;  // most recently used first
  int64_t plans_made_ = 0;
};

}  // namespace anemone::cpu
