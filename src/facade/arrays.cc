#include "facade/arrays.h"

#include <cstring>
#include <limits>

namespace anemone {

std::string Failure::ToString() const {
  std::string text = place.empty() ? message : place + ": " + message;
  if (!advice.empty()) text += " (" + advice + ")";
  return text;
}

int64_t Array::count() const { return ir::ElementCount(shape).value_or(0); }
size_t Array::size_bytes() const {
  return ByteSize(facade::DTypeOfNumpy(dtype), count()).value_or(0);
}
Array Array::Float32(std::vector<int64_t> shape, std::vector<float> values) {
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {"float32", std::move(shape), std::shared_ptr<const void>(owner, owner->data())};
}

std::string Version() { return ANEMONE_VERSION; }

namespace facade {
namespace {

struct NumpyName {
  DType dtype;
  const char* name;
};
constexpr NumpyName kNumpyNames[] = {
    {DType::kFp32, "float32"},  {DType::kFp16, "float16"}, {DType::kFp64, "float64"},
    {DType::kInt64, "int64"},   {DType::kInt32, "int32"},  {DType::kInt16, "int16"},
    {DType::kUInt16, "uint16"}, {DType::kInt8, "int8"},    {DType::kUInt8, "uint8"},
    {DType::kBool, "bool"},
};

}  // namespace

Failure ToFailure(const Error& error) {
  return {ExitCode(error.code()), std::string(ErrorCodeName(error.code())), error.message(),
          error.place(), error.advice()};
}

std::string NumpyNameOf(DType dtype) {
  for (const NumpyName& row : kNumpyNames) {
    if (row.dtype == dtype) return row.name;
  }
  return std::string(DTypeName(dtype));
}

DType DTypeOfNumpy(const std::string& name) {
  for (const NumpyName& row : kNumpyNames) {
    if (name == row.name) return row.dtype;
  }
  return DType::kInvalid;
}

Result<exec::Tensor> ToTensor(const Array& array, DType wanted) {
  const DType dtype = DTypeOfNumpy(array.dtype);
  if (dtype == DType::kInvalid) return Usage("'{}' is not a dtype", array.dtype);
  const DType storage = exec::StorageDType(wanted);
  const size_t size = ByteSize(dtype, ir::ElementCount(array.shape).value_or(-1)).value_or(0);
  if (array.data == nullptr && size != 0) return Usage("the array has no data");
  if (dtype == storage) return exec::Tensor::Copy({dtype, array.shape, array.data.get()});
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(dtype, array.shape),
                                        Bytes(array.data.get(), size, array.data)));
  // NumPy users pass int64 and float64 without intending it: values that fit are taken; a fraction
  // for an integer input is not.
  return exec::ConvertExactly(literal, storage);
}

Result<std::map<std::string, exec::Tensor>> ToTensors(const std::map<std::string, Array>& arrays,
                                                      const ir::Function& function,
                                                      const ir::Metadata& metadata) {
  std::map<std::string, exec::Tensor> tensors;
  const auto find = [&](const std::string& name) {
    for (const auto& input : function.inputs()) {
      if (input->name == name) return input->type.dtype();
    }
    return DType::kInvalid;
  };
  for (const auto& [given, array] : arrays) {
    std::string name = given;
    DType wanted = find(name);
    if (wanted == DType::kInvalid) {
      constexpr std::string_view kRenamed = "onnx.name.";
      for (const auto& [key, original] : metadata.user_defined) {
        if (original == given && key.starts_with(kRenamed)) name = key.substr(kRenamed.size());
      }
      wanted = find(name);
    }
    if (tensors.contains(name)) return Usage("the input '{}' is given twice", name);
    if (wanted == DType::kInvalid) {
      std::string names;
      for (const auto& input : function.inputs())
        names += (names.empty() ? "" : ", ") + input->name;
      return Usage("the model has no input '{}'", name).Advise("it has " + names);
    }
    ANEMONE_ASSIGN(tensors[name], ToTensor(array, wanted).At("input " + name));
  }
  return tensors;
}

Result<Array> ToArray(const exec::Tensor& tensor) {
  ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
  auto keep = std::make_shared<Bytes>(literal.bytes());
  return Array{NumpyNameOf(tensor.dtype()), tensor.shape(),
               std::shared_ptr<const void>(keep, keep->data())};
}

Result<std::map<std::string, Array>> ToArrays(const std::map<std::string, exec::Tensor>& tensors) {
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : tensors) {
    ANEMONE_ASSIGN(arrays[name], ToArray(tensor));
  }
  return arrays;
}

std::optional<Classes> ToClasses(const std::optional<exec::Classes>& classes) {
  if (!classes) return std::nullopt;
  return Classes{classes->label, classes->probabilities, classes->integers, classes->names};
}

Result<exec::Numerics> ParseNumerics(const std::string& text) {
  if (text == "as_typed") return exec::Numerics::kAsTyped;
  if (text == "float32") return exec::Numerics::kFloat32;
  if (text == "float16") return exec::Numerics::kFloat16;
  if (text == "bfloat16") return exec::Numerics::kBfloat16;
  return Usage("unknown numerics '{}'", text)
      .Advise("choose as_typed, float32, float16 or bfloat16");
}

}  // namespace facade
}  // namespace anemone
