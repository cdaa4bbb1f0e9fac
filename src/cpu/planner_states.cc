// States in the caller's memory. A state that only read_state and write_state of the function's own block
// name is a buffer of the plan: reading it costs nothing, and a slice_update that is written back changes
// the elements that it updates, where they are.
//
// What keeps that right:
//   - a value whose buffer is a state's memory holds what that memory holds. Before an instruction changes
//     the memory, SaveReaders emits the kernels that wait to read it, and copies the values that later
//     operations read;
//   - a slice_update works in place only when the next operation on the state is the write_state of its
//     result, so that nobody can read the state early (UpdatesInPlace);
//   - a write of other values goes to new memory. The old one lasts until the call ends;
//   - a call that fails puts everything back (cpu_backend.cc).
#include <algorithm>

#include "cpu/lowerings.h"
#include "cpu/planner.h"

namespace anemone::cpu {

bool Planner::CanHoldState(const ir::Value* handle) const {
  const ir::Type& type = handle->type.elements()[0];
  const ValueFacts& facts = facts_.values.at(handle);
  if (!IsFloat32(type) || !type.is_static()) return false;
  return std::ranges::all_of(facts.users, [&](const ir::Operation* user) {
    // A body, or a loop that hands the state on, is the interpreter's.
    if (FindStateLowering(user->type()) == nullptr) return false;
    const ir::Value* data = user->Input("data");
    return !facts_.values.at(data != nullptr ? data : user->output()).dynamic;
  });
}

void Planner::AddState(const ir::Value* handle) {
  if (!CanHoldState(handle)) {
    plan_->interpreted_states.push_back(handle);
    return;
  }
  if (positions_.empty()) {
    for (size_t i = 0; i < facts_.nodes.size(); ++i) positions_[facts_.nodes[i].operation] = i;
  }
  plan_->states.push_back({handle, NewStateBuffer(handle->type.elements()[0]), false});
  memories_[handle] = {plan_->states.size() - 1, plan_->states.back().buffer};
}

BufferId Planner::NewStateBuffer(const ir::Type& type) {
  const BufferId id = NewBuffer(StorageBytes(type));
  plan_->buffers.back().kind = Buffer::Kind::kState;
  return id;
}

const StateMemory* Planner::MemoryOf(const ir::Value* handle) const {
  const auto found = memories_.find(handle);
  return found == memories_.end() ? nullptr : &found->second;
}

StateMemory Planner::MoveState(const ir::Value* handle) {
  StateMemory& memory = memories_.at(handle);
  memory.buffer = NewStateBuffer(handle->type.elements()[0]);
  return memory;
}

const StateMemory* Planner::UpdatesInPlace(const ir::Operation& update, BufferId x) {
  const auto found = std::find_if(memories_.begin(), memories_.end(),
                                  [&](const auto& entry) { return entry.second.buffer == x; });
  if (found == memories_.end()) return nullptr;
  const auto& [handle, memory] = *found;
  const size_t here = positions_.at(&update);
  for (const ir::Operation* user : facts_.values.at(handle).users) {
    if (positions_.at(user) < here) continue;
    // What is written must be the update, or further updates of it.
    const ir::Value* data = user->Input("data");
    while (data != nullptr && data != update.output()) {
      const ir::Operation* producer = data->producer;
      const bool further = producer != nullptr && producer->type() == update.type();
      data = further ? producer->Input("x") : nullptr;
    }
    if (data == nullptr) return nullptr;
    PlanState& state = plan_->states[memory.index];
    state.updated = state.updated || state.buffer == memory.buffer;
    return &memory;
  }
  return nullptr;
}

// The rows of a cache that attention reads are mostly a slice of a state: SaveReaders copies them if the
// state is written first.
Result<SlicedRows> Planner::TakeRows(const ir::Value* value) {
  State& state = states_[value];
  if (state.pending != nullptr && state.pending->rows && state.pending->steps.empty()) {
    const SlicedRows rows = *state.pending->rows;
    state.pending = nullptr;
    return rows;
  }
  const ir::Shape shape = TypeOf(value).shape();
  ANEMONE_ASSIGN(const BufferId buffer, Read(value, Layout::kRowMajor));
  return SlicedRows{buffer, 0, shape[shape.size() - 2] * shape.back()};
}

bool Planner::WaitsToRead(const Group& group, BufferId memory) const {
  if (group.only_copies == memory || std::ranges::count(group.reads, memory) != 0) return true;
  return std::ranges::any_of(group.steps, [&](const GroupStep& step) {
    if (step.buffer == memory) return true;
    const auto found = step.value == nullptr ? states_.end() : states_.find(step.value);
    if (found == states_.end()) return false;
    const State& state = found->second;
    return state.row_major == memory || state.channels_last == memory ||
           (state.pending != nullptr && WaitsToRead(*state.pending, memory));
  });
}

Status Planner::SaveReaders(BufferId memory, const ir::Operation& writer) {
  for (Group& group : groups_) {
    const auto found = states_.find(group.result);
    const bool pending = found != states_.end() && found->second.pending == &group;
    if (pending && WaitsToRead(group, memory)) ANEMONE_TRY(EmitGroup(group));
  }
  const size_t here = positions_.at(&writer);
  BufferId saved = kNoBuffer;
  for (auto& [value, state] : states_) {
    if (state.row_major != memory && state.channels_last != memory) continue;
    const ValueFacts& facts = facts_.values.at(value);
    const bool needed = facts.is_output || std::ranges::any_of(facts.users, [&](const auto* user) {
                          return positions_.at(user) > here;
                        });
    if (needed && saved == kNoBuffer) saved = EmitStateCopy(memory);
    for (BufferId* buffer : {&state.row_major, &state.channels_last}) {
      if (*buffer == memory) *buffer = needed ? saved : kNoBuffer;
    }
  }
  return {};
}

BufferId Planner::EmitStateCopy(BufferId memory) {
  const int64_t bytes = plan_->buffers[static_cast<size_t>(memory)].size_bytes;
  const BufferId copy = NewBuffer(bytes);
  Instruction instruction;
  instruction.kernel = "copy_state";
  instruction.reads = {memory};
  instruction.writes = {copy};
  instruction.run = [=](Frame& frame) -> Status {
    std::copy_n(frame.In(memory), bytes / int64_t{sizeof(float)}, frame.Out(copy));
    return {};
  };
  Emit(std::move(instruction));
  return copy;
}

}  // namespace anemone::cpu
