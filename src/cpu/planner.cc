#include "cpu/planner.h"

#include <algorithm>
#include <cstring>

#include "base/interruption.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/layout.h"
#include "cpu/lowerings.h"
#include "cpu/reference_op.h"
#include "exec/kernel.h"

namespace anemone::cpu {
namespace {

constexpr size_t kMaxReturnSteps = 5;  // operations between a saved value and its second reader
// The most steps that one operation may add to a group, rounding included.
constexpr size_t kMaxStepsEach = 4;

exec::RoundingRule RuleOf(exec::Numerics numerics) {
  switch (numerics) {
    case exec::Numerics::kAsTyped:
      return {.fp16 = true, .fp32 = false};
    case exec::Numerics::kFloat32:
    case exec::Numerics::kBfloat16:
      return {.fp16 = false, .fp32 = false};
    case exec::Numerics::kFloat16:
      return {.fp16 = true, .fp32 = true};
  }
  return {};
}

// x * clamp(alpha * x + beta, 0, 1), where it ends the list as three steps, or as four with the second
// factor rounded to half, becomes one, which needs no copy of x. The bits are the same.
void JoinHardSwish(std::vector<PlannedStep>* steps) {
  const size_t n = steps->size();
  const bool rounds = n >= 4 && (*steps)[n - 2].step.kind == StepKind::kRoundToHalf;
  const size_t joins = rounds ? 4 : 3;
  if (n < joins) return;
  const PlannedStep* first = &(*steps)[n - joins];
  const PlannedStep& last = steps->back();
  const bool is_one = first[0].step.kind == StepKind::kSave &&
                      first[1].step.kind == StepKind::kHardSigmoid &&
                      last.step.kind == StepKind::kMul && last.operand == kNoBuffer &&
                      last.step.operand.data == nullptr;
  if (!is_one) return;
  PlannedStep joined{first[1].step};
  joined.step.kind = rounds ? StepKind::kHardSwishOfHalf : StepKind::kHardSwish;
  steps->resize(n - joins);
  steps->push_back(joined);
}

}  // namespace

int64_t SpatialCount(const ir::Type& type) {
  int64_t count = 1;
  for (size_t i = 2; i < type.shape().size(); ++i) count *= type.shape()[i];
  return count;
}

int64_t StorageBytes(const ir::Type& type) {
  return static_cast<int64_t>(
      ByteSize(exec::StorageDType(type.dtype()), CountOf(type)).value_or(0));
}

Planner::Planner(const ir::Function& function, Specialized facts, SharedParts& shared,
                 const PlanOptions& options)
    : function_(function),
      facts_(std::move(facts)),
      shared_(shared),
      options_(options),
      plan_(std::make_shared<Plan>()) {
  plan_->function = &function;
  plan_->rounding = RuleOf(options.numerics);
  plan_->literals = facts_.literals;
  plan_->own_bytes = facts_.own_bytes;
}

Result<std::shared_ptr<const Plan>> Planner::Build() {
  if (!options_.trace_values) HoldIntegersInFloat(facts_);
  ANEMONE_TRY(AddInputs());
  for (const Node& node : facts_.nodes) {
    ANEMONE_TRY(CheckInterrupted());  // packing large weights takes long
    const ir::Operation& operation = *node.operation;
    Status status = Lower(node);
    if (!status.ok()) {
      return std::move(status).At(fmt::format("{} '{}'", operation.type(), operation.name()));
    }
    if (options_.trace_values) ANEMONE_TRY(Trace(node));
  }
  ANEMONE_TRY(AddOutputs());
  PlaceBuffers(plan_.get());
  return std::shared_ptr<const Plan>(plan_);
}

bool Planner::HasFixedWeights(const ir::Operation& operation) const {
  for (const std::string_view param : {"weight", "bias", "y"}) {
    if (!IsFixed(operation.Input(param))) return false;
  }
  return true;
}

Result<LiteralRef> Planner::LiteralOf(const ir::Value* value) {
  const ValueFacts& facts = facts_.values.at(value);
  if (facts.deferred) return shared_.folded.Get(*value);
  if (facts.known == nullptr) return Internal("value '{}' is not known", value->name);
  return LiteralRef(LiteralRef(), facts.known);  // the plan, or the model, keeps it
}

Status Planner::AddInputs() {
  for (const auto& input : function_.inputs()) {
    if (!input->type.is_tensor()) {
      AddState(input.get());
      continue;
    }
    PlanInput in;
    in.value = input.get();
    in.buffer = static_cast<BufferId>(plan_->buffers.size());
    Buffer buffer;
    buffer.kind = Buffer::Kind::kInput;
    buffer.size_bytes = StorageBytes(TypeOf(input.get()));
    plan_->buffers.push_back(buffer);
    if (Rounds(input->type)) in.rounded = NewBuffer(buffer.size_bytes);
    SetBuffer(input.get(), Layout::kRowMajor, in.rounded != kNoBuffer ? in.rounded : in.buffer);
    plan_->inputs.push_back(in);
  }
  return {};
}

Status Planner::AddOutputs() {
  for (const ir::Value* value : function_.outputs()) {
    PlanOutput out;
    out.value = value;
    out.type = TypeOf(value);
    if (!facts_.values.at(value).dynamic) {
      ANEMONE_ASSIGN(out.buffer, Read(value, Layout::kRowMajor));
    }
    plan_->outputs.push_back(std::move(out));
  }
  return {};
}

Status Planner::Lower(const Node& node) {
  const std::string& type = node.operation->type();
  Lowering lower = node.interpreted ? FindStateLowering(type) : FindLowering(type);
  if (node.operation->has_int64_results()) lower = nullptr;  // only the reference is checked
  if (lower != nullptr) {
    ANEMONE_ASSIGN(const bool taken, lower(*this, node));
    if (taken) return {};
  }
  return node.interpreted ? LowerInterpreted(node) : LowerReference(node);
}

// An instruction that reports an operation's outputs, which by now must be row-major.
Status Planner::Trace(const Node& node) {
  Instruction report;
  report.operations = {node.operation};
  for (const auto& output : node.operation->outputs()) {
    BufferId buffer = kNoBuffer;
    if (!facts_.values.at(output.get()).dynamic) {
      ANEMONE_ASSIGN(buffer, Read(output.get(), Layout::kRowMajor));
    }
    report.traced.push_back(buffer);
    plan_->places[output.get()] = {buffer, TypeOf(output.get())};
  }
  plan_->instructions.push_back(std::move(report));
  return {};
}

BufferId Planner::NewBuffer(int64_t size_bytes) {
  Buffer buffer;
  buffer.size_bytes = size_bytes;
  plan_->buffers.push_back(std::move(buffer));
  return static_cast<BufferId>(plan_->buffers.size()) - 1;
}

BufferId Planner::NewConstant(std::vector<float> values) {
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  plan_->own_bytes += static_cast<int64_t>(owner->size() * sizeof(float));
  Buffer buffer;
  buffer.kind = Buffer::Kind::kConstant;
  buffer.size_bytes = static_cast<int64_t>(owner->size() * sizeof(float));
  buffer.data = owner->data();
  buffer.owner = owner;
  plan_->buffers.push_back(std::move(buffer));
  return static_cast<BufferId>(plan_->buffers.size()) - 1;
}

void Planner::SetBuffer(const ir::Value* value, Layout layout, BufferId buffer) {
  State& state = states_[value];
  (layout == Layout::kRowMajor ? state.row_major : state.channels_last) = buffer;
}

void Planner::Emit(Instruction instruction) {
  plan_->instructions.push_back(std::move(instruction));
}

void Planner::EmitAlone(const Node& node, std::string_view kernel, Layout layout,
                        std::vector<BufferId> reads,
                        std::function<void(const Frame& frame, void* out)> run, size_t output) {
  const BufferId to = NewBuffer(StorageBytes(node.types[output]));
  Instruction instruction;
  instruction.kernel = kernel;
  instruction.operations = {node.operation};
  instruction.reads = std::move(reads);
  instruction.writes = {to};
  instruction.run = [to, run = std::move(run)](Frame& frame) -> Status {
    run(frame, frame.at[static_cast<size_t>(to)]);
    return {};
  };
  Emit(std::move(instruction));
  SetBuffer(node.operation->output(output), layout, to);
}

Layout Planner::LayoutOf(const ir::Value* value) const {
  const auto found = states_.find(value);
  if (found == states_.end()) return Layout::kRowMajor;
  const State& state = found->second;
  if (state.pending != nullptr) return state.pending->layout;
  if (state.row_major != kNoBuffer) return Layout::kRowMajor;
  if (state.channels_last != kNoBuffer) return Layout::kChannelsLast;
  return state.integers.buffer != kNoBuffer ? state.integers.layout : Layout::kRowMajor;
}

Result<Buffer> Planner::MakeConstant(const ir::Value* value, Layout layout) {
  ANEMONE_ASSIGN(const LiteralRef literal, LiteralOf(value));
  Buffer buffer;
  buffer.kind = Buffer::Kind::kConstant;
  buffer.size_bytes = StorageBytes(literal->type());
  const void* bytes = literal->bytes().data();
  const bool as_stored = exec::StorageDType(literal->dtype()) == literal->dtype() &&
                         reinterpret_cast<uintptr_t>(bytes) % sizeof(double) == 0;
  if (as_stored) {
    buffer.owner = std::make_shared<const ir::Literal>(*literal);
    buffer.data = bytes;
  } else {
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::FromLiteral(*literal));
    auto owner = std::make_shared<const exec::Tensor>(std::move(tensor));
    buffer.data = owner->view().data;
    buffer.owner = owner;
  }
  if (layout == Layout::kChannelsLast) {
    ThreadPool one(1);
    const ir::Type& type = literal->type();
    auto moved = std::make_shared<std::vector<float>>(static_cast<size_t>(CountOf(type)));
    TransposeMatrices(static_cast<const float*>(buffer.data), moved->data(), type.shape()[0],
                      type.shape()[1], SpatialCount(type), one);
    buffer.data = moved->data();
    buffer.owner = moved;
  }
  return buffer;
}

