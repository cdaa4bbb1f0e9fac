// States that the plan reads and writes, and slice_update, which updates them in place.
#include <algorithm>
#include <deque>
#include <optional>

#include "cpu/lowerings.h"
#include "cpu/reference_op.h"
#include "exec/indexing.h"
#include "ops/slice/ranges.h"

namespace anemone::cpu {
namespace {

using ir::kDynamic;

Result<bool> LowerReadState(Planner& planner, const Node& node) {
  const StateMemory* memory = planner.MemoryOf(node.operation->Input("input"));
  if (memory == nullptr) return false;
  planner.SetBuffer(node.operation->output(), Layout::kRowMajor, memory->buffer);
  return true;
}

Result<bool> LowerWriteState(Planner& planner, const Node& node) {
  const ir::Value* handle = node.operation->Input("input");
  const StateMemory* memory = planner.MemoryOf(handle);
  if (memory == nullptr) return false;
  ANEMONE_ASSIGN(const BufferId from,
                 planner.Read(node.operation->Input("data"), Layout::kRowMajor));
  if (from == memory->buffer) return true;  // updated in place
  const auto [index, to] = planner.MoveState(handle);
  const ir::Type type = handle->type.elements()[0];
  Instruction instruction;
  instruction.kernel = "write_state";
  instruction.operations = {node.operation};
  instruction.reads = {from};
  instruction.run = [=](Frame& frame) -> Status {
    exec::Tensor& state = *frame.states[index];
    ANEMONE_ASSIGN(exec::Tensor written, exec::Tensor::Copy({exec::StorageDType(type.dtype()),
                                                             type.shape(), frame.In(from)}));
    std::swap(state, written);
    frame.replaced.emplace_back(index, std::move(written));
    frame.at[static_cast<size_t>(to)] = state.As<float>();
    return {};
  };
  planner.Emit(std::move(instruction));
  return true;
}

Window WindowOf(const std::vector<ops::slice::Range>& ranges, const ir::Shape& shape) {
  const exec::Strides strides = exec::RowMajorStrides(shape);
  Window window;
  for (size_t i = 0; i < ranges.size(); ++i) {
    window.Add(ranges[i].first, ranges[i].step, ranges[i].count, strides[i]);
  }
  return window;
}

struct SliceUpdate {
  BufferId x = kNoBuffer;
  BufferId update = kNoBuffer;
  BufferId out = kNoBuffer;    // x: in place
  BufferId saved = kNoBuffer;  // takes the elements that are overwritten; kNoBuffer: nobody asks
  ir::Shape shape;             // of x
  int64_t update_count = 0;
  std::optional<Window> window;  // absent: known at run time, from the arguments
  ReferenceOp arguments;

  Result<Window> WindowIn(const Frame& frame) const {
    if (window) return *window;
    std::deque<ir::Literal> made;
    ANEMONE_ASSIGN(const ir::OpArgs args, arguments.ArgsOf(frame, &made));
    std::vector<ir::Type> types;
    ANEMONE_TRY(ir::InferTypes(args, &types));  // checks that the update fits
    ANEMONE_ASSIGN(const auto ranges, ops::slice::SliceRanges(args));
    return WindowOf(ranges, shape);
  }

  Status Run(Frame& frame) const {
    ANEMONE_ASSIGN(const Window to, WindowIn(frame));
    if (to.count() != update_count) {
      return Internal("{} elements update a slice of {}", update_count, to.count());
    }
    if (out != x) {
      std::copy_n(frame.In(x), ir::ElementCount(shape).value_or(0), frame.Out(out));
    } else if (saved != kNoBuffer) {
      to.CopyOut(frame.In(x), frame.Out(saved));
      frame.overwritten.push_back({frame.Out(x), frame.In(saved), to});
    }
    to.CopyIn(frame.In(update), frame.Out(out));
    return {};
  }
};

Result<bool> LowerSliceUpdate(Planner& planner, const Node& node) {
  const ir::Operation& operation = *node.operation;
  const ir::Value* x = operation.Input("x");
  const ir::Value* update = operation.Input("update");
  const ir::Type type = planner.TypeOf(x);
  if (StorageBytes(type) != CountOf(type) * int64_t{sizeof(float)}) return false;
  if (CountOf(type) == 0 || type.rank() > static_cast<int>(Window::kMaxRank)) return false;
  // The elements of x are as the program rounds them, unless results of float32 are rounded too.
  if (planner.Rounds(type) && type.dtype() != DType::kFp16) return false;
  SliceUpdate run;
  run.shape = type.shape();
  run.update_count = CountOf(planner.TypeOf(update));
  ANEMONE_ASSIGN(const auto ranges, ops::slice::SliceRanges(*node.args));
  if (std::ranges::all_of(ranges, [](const auto& range) {
        return range.first != kDynamic && range.count != kDynamic;
      })) {
    run.window = WindowOf(ranges, run.shape);
  }
  Instruction instruction;
  instruction.operations = {&operation};
  ANEMONE_ASSIGN(run.arguments, planner.ArgumentsOf(node, &instruction.reads));
  ANEMONE_ASSIGN(run.x, planner.Read(x, Layout::kRowMajor));
  ANEMONE_ASSIGN(run.update, planner.Read(update, Layout::kRowMajor));
  const StateMemory* memory =
      run.update == run.x ? nullptr : planner.UpdatesInPlace(operation, run.x);
  if (memory != nullptr) {
    ANEMONE_TRY(planner.SaveReaders(memory->buffer, operation));
    instruction.kernel = "slice_update_in_place";
    run.out = run.x;
    if (planner.IsOfCaller(*memory)) {
      run.saved = planner.NewBuffer(run.update_count * int64_t{sizeof(float)});
      planner.KeepUntilEnd(run.saved);
    }
  } else {
    instruction.kernel = "slice_update";
    run.out = planner.NewBuffer(StorageBytes(type));
  }
  for (const BufferId written : {run.out, run.saved}) {
    if (written != kNoBuffer) instruction.writes.push_back(written);
  }
  planner.SetBuffer(operation.output(), Layout::kRowMajor, run.out);
  instruction.run = [run = std::move(run)](Frame& frame) { return run.Run(frame); };
  planner.Emit(std::move(instruction));
  return true;
}

constexpr LoweringEntry kStateLowerings[] = {{"read_state", LowerReadState},
                                             {"write_state", LowerWriteState}};
constexpr LoweringEntry kUpdateLowerings[] = {{"slice_update", LowerSliceUpdate}};

}  // namespace

std::span<const LoweringEntry> StateLowerings() { return kStateLowerings; }
std::span<const LoweringEntry> UpdateLowerings() { return kUpdateLowerings; }

}  // namespace anemone::cpu
