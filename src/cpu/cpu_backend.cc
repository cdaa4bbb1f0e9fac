#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/clock.h"
#include "base/interruption.h"
#include "base/simd_level.h"
#include "cpu/compiled.h"
#include "cpu/kernels/gemm_tile.h"
#include "exec/classifier.h"
#include "exec/function_inputs.h"
#include "exec/interpreter.h"

namespace anemone::cpu {
namespace {

using exec::Tensor;

class CpuExecutable : public exec::Executable {
 public:
  CpuExecutable(std::shared_ptr<Compiled> compiled, const exec::LoadOptions& options)
      : compiled_(std::move(compiled)), pool_(ThreadPool::Shared(options.threads)) {
    frame_.pool = pool_.get();
  }

  // Plans ahead if the program has static shapes, so that a model that cannot run fails at load.
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
    std::map<std::string, Tensor> outputs;
    ANEMONE_TRY(Call(exec::BindAll(inputs), state, tracer, [&]() -> Status {
      for (const PlanOutput& output : plan_->outputs) {
        ANEMONE_ASSIGN(outputs[output.value->name], Take(output));
      }
      return {};
    }));
    return outputs;
  }

  // In the steady state (the shapes of the previous call, no interpreted operation) this allocates
  // nothing on the heap.
  Status RunBound(std::span<const exec::BoundInput> inputs,
                  std::span<const exec::BoundOutput> outputs, exec::State* state,
                  const exec::Tracer* tracer) override {
    return Call(inputs, state, tracer, [&]() -> Status {
      for (const exec::BoundOutput& output : outputs) ANEMONE_TRY(CopyOut(output));
      return {};
    });
  }

  int64_t working_memory_bytes() const override {
    return arena_.capacity() * static_cast<int64_t>(sizeof(float));
  }

 private:
  // One call: `take` fetches the outputs while they are valid.
  template <typename Take>
  Status Call(std::span<const exec::BoundInput> inputs, exec::State* state,
              const exec::Tracer* tracer, const Take& take) {
    const bool trace_values = tracer != nullptr && tracer->values;
    if (!FitsPlan(inputs, trace_values)) {
      ANEMONE_TRY(exec::CheckInputs(compiled_->function(), inputs));
      InputShapes shapes;
      for (const exec::BoundInput& input : inputs) {
        shapes.emplace(std::string(input.name), input.tensor.shape);
      }
      ANEMONE_TRY(Use(shapes, trace_values));
    }
    exec::State local;
    exec::State& states = state != nullptr ? *state : local;
    const exec::InterpretOptions options{.observe = {}, .rounding = plan_->rounding};
    exec::Interpreter interpreter(compiled_->function().opset, &states, options,
                                  [this](const ir::Value& value) { return Outer(value); });
    frame_.interpreter = &interpreter;
    const Status status = [&]() -> Status {
      ANEMONE_TRY(BindStates(states));
      exec::State before;  // the interpreter's, which replaces whole tensors
      for (const ir::Value* value : plan_->interpreted_states) {
        before[value->name] = states[value->name];
      }
      Status ran = [&]() -> Status {
        BindInputs(inputs);
        ANEMONE_TRY(tracer != nullptr && tracer->on_operation ? RunTraced(*tracer) : RunPlain());
        return take();
      }();
      if (!ran.ok()) {
        for (auto& [name, tensor] : before) states[name] = std::move(tensor);
        RestoreStates();
      }
      return ran;
    }();
    frame_.interpreter = nullptr;
    frame_.replaced.clear();
    frame_.overwritten.clear();
    return status;
  }

  // Finds the states of this call, and makes those that are new.
  Status BindStates(exec::State& states) {
    for (const ir::Value* value : plan_->interpreted_states) {
      ANEMONE_TRY(frame_.interpreter->BindState(*value));
    }
    frame_.states.clear();
    for (const PlanState& bound : plan_->states) {
      auto found = states.find(bound.value->name);
      if (found == states.end() ||
          found->second.shape() != bound.value->type.elements()[0].shape() ||
          found->second.dtype() != DType::kFp32) {
        ANEMONE_TRY(
            frame_.interpreter->BindState(*bound.value));  // makes it, or says what is wrong
        found = states.find(bound.value->name);
      }
      Tensor& state = found->second;
      // A copy that somebody made of the states shares their memory, and stays as it is.
      if (bound.updated && state.is_shared()) {
        ANEMONE_ASSIGN(state, Tensor::Copy(state.view()));
      }
      frame_.states.push_back(&state);
      frame_.at[static_cast<size_t>(bound.buffer)] = state.As<float>();
    }
    return {};
  }

  // Undoes what the call has done to the plan's states.
  void RestoreStates() {
    while (!frame_.replaced.empty()) {
      auto& [index, tensor] = frame_.replaced.back();
      *frame_.states[index] = std::move(tensor);
      frame_.replaced.pop_back();
    }
    while (!frame_.overwritten.empty()) {
      const Overwritten& last = frame_.overwritten.back();
      last.window.CopyIn(last.before, last.state);
      frame_.overwritten.pop_back();
    }
  }