Result<BufferId> Planner::ReadConstant(const ir::Value* value, Layout layout) {
  if (IsFixed(value)) {
    const auto key = std::pair(value, layout);
    auto found = shared_.buffers.find(key);
    if (found == shared_.buffers.end()) {
      ANEMONE_ASSIGN(Buffer made, MakeConstant(value, layout));
      found = shared_.buffers.emplace(key, std::move(made)).first;
    }
    plan_->buffers.push_back(found->second);
  } else {
    ANEMONE_ASSIGN(Buffer made, MakeConstant(value, layout));
    plan_->own_bytes += made.size_bytes;
    plan_->buffers.push_back(std::move(made));
  }
  return static_cast<BufferId>(plan_->buffers.size()) - 1;
}

Result<BufferId> Planner::Read(const ir::Value* value, Layout layout) {
  const ir::Type type = TypeOf(value);
  if (facts_.values.at(value).dynamic) return Internal("value '{}' has no buffer", value->name);
  if (Group* pending = states_[value].pending; pending != nullptr) {
    if (CanTurn(*pending, layout)) return EmitTurned(*pending);
    ANEMONE_TRY(EmitGroup(*pending));
  }
  {
    const State& now = states_[value];
    const bool no_floats = now.row_major == kNoBuffer && now.channels_last == kNoBuffer;
    if (no_floats && now.integers.buffer != kNoBuffer) ANEMONE_TRY(EmitFloats(value));
  }
  const State state = states_[value];
  const BufferId there = layout == Layout::kRowMajor ? state.row_major : state.channels_last;
  if (there != kNoBuffer) return there;
  const BufferId other = layout == Layout::kRowMajor ? state.channels_last : state.row_major;
  BufferId buffer = kNoBuffer;
  if (other != kNoBuffer) {
    ANEMONE_ASSIGN(buffer, ChangeLayout(other, type, layout));
  } else if (IsKnown(value)) {
    ANEMONE_ASSIGN(buffer, ReadConstant(value, layout));
  } else {
    return Internal("value '{}' has not been computed", value->name);
  }
  SetBuffer(value, layout, buffer);
  return buffer;
}

