#include "serve/fault_injection.h"

#include <algorithm>
#include <utility>

#include "exec/classifier.h"
#include "exec/failure.h"

namespace anemone::serve {
namespace {

constexpr int64_t kMostPending = 1'000'000;

class Failing final : public exec::Executable {
 public:
  Failing(std::unique_ptr<exec::Executable> inner, std::shared_ptr<std::atomic<int64_t>> pending)
      : inner_(std::move(inner)), pending_(std::move(pending)) {}

  Result<std::map<std::string, exec::Tensor>> Run(const std::map<std::string, exec::Tensor>& inputs,
                                                  exec::State* state,
                                                  const exec::Tracer* tracer) override {
    int64_t left = pending_->load();
    while (left > 0) {
      if (pending_->compare_exchange_weak(left, left - 1))
        return exec::Failure(exec::FailureKind::kRuntimeError, "a fault that was injected");
    }
    return inner_->Run(inputs, state, tracer);
  }
  int64_t working_memory_bytes() const override { return inner_->working_memory_bytes(); }

 private:
  std::unique_ptr<exec::Executable> inner_;
  std::shared_ptr<std::atomic<int64_t>> pending_;
};

}  // namespace

void FaultInjection::Fail(int64_t calls) {
  int64_t now = pending_->load();
  while (!pending_->compare_exchange_weak(now, std::min(kMostPending, now + calls))) {
  }
}

Result<std::unique_ptr<exec::Executable>> FaultInjection::Load(
    std::shared_ptr<const ir::Model> model, const exec::LoadOptions& options) const {
  // An external backend is given the model as it was written; ours take it with tensors only.
  if (!inner_.external()) {
    ANEMONE_ASSIGN(model, exec::WithTensorOutputs(std::move(model)));
  }
  ANEMONE_ASSIGN(auto inner, inner_.Load(std::move(model), options));
  std::unique_ptr<exec::Executable> failing = std::make_unique<Failing>(std::move(inner), pending_);
  return failing;
}

}  // namespace anemone::serve
