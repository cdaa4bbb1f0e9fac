#include "gate/fault_backend.h"

#include <limits>

#include "exec/failure.h"

namespace anemone::gate {
namespace {

class FaultExecutable : public exec::Executable {
 public:
  FaultExecutable(std::shared_ptr<FaultBackend::Shared> shared,
                  std::unique_ptr<exec::Executable> inner)
      : shared_(std::move(shared)), inner_(std::move(inner)) {}

  Result<std::map<std::string, exec::Tensor>> Run(const std::map<std::string, exec::Tensor>& inputs,
                                                  exec::State* state,
                                                  const exec::Tracer* tracer) override {
    const FaultKind fault = shared_->fault.load();
    if (fault == FaultKind::kNone) return inner_->Run(inputs, state, tracer);
    shared_->faults.fetch_add(1);
    if (fault == FaultKind::kHang) {
      shared_->fault.wait(FaultKind::kHang);
    }
    if (fault != FaultKind::kNotANumber && fault != FaultKind::kWrongAnswer) {
      return exec::Failure(exec::FailureKind::kRuntimeError, "injected by the gate");
    }
    ANEMONE_ASSIGN(auto outputs, inner_->Run(inputs, state, tracer));
    for (auto& [name, tensor] : outputs) {
      if (tensor.dtype() != DType::kFp32) continue;
      float* values = tensor.As<float>();
      if (fault == FaultKind::kNotANumber && tensor.count() > 0) {
        values[0] = std::numeric_limits<float>::quiet_NaN();
      } else {
        for (int64_t i = 0; i < tensor.count(); ++i) values[i] = values[i] * -3 + 17;
      }
    }
    return outputs;
  }
  int64_t working_memory_bytes() const override { return inner_->working_memory_bytes(); }

 private:
  std::shared_ptr<FaultBackend::Shared> shared_;
  std::unique_ptr<exec::Executable> inner_;
};

}  // namespace

Result<std::unique_ptr<exec::Executable>> FaultBackend::Load(
    std::shared_ptr<const ir::Model> model, const exec::LoadOptions& options) const {
  if (shared_->fault.load() == FaultKind::kLoadError) {
    shared_->faults.fetch_add(1);
    return exec::Failure(exec::FailureKind::kLoadError, "injected by the gate");
  }
  ANEMONE_ASSIGN(auto inner, inner_.Load(std::move(model), options));
  std::unique_ptr<exec::Executable> executable =
      std::make_unique<FaultExecutable>(shared_, std::move(inner));
  return executable;
}

}  // namespace anemone::gate
