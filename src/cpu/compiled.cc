#include "cpu/compiled.h"

#include <algorithm>
#include <tuple>

#include "cpu/specialize.h"

namespace anemone::cpu {

std::shared_ptr<Compiled> Compiled::Find(std::shared_ptr<const ir::Model> model,
                                         const ir::Function& function, exec::Numerics numerics) {
  using Key = std::tuple<const ir::Model*, const ir::Function*, exec::Numerics>;
  static std::mutex mutex;
  static std::map<Key, std::weak_ptr<Compiled>> alive;
  std::lock_guard lock(mutex);
  std::erase_if(alive, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Compiled>& entry = alive[{model.get(), &function, numerics}];
  std::shared_ptr<Compiled> compiled = entry.lock();
  if (compiled == nullptr) {
    compiled = std::make_shared<Compiled>(std::move(model), function, numerics);
    entry = compiled;
  }
  return compiled;
}

Result<std::shared_ptr<const Plan>> Compiled::PlanFor(const InputShapes& shapes, bool trace_values,
                                                      ThreadPool& pool) {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const Entry& entry) {
    return entry.trace_values == trace_values && entry.shapes == shapes;
  });
  if (found != plans_.end()) {
    std::rotate(plans_.begin(), found, found + 1);
    return plans_.front().plan;
  }
  ANEMONE_ASSIGN(Specialized facts, Specialize(function_, shapes, shared_.folded));
  Planner planner(function_, std::move(facts), shared_,
                  {.numerics = numerics_, .pool = &pool, .trace_values = trace_values});
  ANEMONE_ASSIGN(auto plan, planner.Build());
  ++plans_made_;
  plans_.insert(plans_.begin(), {shapes, trace_values, plan});
  int64_t bytes = plan->own_bytes;
  size_t kept = 1;
  while (kept < std::min(plans_.size(), kKeptPlans) &&
         bytes + plans_[kept].plan->own_bytes <= kKeptBytes) {
    bytes += plans_[kept++].plan->own_bytes;
  }
  plans_.erase(plans_.begin() + static_cast<std::ptrdiff_t>(kept), plans_.end());
  return plan;
}

Compiled::Counts Compiled::counts() const {
  std::lock_guard lock(mutex_);
  return {plans_made_, shared_.packings, shared_.folded.foldings()};
}

}  // namespace anemone::cpu