Result<BufferId> Planner::ChangeLayout(BufferId from, const ir::Type& type, Layout to) {
  if (!HasChannels(type) || StorageBytes(type) != CountOf(type) * int64_t{sizeof(float)}) {
    return Internal("no other layout for {}", type.ToString());
  }
  const int64_t batch = type.shape()[0];
  const int64_t channels = type.shape()[1];
  const int64_t spatial = SpatialCount(type);
  if (channels == 1 || spatial == 1) return from;  // both layouts are the same
  const bool last = to == Layout::kChannelsLast;
  const BufferId buffer = NewBuffer(StorageBytes(type));
  Instruction move;
  move.kernel = last ? "to_channels_last" : "to_row_major";
  move.reads = {from};
  move.writes = {buffer};
  move.run = [=](Frame& frame) -> Status {
    TransposeMatrices(frame.In(from), frame.Out(buffer), batch, last ? channels : spatial,
                      last ? spatial : channels, *frame.pool);
    return {};
  };
  Emit(std::move(move));
  return buffer;
}

bool Planner::CanTurn(const Group& group, Layout layout) const {
  constexpr int64_t kMostChannels = 16;  // more would be steps on short rows
  if (group.only_copies == kNoBuffer || group.steps.empty() || group.layout != Layout::kRowMajor ||
      layout != Layout::kChannelsLast || !HasChannels(group.type)) {
    return false;
  }
  const int64_t channels = group.type.shape()[1];
  if (channels == 1 || channels > kMostChannels || SpatialCount(group.type) == 1) return false;
  if (facts_.values.at(group.result).users.size() != 1) return false;
  return std::all_of(group.steps.begin(), group.steps.end(),
                     [](const GroupStep& step) { return !HasOperand(step.step.kind); });
}

