// Compiled: a function of a model with the plans made for it so far, one for each set of input
// shapes. Ownership: keeps the model alive. Thread rules: any number of threads.
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
  Compiled(std::shared_ptr<const ir::Model> model, const ir::Function& function,
           exec::Numerics numerics)
      : model_(std::move(model)), function_(function), numerics_(numerics) {}

  // The Compiled for these arguments that is still alive, or a new one.
  static std::shared_ptr<Compiled> Find(std::shared_ptr<const ir::Model> model,
                                        const ir::Function& function, exec::Numerics numerics);

  const ir::Function& function() const { return function_; }
  // The plan for inputs of these shapes, made if necessary. The few most recently used are kept.
  Result<std::shared_ptr<const Plan>> PlanFor(const InputShapes& shapes, bool trace_values);

 private:
  struct Entry {
    InputShapes shapes;
    bool trace_values;
    std::shared_ptr<const Plan> plan;
  };

  std::shared_ptr<const ir::Model> model_;
  const ir::Function& function_;
  exec::Numerics numerics_;
  std::mutex mutex_;
  PackCache packs_;
  std::vector<Entry> plans_;  // most recently used first
};

}  // namespace anemone::cpu
