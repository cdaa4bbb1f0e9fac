#include "facade/state.h"

#include <utility>

#include "facade/arrays.h"

namespace anemone {

struct State::Impl {
  exec::State values;
  std::map<std::string, ir::Type> declared;  // tensors; empty when no model made this state
};

State::State() : impl_(std::make_unique<Impl>()) {}
State::~State() = default;
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;

struct StateAccess {
  static exec::State& Values(State& state) { return state.impl_->values; }
  static void Declare(State& state, const std::string& name, const ir::Type& type) {
    state.impl_->declared.insert_or_assign(name, type);
  }
};

namespace {

std::string NamesOf(const exec::State& values) {
  std::string names;
  for (const auto& [name, tensor] : values) names += (names.empty() ? "" : ", ") + name;
  return names;
}

Result<Array> Copied(const exec::Tensor& tensor) {
  ANEMONE_ASSIGN(const exec::Tensor copy, exec::Tensor::Copy(tensor.view()));
  return facade::ToArray(copy);
}

// The value as a state that is declared `type` keeps it.
Result<exec::Tensor> Fitted(const Array& value, const ir::Type& type) {
  if (value.shape != type.shape()) {
    return Usage("the state is {}, but is given {}", type.ToString(),
                 ir::ShapeToString(value.shape));
  }
  ANEMONE_ASSIGN(const exec::Tensor given, facade::ToTensor(value, type.dtype()));
  ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Copy(given.view()));
  if (type.dtype() == DType::kFp16) {
    RoundToHalf({tensor.As<float>(), static_cast<size_t>(tensor.count())});
  }
  return tensor;
}

}  // namespace

std::map<std::string, Array> State::Read() const {
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : impl_->values) {
    auto array = Copied(tensor);
    if (array.ok()) arrays[name] = std::move(array).value();
  }
  return arrays;
}

Expected<Array> State::Read(const std::string& name) const {
  const auto found = impl_->values.find(name);
  if (found == impl_->values.end()) {
    const std::string names = NamesOf(impl_->values);
    return facade::ToFailure(
        Usage("there is no state '{}'", name)
            .Advise(names.empty() ? "predict once first, or use the state that the model makes"
                                  : "there is " + names));
  }
  auto array = Copied(found->second);
  if (!array.ok()) return facade::ToFailure(array.error());
  return std::move(*array);
}

std::optional<Failure> State::Write(const std::string& name, const Array& value) {
  auto tensor = [&]() -> Result<exec::Tensor> {
    const auto declared = impl_->declared.find(name);
    if (declared != impl_->declared.end()) return Fitted(value, declared->second);
    if (!impl_->declared.empty()) {
      return Usage("the model has no such state").Advise("it has " + NamesOf(impl_->values));
    }
    const DType dtype = facade::DTypeOfNumpy(value.dtype);
    return facade::ToTensor(value,
                            dtype == DType::kFp16 || dtype == DType::kFp64 ? DType::kFp32 : dtype);
  }();
  if (!tensor.ok()) return facade::ToFailure(std::move(tensor).At("state '" + name + "'").error());
  impl_->values[name] = std::move(tensor).value();
  return std::nullopt;
}

namespace facade {

exec::State& ValuesOf(State& state) { return StateAccess::Values(state); }

Result<State> MakeState(const ir::Function& function) {
  State state;
  for (const auto& input : function.inputs()) {
    if (!input->type.is_state()) continue;
    const ir::Type& type = input->type.elements()[0];
    ANEMONE_ASSIGN(StateAccess::Values(state)[input->name],
                   exec::Tensor::FromLiteral(ir::Literal::Zeros(type)));
    StateAccess::Declare(state, input->name, type);
  }
  return state;
}

Status CheckStateIsGiven(const ir::Function& function, const exec::State* state) {
  if (state != nullptr) return {};
  std::string names;
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) names += (names.empty() ? "'" : ", '") + input->name + "'";
  }
  if (names.empty()) return {};
  return Usage("the model keeps {} between predictions, and no state is given", names)
      .Advise(
          "make a state once (make_state() in Python, Model::MakeState in C++, "
          "anemone_state_create in C) and pass it to each prediction");
}

}  // namespace facade
}  // namespace anemone