Result<BufferId> Planner::EmitTurned(Group& group) {
  states_[group.result].pending = nullptr;
  Instruction instruction;
  ANEMONE_ASSIGN(std::vector<PlannedStep> steps, PlanSteps(group, &instruction));
  const BufferId in = group.only_copies;
  const BufferId out = NewBuffer(StorageBytes(group.type));
  instruction.reads.push_back(in);
  instruction.writes = {out};
  const int64_t batch = group.type.shape()[0], channels = group.type.shape()[1];
  const int64_t spatial = SpatialCount(group.type);
  instruction.run = [=, steps = std::move(steps)](Frame& frame) -> Status {
    TransposeMatrices(frame.In(in), frame.Out(out), batch, channels, spatial,
                      BoundSteps(frame, steps), *frame.pool);
    return {};
  };
  Emit(std::move(instruction));
  SetBuffer(group.result, Layout::kChannelsLast, out);
  return out;
}

Group& Planner::Open(const ir::Operation& operation, std::string_view kernel, Layout layout) {
  Group& group = groups_.emplace_back();
  group.kernel = kernel;
  group.operations = {&operation};
  group.result = operation.output();
  group.type = TypeOf(group.result);
  group.layout = layout;
  if (layout == Layout::kChannelsLast) group.columns = group.type.shape()[1];
  states_[group.result].pending = &group;
  return group;
}

Group& Planner::OpenSimple(const ir::Operation& operation, std::string_view kernel, Layout layout,
                           std::vector<BufferId> reads,
                           std::function<void(const Frame& frame, float* out)> run) {
  Group& group = Open(operation, kernel, layout);
  group.reads = std::move(reads);
  Group* self = &group;
  group.prepare = [self, run = std::move(run)]() -> Result<Group::Run> {
    const int64_t count = CountOf(self->type);
    const int64_t columns = self->columns == 0 ? count : self->columns;
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          run(frame, out.floats);
          if (steps.empty()) return {};
          Elementwise(steps, out.floats, out, count / columns, columns, *frame.pool);
          return {};
        });
  };
  return group;
}

Group* Planner::Joinable(const ir::Value* value, const ir::Operation& reader) {
  if (options_.trace_values) return nullptr;
  const auto found = states_.find(value);
  if (found == states_.end() || found->second.pending == nullptr) return nullptr;
  Group* group = found->second.pending;
  // Room for this operation, and for those up to the second reader of a saved value.
  if (group->steps.size() + kMaxStepsEach * (kMaxReturnSteps + 2) > BoundSteps::kMax) {
    if (group->saved == nullptr || group->steps.size() + kMaxStepsEach > BoundSteps::kMax) {
      return nullptr;
    }
  }
  const ValueFacts& facts = facts_.values.at(value);
  if (facts.is_output) return nullptr;
  if (facts.users.size() == 1) return group;
  if (!ComesBack(value, reader)) return nullptr;
  return group;
}

