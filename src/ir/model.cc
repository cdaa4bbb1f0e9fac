#include "ir/model.h"

#include <algorithm>

namespace anemone::ir {
namespace {

template <typename T>
const T* FindByName(const std::vector<T>& list, std::string_view name) {
  const auto it = std::ranges::find(list, name, &T::name);
  return it == list.end() ? nullptr : &*it;
}

Result<ArrayFeature> DescribeTensor(const Type& type) {
  if (!type.is_tensor()) return Unsupported("a feature cannot have the type {}", type.ToString());
  if (!type.has_rank()) return Unsupported("a feature must have a known rank");
  switch (type.dtype()) {
    case DType::kFp16:
    case DType::kFp32:
    case DType::kInt8:
    case DType::kInt32:
      break;
    default:
      return Unsupported("a feature cannot have {} elements", DTypeName(type.dtype()))
          .Advise("cast it to fp32, fp16 or int32 at the boundary of the model");
  }
  ArrayFeature feature;
  feature.dtype = type.dtype();
  for (const int64_t size : type.shape()) feature.shape.push_back(size == kDynamic ? 1 : size);
  if (!type.is_static()) {
    for (const int64_t size : type.shape()) {
      feature.shape_range.push_back(size == kDynamic ? SizeRange{1, std::nullopt}
                                                     : SizeRange{size, size});
    }
  }
  return feature;
}

Result<decltype(Feature::type)> DescribeOutput(const Type& type) {
  using Described = decltype(Feature::type);
  // The label of a classifier, and its probabilities by label.
  if (type.is_scalar() && type.dtype() == DType::kString) return Described(ScalarFeature::kString);
  if (type.is_scalar() && type.dtype() == DType::kInt64) return Described(ScalarFeature::kInt64);
  if (type.kind() == Type::Kind::kDictionary) {
    const bool strings = type.elements()[0].dtype() == DType::kString;
    return Described(DictionaryFeature{strings ? KeyType::kString : KeyType::kInt64});
  }
  ANEMONE_ASSIGN(ArrayFeature array, DescribeTensor(type));
  // Outputs declare no ranges: a shape that is known only at run time is left out.
  if (!type.is_static()) array.shape.clear();
  array.shape_range.clear();
  return Described(std::move(array));
}

}  // namespace

const Feature* FunctionDescription::FindInput(std::string_view input) const {
  return FindByName(inputs, input);
}
const Feature* FunctionDescription::FindOutput(std::string_view output) const {
  return FindByName(outputs, output);
}

const FunctionDescription* Model::FindFunction(std::string_view name) const {
  return FindByName(functions, name);
}

const FunctionDescription* Model::main() const {
  if (multi_function) return FindFunction(default_function);
  return functions.empty() ? nullptr : &functions.front();
}

int32_t SpecVersionOf(Opset opset) { return 6 + static_cast<int32_t>(opset); }

std::optional<Opset> OpsetOfSpecVersion(int32_t spec_version) {
  // 10 (iOS26) has the operators of iOS18: coremltools defines no other ones for it.
  if (spec_version == 10) return Opset::kIOS18;
  if (spec_version < 6 || spec_version > 9) return std::nullopt;
  return static_cast<Opset>(spec_version - 6);
}

Result<FunctionDescription> DescribeFunction(const Function& function) {
  FunctionDescription description;
  description.name = function.name;
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) {
      ANEMONE_ASSIGN(ArrayFeature array, DescribeTensor(input->type.elements()[0]).At(input->name));
      description.states.push_back({.name = input->name, .type = StateFeature{std::move(array)}});
      continue;
    }
    ANEMONE_ASSIGN(ArrayFeature array, DescribeTensor(input->type).At(input->name));
    // A scalar is passed in as an array of one element.
    if (input->type.is_scalar()) array.shape = {1};
    description.inputs.push_back({.name = input->name, .type = std::move(array)});
  }
  for (const Value* output : function.outputs()) {
    ANEMONE_ASSIGN(auto type, DescribeOutput(output->type).At(output->name));
    description.outputs.push_back({.name = output->name, .type = std::move(type)});
  }
  return description;
}

Result<Model> MakeModel(Program program) {
  Model model;
  Opset newest = Opset::kIOS15;
  for (const auto& function : program.functions) {
    ANEMONE_ASSIGN(FunctionDescription description, DescribeFunction(*function).At(function->name));
    model.functions.push_back(std::move(description));
    newest = std::max(newest, function->opset);
  }
  model.spec_version = SpecVersionOf(newest);
  if (model.functions.size() > 1) {
    model.multi_function = true;
    const Function* main = program.main();
    model.default_function = main != nullptr ? main->name : program.functions.front()->name;
  }
  model.program = std::move(program);
  return model;
}

}  // namespace anemone::ir
