// Planner: builds a Plan. It walks the live operations and hands each to the lowering of its type
// (lowerings.h), or to the reference kernel when none takes it.
//
// A lowering opens a Group: a kernel plus the elementwise steps that follow it. Nothing is emitted
// until another operation needs the group's value; until then an elementwise operation that is its
// only reader joins it. Each operator's result is still rounded where the numerics require it, so
// that fusing changes no bit.
//
// A value of rank 3 or 4 may exist row-major (NCHW) and with channels last (NHWC); reading it in a
// layout that it does not have emits the conversion once. What quantize computes may exist as floats
// and as whole numbers, which products of integers read. Ownership: lives while one plan is built;
// borrows the parts that plans share.
// Thread rules: one thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/plan.h"
#include "cpu/specialize.h"

namespace anemone::cpu {

enum class Layout : uint8_t { kRowMajor, kChannelsLast };

// A step of a group; an operand is a value read when the group is emitted, or a constant buffer.
struct GroupStep {
  Step step;
  const ir::Value* value = nullptr;
  BufferId buffer = kNoBuffer;
  bool whole = false;  // the operand has the shape of the result
};

// Matrices that are some of the rows of larger ones: matrix b begins at element `offset` + b * `stride`
// of the buffer.
struct SlicedRows {
  BufferId buffer = kNoBuffer;
  int64_t offset = 0;
  int64_t stride = 0;
};

struct Group {
  std::string_view kernel;
  std::vector<const ir::Operation*> operations;
  const ir::Value* result = nullptr;
  ir::Type type;  // of the result
  Layout layout = Layout::kRowMajor;
  // The columns when the result is seen as rows x columns. 0: any view works, as long as all steps
  // work on whole tensors and scalars.
  int64_t columns = 0;
  std::vector<GroupStep> steps;
  const ir::Value* saved = nullptr;  // the value that the last kSave step kept
  std::vector<BufferId> reads;
  std::vector<BufferId> scratch;
  // Computes into `out`, and applies the steps.
  using Run =
      std::function<Status(Frame& frame, const Destination& out, std::span<const Step> steps)>;
  // Makes Run when the group is emitted, after the last operation has joined.
  std::function<Result<Run>()> prepare;
  bool can_store_integers = false;  // whether Run takes a destination of whole numbers
  // Absorbs result * scale[c] + shift[c] for each channel (batch norm), or is null.
  std::function<void(std::vector<float> scale, std::vector<float> shift)> fold_affine;
  // Where the result lies already, for a reader that takes it from there (TakeRows).
  std::optional<SlicedRows> rows;
  // The input that an elementwise group without steps merely renames.
  BufferId only_copies = kNoBuffer;
};

// How whole numbers are stored: less `zero`, as bytes or in 16 bits.
struct IntegerForm {
  bool bytes = false;
  float zero = 0.0f;
  friend bool operator==(const IntegerForm&, const IntegerForm&) = default;
};

// A buffer of whole numbers.
struct IntegerBuffer {
  BufferId buffer = kNoBuffer;
  Layout layout = Layout::kRowMajor;
  IntegerForm form;

  // The memory in a running call; what is read has the zero point added.
  Source In(const Frame& frame) const;
  Destination Out(const Frame& frame) const;
};

// A dequantized value: `scale` times the whole numbers less their zero point.
struct Integers {
  IntegerBuffer from;
  float scale = 1.0f;
  int zero = 0;  // what is stored for 0
};

// Where a state is at some point of the plan: its index in Plan::states, and the buffer.
struct StateMemory {
  size_t index = 0;
  BufferId buffer = kNoBuffer;
};

struct ReferenceOp;

// What the weights of an operation are packed as.
enum class PackedForm : uint8_t {
  kFloats,
  kFloatsWithAffine,  // a batch norm is folded into them
  kHalf,              // as half_gemv.h reads them
  kWinograd2,         // transformed, for tiles of 2x2
  kWinograd2WithAffine,
  kWinograd4,
  kWinograd4WithAffine,
  kIntegers,
  kIntegersWithAffine,
  kBfloat16,
  kBfloat16WithAffine,
};

// What the plans of one function share, so that it is made once and not for each set of shapes.
// Thread rules: one thread at a time.
struct SharedParts {
  explicit SharedParts(ir::Opset opset) : folded(opset) {}

  FoldedConstants folded;
  std::map<std::pair<const ir::Operation*, PackedForm>, std::shared_ptr<const void>> packs;
  // Constants as kernels read them.
  std::map<std::pair<const ir::Value*, Layout>, Buffer> buffers;
  int64_t packings = 0;  // how often weights were packed
};

struct PlanOptions {
  exec::Numerics numerics = exec::Numerics::kAsTyped;
  ThreadPool* pool = nullptr;  // packs weights; not null
  bool trace_values = false;   // no fusion; every operation's outputs are kept row-major
};

class Planner {
 public:
  Planner(const ir::Function& function, Specialized facts, SharedParts& shared,
          const PlanOptions& options);
  Result<std::shared_ptr<const Plan>> Build();