// x -> reader -> ... -> binary(.., x): the two uses of x are the reader and an operation further
// down the same chain.
bool Planner::ComesBack(const ir::Value* value, const ir::Operation& reader) const {
  const ValueFacts& facts = facts_.values.at(value);
  const Group* group = states_.at(value).pending;
  if (group->saved != nullptr || facts.users.size() != 2 || facts.users[0] != &reader) return false;
  const ir::Operation* last = facts.users[1];
  if (last == &reader || !IsBinary(*last) || !IsPlainStep(*this, reader)) return false;
  const ir::Operation* at = &reader;
  for (size_t i = 0; i < kMaxReturnSteps; ++i) {
    const ValueFacts& result = facts_.values.at(at->output());
    if (result.is_output || result.users.size() != 1) return false;
    const ir::Operation* next = result.users[0];
    if (next == last) return TypeOf(at->output()) == TypeOf(value);
    if (!IsPlainStep(*this, *next)) return false;
    at = next;
  }
  return false;
}

void Planner::Join(Group& group, const ir::Operation& operation, std::vector<GroupStep> steps) {
  const ir::Value* before = group.result;
  states_[before].pending = nullptr;
  if (facts_.values.at(before).users.size() == 2) {
    group.steps.push_back({.step = {.kind = StepKind::kSave}});
    group.saved = before;
  }
  for (GroupStep& step : steps) {
    if (step.value != nullptr && step.value == group.saved) {
      step.value = nullptr;  // the saved value
      step.whole = false;
      group.saved = nullptr;
    }
    group.steps.push_back(std::move(step));
  }
  group.operations.push_back(&operation);
  group.result = operation.output();
  group.type = TypeOf(group.result);
  states_[group.result].pending = &group;
}

void Planner::FinishOperation(Group& group, bool exact) {
  if (Rounds(group.type) && !exact) {
    group.steps.push_back({.step = {.kind = StepKind::kRoundToHalf}});
  }
}

Status Planner::EmitGroup(Group& group) {
  states_[group.result].pending = nullptr;
  if (group.only_copies != kNoBuffer && group.steps.empty()) {
    SetBuffer(group.result, group.layout, group.only_copies);
    return {};
  }
  Instruction instruction;
  ANEMONE_ASSIGN(std::vector<PlannedStep> steps, PlanSteps(group, &instruction));
  ANEMONE_ASSIGN(Group::Run run, group.prepare());
  const BufferId out = NewBuffer(StorageBytes(group.type));
  instruction.reads.insert(instruction.reads.end(), group.reads.begin(), group.reads.end());
  instruction.writes = group.scratch;
  instruction.writes.push_back(out);
  instruction.run = [run = std::move(run), steps = std::move(steps), out](Frame& frame) -> Status {
    return run(frame, frame.Out(out), BoundSteps(frame, steps));
  };
  Emit(std::move(instruction));
  SetBuffer(group.result, group.layout, out);
  return {};
}

Result<std::vector<PlannedStep>> Planner::PlanSteps(const Group& group, Instruction* instruction) {
  const int64_t columns = group.columns == 0 ? CountOf(group.type) : group.columns;
  instruction->kernel = group.kernel;
  instruction->operations = group.operations;
  std::vector<PlannedStep> steps;
  for (const GroupStep& from : group.steps) {
    PlannedStep step{from.step, from.buffer};
    if (const Integers* integers = BytesOf(from, group.layout)) {
      step.operand = integers->from.buffer;
      step.operand_is_bytes = true;
      step.step.operand = {nullptr, columns, 1, 1, nullptr, integers->zero, integers->scale};
      instruction->reads.push_back(step.operand);
      steps.push_back(step);
      continue;
    }
    if (from.value != nullptr) {
      const bool channels = group.layout == Layout::kChannelsLast &&
                            HasChannels(TypeOf(from.value)) &&
                            (from.whole || SpatialCount(TypeOf(from.value)) == 1);
      ANEMONE_ASSIGN(step.operand,
                     Read(from.value, channels ? Layout::kChannelsLast : Layout::kRowMajor));
    }
    if (from.whole) step.step.operand = {nullptr, columns, 1, 1};
    if (step.operand != kNoBuffer) instruction->reads.push_back(step.operand);
    steps.push_back(step);
    JoinHardSwish(&steps);
  }
  return steps;
}

