#include <condition_variable>
#include <mutex>

#include "coreml/compiled_model.h"
#include "coreml/compute_plan.h"
#include "coreml/configuration.h"
#include "coreml/objc.h"
#include "exec/function_inputs.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;

// Shared by the caller and Core ML's thread; the last of the two frees it.
struct Answer {
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  Status status;
  ComputePlan plan;
};

#if ANEMONE_SDK(140400)
// kUnknown for a device that this version does not know, or none.
ComputeUnit UnitOf(id<MLComputeDeviceProtocol> device) {
  if ([device isKindOfClass:[MLNeuralEngineComputeDevice class]]) return ComputeUnit::kAne;
  if ([device isKindOfClass:[MLGPUComputeDevice class]]) return ComputeUnit::kGpu;
  if ([device isKindOfClass:[MLCPUComputeDevice class]]) return ComputeUnit::kCpu;
  return ComputeUnit::kUnknown;
}

API_AVAILABLE(macos(14.4), ios(17.4))
void ReadBlock(MLComputePlan* plan, MLModelStructureProgramBlock* block, ComputePlan* out) {
  for (MLModelStructureProgramOperation* operation in block.operations) {
    PlannedOperation planned;
    planned.type = Text(operation.operatorName);
    for (MLModelStructureProgramNamedValueType* output in operation.outputs) {
      planned.output = Text(output.name);
      break;
    }
    if (planned.type == "const" || planned.type.ends_with(".const")) {
      ++out->const_operations;
      continue;
    }
    if (MLComputePlanDeviceUsage* usage =
            [plan computeDeviceUsageForMLProgramOperation:operation]) {
      planned.planned = UnitOf(usage.preferredComputeDevice);
      for (id<MLComputeDeviceProtocol> each in usage.supportedComputeDevices) {
        const ComputeUnit unit = UnitOf(each);
        if (unit != ComputeUnit::kUnknown) planned.supported.push_back(unit);
      }
    }
    if (MLComputePlanCost* cost = [plan estimatedCostOfMLProgramOperation:operation]) {
      planned.cost_weight = cost.weight;
    }
    out->operations.push_back(std::move(planned));
    for (MLModelStructureProgramBlock* inner in operation.blocks) ReadBlock(plan, inner, out);
  }
}

API_AVAILABLE(macos(14.4), ios(17.4))
Status ReadPlan(MLComputePlan* plan, const std::string& function, ComputePlan* out) {
  MLModelStructureProgram* program = plan.modelStructure.program;
  if (program == nil) return Unsupported("the compute plan is not for an ML Program");
  MLModelStructureProgramFunction* body = [program.functions objectForKey:NsText(function)];
  if (body == nil) {
    return exec::Failure(FailureKind::kSchemaMismatch,
                         fmt::format("the compute plan has no function '{}'", function));
  }
  ReadBlock(plan, body.block, out);
  return {};
}

API_AVAILABLE(macos(14.4), ios(17.4))
Status Ask(const std::string& path, const ir::Model& model, const exec::LoadOptions& options,
           const std::string& function, const std::shared_ptr<Answer>& answer) {
  // Asked about a package, Core ML ends the process (apple/coremltools#2757).
  if (!path.ends_with(".mlmodelc"))
    return Internal("a compute plan needs a compiled model").At(path);
  return Pooled(FailureKind::kLoadError, [&]() -> Status {
    ANEMONE_ASSIGN(MLModelConfiguration * configuration, MakeConfiguration(model, options));
    // The block is copied, and copies what it names: it may be called after we return.
    const std::shared_ptr<Answer> shared = answer;  // NOLINT: a block keeps no reference
    const std::string name = function;              // NOLINT: nor this one
    [MLComputePlan loadContentsOfURL:[NSURL fileURLWithPath:NsText(path)]
                       configuration:configuration
                   completionHandler:^(MLComputePlan* plan, NSError* error) {
                     ComputePlan read;
                     Status status = Pooled(FailureKind::kRuntimeError, [&]() -> Status {
                       if (plan == nil) return ErrorOf(FailureKind::kLoadError, error);
                       return ReadPlan(plan, name, &read);
                     });
                     const std::lock_guard lock(shared->mutex);
                     shared->plan = std::move(read);
                     shared->status = std::move(status);
                     shared->done = true;
                     shared->ready.notify_all();
                   }];
    return {};
  });
}
#endif

}  // namespace

Result<ComputePlan> LoadComputePlan(std::shared_ptr<const ir::Model> model,
                                    const exec::LoadOptions& options,
                                    std::chrono::nanoseconds timeout) {
#if ANEMONE_SDK(140400)
  if (@available(macOS 14.4, iOS 17.4, *)) {
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    ANEMONE_ASSIGN(const CompiledModel compiled, Compile(*model, options, false));
    const auto answer = std::make_shared<Answer>();
    ANEMONE_TRY(Ask(compiled.path, *model, options, function->name, answer));
    std::unique_lock lock(answer->mutex);
    if (!answer->ready.wait_for(lock, timeout, [&] { return answer->done; })) {
      return exec::Failure(
          FailureKind::kTimeout,
          fmt::format("Core ML returned no compute plan within {} ms",
                      std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count()));
    }
    ANEMONE_TRY(std::move(answer->status));
    return std::move(answer->plan);
  }
#endif
  return Unavailable("the compute plan needs macOS 14.4 or iOS 17.4");
}

}  // namespace anemone::coreml
