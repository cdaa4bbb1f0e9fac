// How the interpreter runs bodies, states and lists: no kernel can call a body or hold a list.
#include <array>
#include <cstring>

#include "exec/interpreter.h"
#include "ir/program.h"
#include "ops/ops.h"

namespace anemone::ops::control_flow {

using exec::Interpreter;
using exec::KernelEntry;
using exec::Tensor;
using ir::Operation;
using ir::Shape;

namespace {

using Slot = Interpreter::Slot;

constexpr int64_t kLongestList = 1'000'000;

// ---- bodies ----

Status RunCond(const Operation& operation, Interpreter& interpreter) {
  const ir::Value* pred = operation.Input("pred");
  if (pred == nullptr || operation.blocks().size() != 2)
    return InvalidInput("cond takes pred and two bodies");
  ANEMONE_ASSIGN(const Slot slot, interpreter.Get(*pred));
  const bool taken = slot.tensor.count() > 0 && slot.tensor.As<uint8_t>()[0] != 0;
  ANEMONE_ASSIGN(auto results, interpreter.RunBody(*operation.blocks()[taken ? 0 : 1], {}));
  return interpreter.SetOutputs(operation, std::move(results));
}

Status RunWhileLoop(const Operation& operation, Interpreter& interpreter) {
  if (operation.blocks().size() != 2)
    return InvalidInput("while_loop takes a condition and a body");
  std::vector<Slot> variables;
  for (const ir::Value* value : operation.Inputs("loop_vars")) {
    ANEMONE_ASSIGN(Slot slot, interpreter.Get(*value));
    variables.push_back(std::move(slot));
  }
  for (int64_t round = 0;; ++round) {
    if (round >= interpreter.options().max_loop_rounds)
      return InvalidInput("the loop did not end after {} rounds", round);
    ANEMONE_ASSIGN(const auto condition, interpreter.RunBody(*operation.blocks()[0], variables));
    if (condition.size() != 1) return InvalidInput("a loop's condition gives one bool");
    if (condition[0].tensor.As<uint8_t>()[0] == 0) break;
    ANEMONE_ASSIGN(variables, interpreter.RunBody(*operation.blocks()[1], variables));
  }
  return interpreter.SetOutputs(operation, std::move(variables));
}

// ---- states ----

Result<Tensor*> StateOf(const Operation& operation, Interpreter& interpreter) {
  const ir::Value* handle = operation.Input("input");
  if (handle == nullptr) return InvalidInput("an argument is missing");
  ANEMONE_ASSIGN(const Slot slot, interpreter.Get(*handle));
  Tensor* state = interpreter.FindState(slot.state);
  if (state == nullptr) return Internal("'{}' is not a state", handle->name);
  return state;
}

Status ReadState(const Operation& operation, Interpreter& interpreter) {
  ANEMONE_ASSIGN(const Tensor* state, StateOf(operation, interpreter));
  Slot result;
  ANEMONE_ASSIGN(result.tensor, Tensor::Copy(state->view()));
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

Status WriteState(const Operation& operation, Interpreter& interpreter) {
  const ir::Value* data = operation.Input("data");
  if (data == nullptr) return InvalidInput("an argument is missing");
  ANEMONE_ASSIGN(Tensor * state, StateOf(operation, interpreter));
  ANEMONE_ASSIGN(const Slot written, interpreter.Get(*data));
  ANEMONE_ASSIGN(*state, Tensor::Copy(written.tensor.view()));
  return {};
}

// ---- lists ----

// What a list holds where nothing was written: zeros, or a tensor of no dtype when the shape of the
// elements is not known.
Result<Tensor> BlankElement(const ir::Type& element) {
  if (!element.is_static()) return Tensor();
  return Tensor::FromLiteral(ir::Literal::Zeros(element));
}

// Stacks equal tensors along a new first dimension.
Result<Tensor> Stack(const std::vector<const Tensor*>& parts, DType dtype, Shape element_shape) {
  Shape shape = std::move(element_shape);
  shape.insert(shape.begin(), static_cast<int64_t>(parts.size()));
  ANEMONE_ASSIGN(Tensor stacked, Tensor::Allocate(dtype, shape));
  size_t offset = 0;
  for (const Tensor* part : parts) {
    if (offset + part->size_bytes() > stacked.size_bytes())
      return InvalidInput("the elements differ in shape");
    std::memcpy(stacked.As<std::byte>() + offset, part->As<std::byte>(), part->size_bytes());
    offset += part->size_bytes();
  }
  return stacked;
}

// Element `index` along the first dimension.
Result<Tensor> Row(const Tensor& tensor, int64_t index) {
  Shape shape(tensor.shape().begin() + 1, tensor.shape().end());
  ANEMONE_ASSIGN(Tensor row, Tensor::Allocate(tensor.dtype(), shape));
  std::memcpy(row.As<std::byte>(), tensor.As<std::byte>() + index * row.size_bytes(),
              row.size_bytes());
  return row;
}

Result<Slot> ListOf(const Operation& operation, Interpreter& interpreter) {
  const ir::Value* handle = operation.Input("ls");
  if (handle == nullptr) return InvalidInput("parameter 'ls' is missing");
  return interpreter.Get(*handle);
}

// `index` of a list of `size` elements, counted from the end when it is negative.
Result<size_t> PlaceInList(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size))
    return InvalidInput("index {} is outside the list of {} elements", index, size);
  return static_cast<size_t>(index);
}

Status MakeList(const Operation& operation, Interpreter& interpreter) {
  Slot result;
  // Files declare the initial length of growing lists too: only the argument tells them apart.
  ANEMONE_ASSIGN(result.grows, ir::OpArgs(operation, interpreter.opset()).Bool("dynamic_length"));
  int64_t length = 1;
  if (const ir::Value* init = operation.Input("init_length")) {
    ANEMONE_ASSIGN(const Slot slot, interpreter.Get(*init));
    length = slot.tensor.As<int32_t>()[0];
  }
  if (length < 0 || length > kLongestList) return InvalidInput("a list of {} elements", length);
  ANEMONE_ASSIGN(const Tensor blank, BlankElement(operation.output()->type.elements()[0]));
  result.list = std::make_shared<const Interpreter::List>(static_cast<size_t>(length),
                                                          std::make_shared<const Tensor>(blank));
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

Status ListLength(const Operation& operation, Interpreter& interpreter) {
  ANEMONE_ASSIGN(const Slot list, ListOf(operation, interpreter));
  const auto length = static_cast<int32_t>(list.list->size());
  Slot result;
  ANEMONE_ASSIGN(result.tensor, Tensor::FromLiteral(ir::Literal::Int32(length)));
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

Status ListRead(const Operation& operation, Interpreter& interpreter) {
  ANEMONE_ASSIGN(const Slot list, ListOf(operation, interpreter));
  const ir::Value* value = operation.Input("index");
  if (value == nullptr) return InvalidInput("parameter 'index' is missing");
  ANEMONE_ASSIGN(const Slot where, interpreter.Get(*value));
  ANEMONE_ASSIGN(const size_t index, PlaceInList(where.tensor.As<int32_t>()[0], list.list->size()));
  Slot result;
  result.tensor = *(*list.list)[index];
  if (result.tensor.dtype() == DType::kInvalid)
    return InvalidInput("element {} was never written", index);
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

Status ListGather(const Operation& operation, Interpreter& interpreter) {
  ANEMONE_ASSIGN(const Slot list, ListOf(operation, interpreter));
  ANEMONE_ASSIGN(const Slot indices, interpreter.Get(*operation.Input("indices")));
  std::vector<const Tensor*> parts;
  for (int64_t i = 0; i < indices.tensor.count(); ++i) {
    ANEMONE_ASSIGN(const size_t index,
                   PlaceInList(indices.tensor.As<int32_t>()[i], list.list->size()));
    parts.push_back((*list.list)[index].get());
    if (parts.back()->dtype() == DType::kInvalid || parts.back()->shape() != parts[0]->shape()) {
      return InvalidInput("element {} was never written, or its shape differs", index);
    }
  }
  if (parts.empty()) return InvalidInput("no index is given");
  Slot result;
  ANEMONE_ASSIGN(result.tensor, Stack(parts, parts[0]->dtype(), parts[0]->shape()));
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

// The list with `value` at the place that `where` names, or with its rows at several places.
Status WriteToList(const Operation& operation, Interpreter& interpreter, std::string_view where,
                   bool rows) {
  ANEMONE_ASSIGN(Slot result, ListOf(operation, interpreter));
  ANEMONE_ASSIGN(const Slot value, interpreter.Get(*operation.Input("value")));
  ANEMONE_ASSIGN(const Slot indices, interpreter.Get(*operation.Input(where)));
  Interpreter::List elements = *result.list;
  for (int64_t i = 0; i < indices.tensor.count(); ++i) {
    const int64_t index = indices.tensor.As<int32_t>()[i];
    if (index < 0 || index > kLongestList)
      return InvalidInput("index {} is not a valid list index", index);
    // A list of dynamic length grows to hold the index.
    if (index >= static_cast<int64_t>(elements.size())) {
      if (!result.grows) return InvalidInput("index {} is past the list's end", index);
      ANEMONE_ASSIGN(Tensor blank, BlankElement(operation.output()->type.elements()[0]));
      elements.resize(static_cast<size_t>(index) + 1, std::make_shared<const Tensor>(blank));
    }
    ANEMONE_ASSIGN(Tensor element, rows ? Row(value.tensor, i) : Tensor::Copy(value.tensor.view()));
    elements[static_cast<size_t>(index)] = std::make_shared<const Tensor>(std::move(element));
  }
  result.list = std::make_shared<const Interpreter::List>(std::move(elements));
  interpreter.Set(*operation.output(), std::move(result));
  return {};
}

Status ListWrite(const Operation& operation, Interpreter& interpreter) {
  return WriteToList(operation, interpreter, "index", false);
}

Status ListScatter(const Operation& operation, Interpreter& interpreter) {
  return WriteToList(operation, interpreter, "indices", true);
}

constexpr std::array<KernelEntry, 10> kKernels{{
    {.op = "cond", .interpret = RunCond},
    {.op = "list_gather", .interpret = ListGather},
    {.op = "list_length", .interpret = ListLength},
    {.op = "list_read", .interpret = ListRead},
    {.op = "list_scatter", .interpret = ListScatter},
    {.op = "list_write", .interpret = ListWrite},
    {.op = "make_list", .interpret = MakeList},
    {.op = "read_state", .interpret = ReadState},
    {.op = "while_loop", .interpret = RunWhileLoop},
    {.op = "write_state", .interpret = WriteState},
}};

}  // namespace

std::span<const KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::control_flow