  // ---- queries for lowerings ----
  const ir::Type& TypeOf(const ir::Value* value) const { return facts_.values.at(value).type; }
  // Whether the value follows from constants and shapes.
  bool IsKnown(const ir::Value* value) const {
    const ValueFacts& facts = facts_.values.at(value);
    return facts.known != nullptr || facts.deferred;
  }
  // Whether it follows from constants alone; true for null, an argument that is not given.
  bool IsFixed(const ir::Value* value) const {
    return value == nullptr || facts_.values.at(value).fixed;
  }
  // The literal of a known value. A large one is computed unless somebody holds it: ask when it is
  // needed, and drop it afterwards.
  Result<LiteralRef> LiteralOf(const ir::Value* value);
  // Packs weights.
  ThreadPool& pool() const { return *options_.pool; }
  bool Rounds(const ir::Type& type) const { return plan_->rounding.Rounds(type.dtype()); }
  // Whether products are of bfloat16 numbers.
  bool MultipliesBfloat16() const { return options_.numerics == exec::Numerics::kBfloat16; }
  // The layout in which `value` can be read without conversion.
  Layout LayoutOf(const ir::Value* value) const;

  // The result of `pack` for the operation, kept from an earlier plan of the function or made now.
  template <typename T, typename Pack>
  Result<std::shared_ptr<const T>> Packed(const ir::Operation& operation, PackedForm form,
                                          const Pack& pack) {
    // Weights that were computed from shapes may differ from plan to plan.
    if (!HasFixedWeights(operation)) return pack();
    std::shared_ptr<const void>& entry = shared_.packs[{&operation, form}];
    if (entry == nullptr) {
      ANEMONE_ASSIGN(std::shared_ptr<const T> made, pack());
      entry = std::move(made);
      ++shared_.packings;
    }
    return std::static_pointer_cast<const T>(entry);
  }

  // ---- actions for lowerings ----
  // The buffer of `value`; computes it or changes its layout if necessary.
  Result<BufferId> Read(const ir::Value* value, Layout layout);
  // The matrices of `value`, [..., rows, columns], for its only reader: where they lie, when they are
  // slices that nothing has copied yet.
  Result<SlicedRows> TakeRows(const ir::Value* value);
  // The buffer of whole numbers, with kIntegerSlack more that can be read, of a value that is a
  // quantize's result.
  Result<IntegerBuffer> ReadIntegers(const ir::Value* value, Layout layout, IntegerForm form);
  BufferId NewBuffer(int64_t size_bytes);
  BufferId NewConstant(std::vector<float> values);
  // Records the buffer of `value`.
  void SetBuffer(const ir::Value* value, Layout layout, BufferId buffer);
  void Emit(Instruction instruction);
  // Emits an instruction that nothing joins: `run` computes one output of the operation into `out`.
  void EmitAlone(const Node& node, std::string_view kernel, Layout layout,
                 std::vector<BufferId> reads,
                 std::function<void(const Frame& frame, void* out)> run, size_t output = 0);
  // Records that `value` is `scale` times the whole numbers in a buffer.
  void SetIntegers(const ir::Value* value, const Integers& integers) {
    integers_[value] = integers;
  }
  // What SetIntegers recorded; null otherwise.
  const Integers* IntegersOf(const ir::Value* value) const {
    const auto found = integers_.find(value);
    return found == integers_.end() ? nullptr : &found->second;
  }
  bool IsOutput(const ir::Value* value) const { return facts_.values.at(value).is_output; }
  // The live operations that read the value.
  std::span<const ir::Operation* const> UsersOf(const ir::Value* value) const {
    return facts_.values.at(value).users;
  }
  // Opens a group whose result is the only output of `operation`.
  Group& Open(const ir::Operation& operation, std::string_view kernel, Layout layout);
  // A group that computes by `run` and then applies the steps.
  Group& OpenSimple(const ir::Operation& operation, std::string_view kernel, Layout layout,
                    std::vector<BufferId> reads,
                    std::function<void(const Frame& frame, float* out)> run);
  // The group that computes `value` and that `reader`, its only reader, may join; or null.
  Group* Joinable(const ir::Value* value, const ir::Operation& reader);
  // Adds an operation's steps to a group.
  void Join(Group& group, const ir::Operation& operation, std::vector<GroupStep> steps);
  // Rounds the group's result if the numerics require it. Open and Join leave this to the lowering,
  // which calls it once its steps are in.
  void FinishOperation(Group& group, bool exact = false);
  // The operation's arguments, for a kernel that learns some of them at run time; adds the buffers
  // that they are in to `reads`.
  Result<ReferenceOp> ArgumentsOf(const Node& node, std::vector<BufferId>* reads);

