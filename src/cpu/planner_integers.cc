// Values that are kept as whole numbers between quantize and the products that read them.
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/int8_conv.h"
#include "cpu/planner.h"

namespace anemone::cpu {

Source IntegerBuffer::In(const Frame& frame) const {
  if (form.bytes) return {static_cast<const uint8_t*>(frame.At(buffer)), form.zero};
  return {static_cast<const NarrowInt*>(frame.At(buffer)), form.zero};
}

Destination IntegerBuffer::Out(const Frame& frame) const {
  if (form.bytes) return {static_cast<uint8_t*>(frame.At(buffer)), form.zero};
  return {static_cast<NarrowInt*>(frame.At(buffer)), form.zero};
}

IntegerBuffer Planner::NewIntegers(const ir::Type& type, Layout layout, IntegerForm form) {
  const auto each = static_cast<int64_t>(form.bytes ? sizeof(uint8_t) : sizeof(NarrowInt));
  return {NewBuffer((CountOf(type) + kIntegerSlack) * each), layout, form};
}

Status Planner::EmitGroupOfIntegers(Group& group, IntegerForm form) {
  states_[group.result].pending = nullptr;
  Instruction instruction;
  ANEMONE_ASSIGN(std::vector<PlannedStep> steps, PlanSteps(group, &instruction));
  ANEMONE_ASSIGN(Group::Run run, group.prepare());
  const IntegerBuffer out = NewIntegers(group.type, group.layout, form);
  // A kernel that writes floats only does so into memory of its own.
  const BufferId floats =
      group.can_store_integers ? kNoBuffer : NewBuffer(StorageBytes(group.type));
  instruction.reads.insert(instruction.reads.end(), group.reads.begin(), group.reads.end());
  instruction.writes = group.scratch;
  if (floats != kNoBuffer) instruction.writes.push_back(floats);
  instruction.writes.push_back(out.buffer);
  const int64_t count = CountOf(group.type);
  instruction.run = [=, run = std::move(run), steps = std::move(steps)](Frame& frame) -> Status {
    if (floats == kNoBuffer) return run(frame, out.Out(frame), BoundSteps(frame, steps));
    ANEMONE_TRY(run(frame, frame.Out(floats), BoundSteps(frame, steps)));
    Elementwise({}, frame.In(floats), out.Out(frame), 1, count, *frame.pool);
    return {};
  };
  Emit(std::move(instruction));
  states_[group.result].integers = out;
  return {};
}

Result<IntegerBuffer> Planner::ReadIntegers(const ir::Value* value, Layout layout,
                                            IntegerForm form) {
  Group* pending = states_[value].pending;
  if (pending != nullptr && pending->layout == layout && !pending->steps.empty() &&
      IsQuantize(pending->steps.back().step.kind)) {
    ANEMONE_TRY(EmitGroupOfIntegers(*pending, form));
  }
  const IntegerBuffer there = states_[value].integers;
  if (there.buffer != kNoBuffer && there.layout == layout && there.form == form) return there;
  ANEMONE_ASSIGN(const BufferId floats, Read(value, layout));
  const int64_t count = CountOf(TypeOf(value));
  const IntegerBuffer made = NewIntegers(TypeOf(value), layout, form);
  Instruction move;
  move.kernel = "to_integers";
  move.reads = {floats};
  move.writes = {made.buffer};
  move.run = [=](Frame& frame) -> Status {
    Elementwise({}, frame.In(floats), made.Out(frame), 1, count, *frame.pool);
    return {};
  };
  Emit(std::move(move));
  states_[value].integers = made;
  return made;
}

const Integers* Planner::BytesOf(const GroupStep& step, Layout layout) const {
  if (step.value == nullptr || !step.whole || Rounds(TypeOf(step.value))) return nullptr;
  const Integers* integers = IntegersOf(step.value);
  if (integers == nullptr || !integers->from.form.bytes) return nullptr;
  return integers->from.layout == layout ? integers : nullptr;
}

Status Planner::EmitFloats(const ir::Value* value) {
  const IntegerBuffer from = states_[value].integers;
  const int64_t count = CountOf(TypeOf(value));
  const BufferId floats = NewBuffer(StorageBytes(TypeOf(value)));
  Instruction move;
  move.kernel = "to_floats";
  move.reads = {from.buffer};
  move.writes = {floats};
  move.run = [=](Frame& frame) -> Status {
    Elementwise({}, from.In(frame), frame.Out(floats), 1, count, *frame.pool);
    return {};
  };
  Emit(std::move(move));
  SetBuffer(value, from.layout, floats);
  return {};
}

}  // namespace anemone::cpu
