#include "cpu/cpu_backend.h"

#include <chrono>
#include <cstring>
#include <new>

#include "cpu/compiled.h"
#include "cpu/kernels/gemm_tile.h"
#include "exec/interpreter.h"
#include "exec/session_inputs.h"

namespace anemone::cpu {
namespace {

using exec::Tensor;

int64_t NowNs() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class CpuSession : public exec::Session {
 public:
  CpuSession(std::shared_ptr<Compiled> compiled, const exec::LoadOptions& options)
      : compiled_(std::move(compiled)), pool_(options.threads) {
    frame_.pool = &pool_;
  }

  // Plans ahead where the program says all shapes, so that a model that cannot run fails at load.
  Status Prepare() {
    InputShapes shapes;
    for (const auto& input : compiled_->function().inputs()) {
      if (!input->type.is_tensor()) continue;
      if (!input->type.is_static()) return {};
      shapes[input->name] = input->type.shape();
    }
    return Use(shapes, false);
  }

  Result<std::map<std::string, Tensor>> Run(const std::map<std::string, Tensor>& inputs,
                                            exec::State* state,
                                            const exec::Tracer* tracer) override {
    const ir::Function& function = compiled_->function();
    ANEMONE_TRY(exec::CheckInputs(function, inputs));
    InputShapes shapes;
    for (const auto& [name, tensor] : inputs) shapes[name] = tensor.shape();
    ANEMONE_TRY(Use(shapes, tracer != nullptr && tracer->values));

    exec::State local;
    const exec::InterpretOptions options{.observe = {}, .rounding = plan_->rounding};
    exec::Interpreter interpreter(function.opset, state != nullptr ? state : &local, options,
                                  [this](const ir::Value& value) { return Outer(value); });
    frame_.interpreter = &interpreter;
    for (const auto& input : function.inputs()) {
      if (input->type.is_state()) ANEMONE_TRY(interpreter.BindState(*input));
    }
    for (const PlanInput& input : plan_->inputs) {
      // Kernels never write to input buffers.
      const void* data = inputs.at(input.value->name).view().data;
      frame_.at[static_cast<size_t>(input.buffer)] = const_cast<void*>(data);
      if (input.rounded == kNoBuffer) continue;
      const int64_t bytes = plan_->buffers[static_cast<size_t>(input.buffer)].size_bytes;
      float* rounded = frame_.Out(input.rounded);
      std::memcpy(rounded, data, static_cast<size_t>(bytes));
      RoundToHalf({rounded, static_cast<size_t>(bytes) / sizeof(float)});
    }
    ANEMONE_TRY(tracer != nullptr && tracer->on_operation ? RunTraced(*tracer) : RunPlain());
    return TakeOutputs();
  }

  int64_t working_memory_bytes() const override {
    return arena_.capacity() * static_cast<int64_t>(sizeof(float));
  }

 private:
  // Makes the plan for these shapes the current one.
  Status Use(const InputShapes& shapes, bool trace_values) {
    ANEMONE_ASSIGN(auto plan, compiled_->PlanFor(shapes, trace_values));
    if (plan == plan_) return {};
    const int64_t floats = plan->arena_bytes / int64_t{sizeof(float)};
    if (!arena_.TryReserve(floats)) {
      return Unsupported("the model needs {} bytes of working memory", plan->arena_bytes);
    }
    plan_ = std::move(plan);
    frame_.plan = plan_.get();
    frame_.at.assign(plan_->buffers.size(), nullptr);
    auto* arena = reinterpret_cast<std::byte*>(arena_.data());
    for (size_t i = 0; i < plan_->buffers.size(); ++i) {
      const Buffer& buffer = plan_->buffers[i];
      if (buffer.kind == Buffer::Kind::kArena) frame_.at[i] = arena + buffer.offset;
      if (buffer.kind == Buffer::Kind::kConstant) frame_.at[i] = const_cast<void*>(buffer.data);
    }
    return {};
  }

  exec::ConstTensor View(BufferId buffer, const ir::Type& type) const {
    return {exec::StorageDType(type.dtype()), type.shape(), frame_.at[static_cast<size_t>(buffer)]};
  }

  // A value that the interpreter needs from the arena.
  Result<Tensor> Outer(const ir::Value& value) const {
    const auto found = plan_->places.find(&value);
    if (found == plan_->places.end() || found->second.buffer == kNoBuffer) {
      return Internal("value '{}' has not been computed", value.name);
    }
    return Tensor::Copy(View(found->second.buffer, found->second.type));
  }

  Status RunPlain() {
    for (const Instruction& instruction : plan_->instructions) {
      if (instruction.run) ANEMONE_TRY(Place(instruction, instruction.run(frame_)));
    }
    return {};
  }

  Status RunTraced(const exec::Tracer& tracer) {
    const int64_t start_ns = NowNs();
    // With values, an operation's own report follows all of its instructions.
    int64_t begin_ns = 0, busy_ns = 0;
    std::string_view kernel;
    for (const Instruction& instruction : plan_->instructions) {
      if (instruction.run) {
        const int64_t at_ns = NowNs() - start_ns;
        ANEMONE_TRY(Place(instruction, instruction.run(frame_)));
        const int64_t duration_ns = NowNs() - start_ns - at_ns;
        if (!tracer.values) {
          Report(tracer, instruction, instruction.kernel, at_ns, duration_ns, {});
          continue;
        }
        if (busy_ns == 0) begin_ns = at_ns;
        busy_ns += duration_ns;
        if (!instruction.operations.empty()) kernel = instruction.kernel;
        continue;
      }
      std::vector<Tensor> held;
      std::vector<exec::ConstTensor> views;
      const ir::Operation& operation = *instruction.operations.back();
      for (size_t i = 0; i < instruction.traced.size(); ++i) {
        const ir::Value& value = *operation.output(i);
        if (instruction.traced[i] != kNoBuffer) {
          views.push_back(View(instruction.traced[i], plan_->places.at(&value).type));
          continue;
        }
        ANEMONE_ASSIGN(auto slot, frame_.interpreter->Get(value));
        if (slot.tensor.dtype() == DType::kInvalid) continue;  // a list
        held.push_back(std::move(slot.tensor));
        views.push_back(held.back().view());
      }
      Report(tracer, instruction, kernel.empty() ? "alias" : kernel, begin_ns, busy_ns, views);
      busy_ns = 0;
      kernel = {};
    }
    return {};
  }

  static Status Place(const Instruction& instruction, Status status) {
    if (status.ok() || instruction.operations.empty()) return status;
    const ir::Operation& operation = *instruction.operations.back();
    return std::move(status).At(fmt::format("{} '{}'", operation.type(), operation.name()));
  }

  static void Report(const exec::Tracer& tracer, const Instruction& instruction,
                     std::string_view kernel, int64_t begin_ns, int64_t duration_ns,
                     std::span<const exec::ConstTensor> outputs) {
    exec::TraceEvent event;
    event.kernel = kernel;
    event.begin_ns = begin_ns;
    event.duration_ns = duration_ns;
    event.outputs = outputs;
    if (!instruction.operations.empty()) {
      event.operation = instruction.operations.back();
      if (instruction.operations.size() > 1) event.fused = instruction.operations;
    }
    tracer.on_operation(event);
  }

  Result<std::map<std::string, Tensor>> TakeOutputs() {
    std::map<std::string, Tensor> outputs;
    for (const PlanOutput& output : plan_->outputs) {
      if (output.buffer == kNoBuffer) {
        ANEMONE_ASSIGN(auto slot, frame_.interpreter->Get(*output.value));
        outputs[output.value->name] = std::move(slot.tensor);
      } else {
        ANEMONE_ASSIGN(outputs[output.value->name], Tensor::Copy(View(output.buffer, output.type)));
      }
    }
    frame_.interpreter = nullptr;
    return outputs;
  }

  std::shared_ptr<Compiled> compiled_;
  ThreadPool pool_;
  std::shared_ptr<const Plan> plan_;
  Frame frame_;
  Floats arena_;
};

class Cpu : public exec::Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  Status Available() const override { return {}; }
  Result<std::unique_ptr<exec::Session>> Load(std::shared_ptr<const ir::Model> model,
                                              const exec::LoadOptions& options) const override {
    if (options.threads < 0 || options.threads > 1024) {
      return Usage("{} threads", options.threads).Advise("choose 1 to 1024, or 0 for one per core");
    }
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    auto session = std::make_unique<CpuSession>(
        Compiled::Find(std::move(model), *function, options.numerics), options);
    ANEMONE_TRY(session->Prepare());
    return std::unique_ptr<exec::Session>(std::move(session));
  }
};

}  // namespace

const exec::Backend& CpuBackend() {
  static const Cpu backend;
  return backend;
}

}  // namespace anemone::cpu
