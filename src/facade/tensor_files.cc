#include "facade/tensor_files.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "anemone/options.h"
#include "base/atomic_file.h"
#include "base/npy.h"
#include "media/image.h"
#include "media/normalize.h"
#include "media/resize.h"

namespace anemone::facade {
namespace {

bool EndsWith(const std::string& text, std::string_view ending) {
  if (text.size() < ending.size()) return false;
  return std::equal(
      ending.begin(), ending.end(), text.end() - static_cast<std::ptrdiff_t>(ending.size()),
      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

bool IsImageFile(const std::string& path) {
  return EndsWith(path, ".png") || EndsWith(path, ".jpg") || EndsWith(path, ".jpeg");
}

Result<exec::Tensor> ReadImageTensor(const std::string& path, const ir::Type& type,
                                     bool image_feature) {
  const ir::Shape& shape = type.shape();
  if (type.rank() != 4 || !type.is_static() || shape[0] != 1 || shape[1] != 3) {
    return Usage("an image fits an input of [1, 3, height, width], but this one is {}",
                 type.ToString())
        .Advise("give a .npy file");
  }
  ANEMONE_ASSIGN(media::Image image, media::ReadImage(path));
  if (image.width != shape[3] || image.height != shape[2]) {
    ANEMONE_ASSIGN(image, media::Resize(image, static_cast<int>(shape[3]),
                                        static_cast<int>(shape[2]), media::Filter::kBilinear));
  }
  std::vector<float> values =
      media::Normalize(image, image_feature ? std::array<float, 3>{0, 0, 0} : kImageNetMean,
                       image_feature ? std::array<float, 3>{1, 1, 1} : kImageNetDeviation,
                       media::PixelLayout::kNchw);
  if (image_feature) {
    // An image feature passes pixel values to the program unchanged; rounding undoes the division
    // by 255 exactly.
    for (float& value : values) value = std::round(value * 255);
  }
  return exec::Tensor::Copy({DType::kFp32, shape, values.data()});
}

Result<exec::Tensor> TensorOf(const NpyArray& array, const ir::Type& type) {
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data));
  ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::FromLiteral(literal));
  const DType wanted = exec::StorageDType(type.dtype());
  if (tensor.dtype() == wanted) return tensor;
  if (wanted == DType::kFp32) {
    const auto values = literal.AsFloats();
    if (values) return exec::Tensor::Copy({DType::kFp32, array.shape, values->data()});
  }
  return Usage("the file holds {}, but the input takes {}", DTypeName(array.dtype),
               type.ToString());
}

Result<exec::Tensor> ReadArrayTensor(const std::string& path, const ir::Type& type) {
  ANEMONE_ASSIGN(const NpyArray array, ReadNpy(path));
  return TensorOf(array, type);
}

// Every input by its name. Arrays with other names are an error, because a misspelled one
// would be ignored.
Status ReadArchive(const std::string& path, const ir::Function& function,
                   std::map<std::string, exec::Tensor>& inputs) {
  ANEMONE_ASSIGN(const auto arrays, ReadNpz(path));
  for (const auto& [name, array] : arrays) {
    const auto input = std::find_if(function.inputs().begin(), function.inputs().end(),
                                    [&](const auto& candidate) { return candidate->name == name; });
    if (input == function.inputs().end()) {
      return Usage("it holds an array '{}', which is not an input of the model", name);
    }
    auto tensor = TensorOf(array, (*input)->type);
    if (!tensor.ok()) return std::move(tensor).At("array " + name).error();
    inputs[name] = std::move(tensor).value();
  }
  return {};
}

}  // namespace

Result<std::map<std::string, exec::Tensor>> ReadInputs(const ir::Model& model,
                                                       const ir::Function& function,
                                                       const std::vector<std::string>& bindings) {
  const ir::FunctionDescription* description = model.FindFunction(function.name);
  std::map<std::string, exec::Tensor> inputs;
  for (const std::string& binding : bindings) {
    if (EndsWith(binding, ".npz") && binding.find('=') == std::string::npos) {
      ANEMONE_TRY(ReadArchive(binding, function, inputs).At(binding));
      continue;
    }
    const size_t equals = binding.find('=');
    std::string name = equals == std::string::npos ? "" : binding.substr(0, equals);
    const std::string path = equals == std::string::npos ? binding : binding.substr(equals + 1);
    if (name.empty()) {
      if (function.inputs().size() != 1) {
        return Usage("'{}' does not name an input, and the model has {}", binding,
                     function.inputs().size())
            .Advise("write --input NAME=FILE");
      }
      name = function.inputs()[0]->name;
    }
    const auto input = std::find_if(function.inputs().begin(), function.inputs().end(),
                                    [&](const auto& candidate) { return candidate->name == name; });
    if (input == function.inputs().end()) {
      std::string names;
      for (const auto& candidate : function.inputs())
        names += (names.empty() ? "" : ", ") + candidate->name;
      return Usage("the model has no input '{}'", name).Advise("it has " + names);
    }
    const ir::Feature* feature = description == nullptr ? nullptr : description->FindInput(name);
    const bool image_feature = feature != nullptr && feature->image() != nullptr;
    auto tensor = IsImageFile(path) ? ReadImageTensor(path, (*input)->type, image_feature)
                                    : ReadArrayTensor(path, (*input)->type);
    if (!tensor.ok()) return std::move(tensor).At("input " + name).error();
    inputs[name] = std::move(tensor).value();
  }
  return inputs;
}

Status WriteOutputs(const std::map<std::string, exec::Tensor>& outputs,
                    const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(directory);
  for (const auto& [name, tensor] : outputs) {
    std::string file_name = name;
    for (char& c : file_name) {
      if (c == '/' || c == '\\' || c == '\0') c = '_';
    }
    const std::string path = (std::filesystem::path(directory) / (file_name + ".npy")).string();
    ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
    ANEMONE_ASSIGN(const auto bytes, EncodeNpy({tensor.dtype(), tensor.shape(), literal.bytes()}));
    ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
    ANEMONE_TRY(file.Write(std::span<const std::byte>(bytes)));
    ANEMONE_TRY(file.Commit());
  }
  return {};
}

}  // namespace anemone::facade
