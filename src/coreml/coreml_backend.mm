#include "coreml/coreml_backend.h"

#include <chrono>
#include <vector>

#include "coreml/compute_plan.h"
#include "coreml/executable.h"
#include "exec/function_inputs.h"

namespace anemone::coreml {
namespace {

class CoreMl : public exec::Backend {
 public:
  std::string_view name() const override { return "coreml"; }
  bool external() const override { return true; }
  Status Available() const override { return {}; }
  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                 const exec::LoadOptions& options) const override {
    if (options.numerics != exec::Numerics::kAsTyped) {
      return Unsupported("Core ML computes as the program is typed").Advise("use --backend cpu");
    }
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    ANEMONE_ASSIGN(Border border, BorderOf(*model, *function));
    ANEMONE_ASSIGN(LoadedModel loaded, CompileAndLoad(*model, options));
    std::unique_ptr<exec::Executable> executable =
        std::make_unique<CoreMlExecutable>(std::move(model), std::move(border), std::move(loaded));
    return executable;
  }
  Result<std::vector<exec::PlannedOperation>> Plan(std::shared_ptr<const ir::Model> model,
                                                   const exec::LoadOptions& options,
                                                   int64_t timeout_ns) const override {
    ANEMONE_ASSIGN(const ComputePlan plan, LoadComputePlan(std::move(model), options,
                                                           std::chrono::nanoseconds(timeout_ns)));
    std::vector<exec::PlannedOperation> operations;
    for (const PlannedOperation& operation : plan.operations) {
      operations.push_back({operation.type, operation.output, operation.planned});
    }
    return operations;
  }
};

}  // namespace

const exec::Backend& CoreMlBackend() {
  static const CoreMl backend;
  return backend;
}

}  // namespace anemone::coreml
