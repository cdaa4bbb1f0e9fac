// Plan: a function prepared to run for one set of input shapes: a list of instructions over
// numbered buffers.
//
// Buffers: most live in one arena whose layout is fixed here; constants point into the model or
// into memory that the plan owns; inputs belong to the caller. Values whose shape is known only at
// run time and lists live outside, in the frame's interpreter (exec/interpreter.h). A state is read
// and written where the caller keeps it (planner_states.cc), or by the interpreter.
// Ownership: a Plan owns its constants and packed weights and borrows the ir::Function, which must
// outlive it. Thread rules: a Plan is immutable and shared; a Frame belongs to one running call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "cpu/kernels/buffer.h"
#include "cpu/kernels/steps.h"
#include "cpu/kernels/window.h"
#include "exec/backend.h"
#include "exec/interpreter.h"
#include "exec/tensor.h"
#include "ir/program.h"

namespace anemone::cpu {

using BufferId = int32_t;
constexpr BufferId kNoBuffer = -1;

struct Buffer {
  enum class Kind : uint8_t { kArena, kConstant, kInput, kState };
  Kind kind = Kind::kArena;
  int64_t size_bytes = 0;
  int64_t offset = 0;                 // kArena: offset in the arena
  const void* data = nullptr;         // kConstant
  std::shared_ptr<const void> owner;  // kConstant: keeps `data` alive
};

class Plan;

// Elements of a state that a call has overwritten, and what they were.
struct Overwritten {
  float* state = nullptr;
  const float* before = nullptr;
  Window window;
};

// The memory and helpers of one running call.
struct Frame {
  const Plan* plan = nullptr;
  std::vector<void*> at;  // by BufferId
  ThreadPool* pool = nullptr;
  // Holds values of dynamic shape, lists and the names of states; runs interpreted operations.
  exec::Interpreter* interpreter = nullptr;
  std::vector<exec::Tensor*> states;  // by index in the plan's states; the caller's
  // What a call has changed of them, first to last: what a write has replaced, with the state's index,
  // which stays alive here, and what an update has overwritten.
  std::vector<std::pair<size_t, exec::Tensor>> replaced;
  std::vector<Overwritten> overwritten;

  const float* In(BufferId id) const {
    return static_cast<const float*>(at[static_cast<size_t>(id)]);
  }
  float* Out(BufferId id) const { return static_cast<float*>(at[static_cast<size_t>(id)]); }
  void* At(BufferId id) const { return at[static_cast<size_t>(id)]; }
};

// A step whose operand is in a buffer (or that has none).
struct PlannedStep {
  Step step;
  BufferId operand = kNoBuffer;
  bool operand_is_bytes = false;
};

// Steps with their operands' addresses filled in, for one kernel call.
class BoundSteps {
 public:
  static constexpr size_t kMax = 40;
  BoundSteps(const Frame& frame, const std::vector<PlannedStep>& planned) : size_(planned.size()) {
    for (size_t i = 0; i < size_; ++i) {
      steps_[i] = planned[i].step;
      if (planned[i].operand == kNoBuffer) continue;
      const void* at = frame.At(planned[i].operand);
      if (planned[i].operand_is_bytes) {
        steps_[i].operand.bytes = static_cast<const uint8_t*>(at);
      } else {
        steps_[i].operand.data = static_cast<const float*>(at);
      }
    }
  }
  operator std::span<const Step>() const { return {steps_, size_}; }  // NOLINT: reads like a span

 private:
  Step steps_[kMax];
  size_t size_;
};

struct Instruction {
  std::function<Status(Frame&)> run;
  std::vector<BufferId> reads;
  std::vector<BufferId> writes;  // scratch memory included
  std::string_view kernel;
  // The operations that this performs, first to last; empty for a change of layout.
  std::vector<const ir::Operation*> operations;
  // In a plan for tracing values: the buffers of the outputs of the last operation, row-major. A
  // value of the interpreter has kNoBuffer. Such an instruction only reports; `run` is empty.
  std::vector<BufferId> traced;
};

// A value as the caller sees it.
struct PlanInput {
  const ir::Value* value = nullptr;
  BufferId buffer = kNoBuffer;
  BufferId rounded = kNoBuffer;  // the copy rounded to half; kNoBuffer: used as given
};
// A state that instructions read and write.
struct PlanState {
  const ir::Value* value = nullptr;
  BufferId buffer = kNoBuffer;  // its memory when a call begins
  bool updated = false;         // whether instructions write to that memory
};
struct PlanOutput {
  const ir::Value* value = nullptr;
  ir::Type type;                // static, unless the value is in the interpreter
  BufferId buffer = kNoBuffer;  // kNoBuffer: in the interpreter
};

class Plan {
 public:
  const ir::Function* function = nullptr;
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  std::vector<PlanInput> inputs;
  std::vector<PlanOutput> outputs;
  std::vector<PlanState> states;
  std::vector<const ir::Value*> interpreted_states;  // the others
  std::vector<BufferId> kept;                        // buffers that must last until the call ends
  int64_t arena_bytes = 0;
  // The row-major buffers of values of known type, for interpreted operations.
  struct Place {
    BufferId buffer = kNoBuffer;
    ir::Type type;
  };
  std::unordered_map<const ir::Value*, Place> places;
  std::vector<std::shared_ptr<const ir::Literal>>
      literals;           // folded constants that instructions point to
  int64_t own_bytes = 0;  // of constants that no other plan of the function has

  // Which results are rounded to half.
  exec::RoundingRule rounding;
};

// Gives each arena buffer an offset, such that buffers that live at the same time do not overlap.
void PlaceBuffers(Plan* plan);

}  // namespace anemone::cpu