Result<ReferenceOp> Planner::ArgumentsOf(const Node& node, std::vector<BufferId>* reads) {
  const ir::Operation& operation = *node.operation;
  ReferenceOp op;
  op.def = operation.def();
  op.opset = function_.opset;
  for (const ir::Argument& argument : operation.arguments()) {
    ReferenceOp::Input input{argument.name, {}};
    for (const ir::Value* value : argument.values) {
      ReferenceOp::Operand operand{TypeOf(value), nullptr, kNoBuffer};
      if (IsKnown(value)) {
        ANEMONE_ASSIGN(LiteralRef literal, LiteralOf(value));
        operand.known = plan_->literals.emplace_back(std::move(literal)).get();
      }
      if (operand.type.is_tensor() && operand.type.dtype() != DType::kString) {
        ANEMONE_ASSIGN(operand.buffer, Read(value, Layout::kRowMajor));
        reads->push_back(operand.buffer);
      }
      input.operands.push_back(std::move(operand));
    }
    op.inputs.push_back(std::move(input));
  }
  return op;
}

Status Planner::LowerReference(const Node& node) {
  const ir::Operation& operation = *node.operation;
  const exec::KernelFn kernel = exec::FindReferenceKernel(operation.type());
  if (kernel == nullptr) return Unsupported("the operator has no kernel");
  Instruction instruction;
  instruction.kernel = "reference";
  instruction.operations = {&operation};
  ANEMONE_ASSIGN(ReferenceOp op, ArgumentsOf(node, &instruction.reads));
  op.kernel = kernel;
  op.rounding = plan_->rounding;
  op.int64_results = operation.has_int64_results();
  op.outputs = node.types;
  for (size_t i = 0; i < node.types.size(); ++i) {
    const BufferId buffer = NewBuffer(StorageBytes(node.types[i]));
    op.buffers.push_back(buffer);
    instruction.writes.push_back(buffer);
    SetBuffer(operation.output(i), Layout::kRowMajor, buffer);
  }
  instruction.run = [op = std::move(op)](Frame& frame) { return op.Run(frame); };
  Emit(std::move(instruction));
  return {};
}

// Everything that the operation and its bodies read must be where the interpreter finds it.
Status Planner::LowerInterpreted(const Node& node) {
  const ir::Operation& operation = *node.operation;
  Instruction instruction;
  instruction.kernel = "interpreted";
  instruction.operations = {&operation};
  std::vector<const ir::Value*> reads;
  for (const auto& [value, facts] : facts_.values) {
    if (facts.dynamic || (value->is_const() && facts.known == value->literal.get())) continue;
    if (std::find(facts.users.begin(), facts.users.end(), &operation) == facts.users.end())
      continue;
    reads.push_back(value);
  }
  std::sort(reads.begin(), reads.end(),
            [](const ir::Value* a, const ir::Value* b) { return a->name < b->name; });
  for (const ir::Value* value : reads) {
    ANEMONE_ASSIGN(BufferId buffer, Read(value, Layout::kRowMajor));
    if (plan_->buffers[static_cast<size_t>(buffer)].kind == Buffer::Kind::kState) {
      // A later write would change which buffer the interpreter looks into.
      buffer = EmitStateCopy(buffer);
      SetBuffer(value, Layout::kRowMajor, buffer);
    }
    instruction.reads.push_back(buffer);
    plan_->places[value] = {buffer, TypeOf(value)};
  }
  std::vector<InterpretedOutput> outputs;
  for (const auto& output : operation.outputs()) {
    if (facts_.values.at(output.get()).dynamic) continue;
    const ir::Type& type = TypeOf(output.get());
    const BufferId buffer = NewBuffer(StorageBytes(type));
    SetBuffer(output.get(), Layout::kRowMajor, buffer);
    instruction.writes.push_back(buffer);
    outputs.push_back({output.get(), type, buffer});
  }
  instruction.run = [&operation, outputs = std::move(outputs)](Frame& frame) {
    return RunInterpreted(operation, outputs, frame);
  };
  Emit(std::move(instruction));
  return {};
}

}  // namespace anemone::cpu