  // ---- states, planner_states.cc ----
  // Where the state is now; null when the interpreter keeps it.
  const StateMemory* MemoryOf(const ir::Value* handle) const;
  // Gives the state other memory, which an instruction is about to make.
  StateMemory MoveState(const ir::Value* handle);
  // The state whose memory is `x`, if an update of it may change the elements where they are; or null.
  const StateMemory* UpdatesInPlace(const ir::Operation& update, BufferId x);
  // Keeps what operations after `writer` read of the memory, which it changes.
  Status SaveReaders(BufferId memory, const ir::Operation& writer);
  // Whether it is the memory that a call begins with, which a call that fails puts back.
  bool IsOfCaller(const StateMemory& memory) const {
    return plan_->states[memory.index].buffer == memory.buffer;
  }
  void KeepUntilEnd(BufferId buffer) { plan_->kept.push_back(buffer); }

 private:
  struct State {
    BufferId row_major = kNoBuffer;
    BufferId channels_last = kNoBuffer;
    IntegerBuffer integers;
    Group* pending = nullptr;
  };

  bool HasFixedWeights(const ir::Operation& operation) const;
  Status AddInputs();
  // Whether only read_state and write_state of the function's own block name the state.
  bool CanHoldState(const ir::Value* handle) const;
  void AddState(const ir::Value* handle);
  BufferId NewStateBuffer(const ir::Type& type);
  BufferId EmitStateCopy(BufferId memory);
  // Whether the group reads the memory when it is emitted.
  bool WaitsToRead(const Group& group, BufferId memory) const;
  Status AddOutputs();
  Status Lower(const Node& node);
  Status LowerReference(const Node& node);
  Status LowerInterpreted(const Node& node);
  Status EmitGroup(Group& group);
  // Whether a group that only copies and applies steps may do so on the way to another layout, which its only
  // reader wants: one pass over the data instead of two. EmitTurned does it.
  bool CanTurn(const Group& group, Layout layout) const;
  Result<BufferId> EmitTurned(Group& group);
  // The same, with the results, which the last step quantizes, as whole numbers.
  Status EmitGroupOfIntegers(Group& group, IntegerForm form);
  IntegerBuffer NewIntegers(const ir::Type& type, Layout layout, IntegerForm form);
  // The steps as the instruction applies them; adds what they read to it.
  Result<std::vector<PlannedStep>> PlanSteps(const Group& group, Instruction* instruction);
  // The bytes of a step's operand that is a whole tensor in this layout, and dequantized; or null.
  const Integers* BytesOf(const GroupStep& step, Layout layout) const;
  // Gives a value that exists as whole numbers only a buffer of floats.
  Status EmitFloats(const ir::Value* value);
  Status Trace(const Node& node);
  Result<Buffer> MakeConstant(const ir::Value* value, Layout layout);
  Result<BufferId> ReadConstant(const ir::Value* value, Layout layout);
  Result<BufferId> ChangeLayout(BufferId from, const ir::Type& type, Layout to);
  // Whether an operation that reads the pending `value` can do so although a second reader follows
  // later in the same chain.
  bool ComesBack(const ir::Value* value, const ir::Operation& reader) const;

  const ir::Function& function_;
  Specialized facts_;
  SharedParts& shared_;
  PlanOptions options_;
  std::shared_ptr<Plan> plan_;
  std::unordered_map<const ir::Value*, State> states_;
  std::deque<Group> groups_;
  std::unordered_map<const ir::Value*, Integers> integers_;
  std::unordered_map<const ir::Value*, StateMemory> memories_;  // by the handle of the state
  std::unordered_map<const ir::Operation*, size_t>
      positions_;  // in facts_.nodes; empty without states
};

// Elements of a static type.
inline int64_t CountOf(const ir::Type& type) { return type.element_count().value_or(0); }
inline bool IsFloat32(const ir::Type& type) {
  return type.is_tensor() && (type.dtype() == DType::kFp32 || type.dtype() == DType::kFp16);
}
// Whether the type can have channels last: rank 3 or 4.
inline bool HasChannels(const ir::Type& type) { return type.rank() == 3 || type.rank() == 4; }
// Product of the dimensions after the first two.
int64_t SpatialCount(const ir::Type& type);
// Bytes of a static type in memory at run time.
int64_t StorageBytes(const ir::Type& type);

}  // namespace anemone::cpu