  // Whether the current plan is the one for these inputs.
  bool FitsPlan(std::span<const exec::BoundInput> inputs, bool trace_values) const {
    if (plan_ == nullptr || trace_values_ != trace_values || inputs.size() != shapes_.size()) {
      return false;
    }
    for (const auto& input : compiled_->function().inputs()) {
      if (!input->type.is_tensor()) continue;
      const exec::BoundInput* given = exec::FindInput(inputs, input->name);
      if (given == nullptr || given->tensor.dtype != exec::StorageDType(input->type.dtype()) ||
          shapes_.find(input->name)->second != given->tensor.shape) {
        return false;
      }
    }
    return true;
  }

  void BindInputs(std::span<const exec::BoundInput> inputs) {
    for (const PlanInput& input : plan_->inputs) {
      // Kernels never write to input buffers.
      const void* data = exec::FindInput(inputs, input.value->name)->tensor.data;
      frame_.at[static_cast<size_t>(input.buffer)] = const_cast<void*>(data);
      if (input.rounded == kNoBuffer) continue;
      const int64_t bytes = plan_->buffers[static_cast<size_t>(input.buffer)].size_bytes;
      float* rounded = frame_.Out(input.rounded);
      std::memcpy(rounded, data, static_cast<size_t>(bytes));
      RoundToHalf({rounded, static_cast<size_t>(bytes) / sizeof(float)});
    }
  }

  // Makes the plan for these shapes the current one.
  Status Use(const InputShapes& shapes, bool trace_values) {
    ANEMONE_ASSIGN(auto plan, compiled_->PlanFor(shapes, trace_values, *pool_));
    const int64_t floats = plan->arena_bytes / int64_t{sizeof(float)};
    // Shapes that grow by one each call must not allocate each call.
    const int64_t roomy = floats <= arena_.capacity() ? floats : arena_.capacity() * 5 / 4;
    if (!arena_.TryReserve(std::max(floats, roomy)) && !arena_.TryReserve(floats)) {
      return Unsupported("the model needs {} bytes of working memory", plan->arena_bytes);
    }
    plan_ = std::move(plan);
    shapes_ = shapes;
    trace_values_ = trace_values;
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
      ANEMONE_TRY(CheckInterrupted());
      if (instruction.run) ANEMONE_TRY(Place(instruction, instruction.run(frame_)));
    }
    return {};
  }

  Status RunTraced(const exec::Tracer& tracer) {
    const int64_t start_ns = NowNs();
    // When values are traced, an operation's report follows all of its instructions.
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

  Result<Tensor> Take(const PlanOutput& output) {
    if (output.buffer != kNoBuffer) return Tensor::Copy(View(output.buffer, output.type));
    ANEMONE_ASSIGN(auto slot, frame_.interpreter->Get(*output.value));
    return std::move(slot.tensor);
  }

  Status CopyOut(const exec::BoundOutput& bound) {
    for (const PlanOutput& output : plan_->outputs) {
      if (output.value->name != bound.name) continue;
      if (output.buffer != kNoBuffer) {
        const exec::MutableTensor& to = bound.tensor;
        if (to.dtype != exec::StorageDType(output.type.dtype()) ||
            to.shape != output.type.shape()) {
          return exec::WrongBinding(bound, View(output.buffer, output.type));
        }
        std::memcpy(to.data, frame_.at[static_cast<size_t>(output.buffer)],
                    ByteSize(to.dtype, to.count()).value_or(0));
        return {};
      }
      ANEMONE_ASSIGN(const Tensor tensor, Take(output));
      return exec::CopyToBinding(tensor, bound);
    }
    return Usage("the model has no output '{}'", bound.name);
  }

  std::shared_ptr<Compiled> compiled_;
  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<const Plan> plan_;
  InputShapes shapes_;         // of plan_
  bool trace_values_ = false;  // of plan_
  Frame frame_;
  Floats arena_;
};

class Cpu : public exec::Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  Status Available() const override { return UseSimdOfEnvironment(); }
  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                 const exec::LoadOptions& options) const override {
    if (options.threads < 0 || options.threads > 1024) {
      return Usage("{} threads is out of range", options.threads)
          .Advise("choose 1 to 1024, or 0 for one per core");
    }
    ANEMONE_TRY(UseSimdOfEnvironment());
    if (options.numerics == exec::Numerics::kBfloat16 && !Dots().avx512_bf16) {
      return Unsupported("this machine has no instructions for products of bfloat16 numbers")
          .Advise("use another of the numerics; float32 takes the same weights");
    }
    ANEMONE_ASSIGN(model, exec::WithTensorOutputs(std::move(model)));
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    auto executable = std::make_unique<CpuExecutable>(
        Compiled::Find(std::move(model), *function, options.numerics), options);
    ANEMONE_TRY(executable->Prepare());
    return std::unique_ptr<exec::Executable>(std::move(executable));
  }
};

}  // namespace

const exec::Backend& CpuBackend() {
  static const Cpu backend;
  return backend;
}

}  // namespace anemone::cpu
