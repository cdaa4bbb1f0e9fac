#include "facade/calibration_folder.h"

#include <algorithm>
#include <filesystem>

#include "lab/samples.h"

namespace anemone::facade {
namespace {

std::string Extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return extension;
}
bool IsImage(const std::string& path) {
  const std::string extension = Extension(path);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}
bool IsArray(const std::string& path) {
  const std::string extension = Extension(path);
  return extension == ".npy" || extension == ".npz";
}

bool Fits(const ir::Shape& got, const ir::Shape& wanted) {
  if (got.size() != wanted.size()) return false;
  for (size_t i = 0; i < got.size(); ++i)
    if (wanted[i] != ir::kDynamic && got[i] != wanted[i]) return false;
  return true;
}

}  // namespace

Result<std::unique_ptr<CalibrationFolder>> CalibrationFolder::Open(
    const std::string& directory, const ir::Model& model, const lab::Preprocess& preprocess,
    int64_t limit) {
  std::error_code error;
  const bool list = Extension(directory) == ".txt" && !std::filesystem::is_directory(directory);
  if (!list && !std::filesystem::is_directory(directory, error))
    return NotFound("'{}' is no directory", directory)
        .Advise("give a folder of images, .npy or .npz files, or a .txt file that lists some");
  auto folder = std::make_unique<CalibrationFolder>();
  folder->preprocess_ = preprocess;
  if (list) {
    ANEMONE_ASSIGN(folder->files_, lab::ReadFileList(directory));
  } else {
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
      const std::string path = entry.path().string();
      if (IsImage(path) || IsArray(path)) folder->files_.push_back(path);
    }
    if (error) return IoError("cannot list '{}': {}", directory, error.message());
    std::ranges::sort(folder->files_);
  }
  if (folder->files_.empty()) {
    return InvalidInput("'{}' holds no calibration inputs", directory)
        .Advise("put .png, .jpg, .npy or .npz files there");
  }
  const size_t all = folder->files_.size();
  if (limit > 0 && static_cast<size_t>(limit) < all) {
    std::vector<std::string> some;
    for (size_t i = 0; i < static_cast<size_t>(limit); ++i)
      some.push_back(folder->files_[i * all / static_cast<size_t>(limit)]);
    folder->files_ = std::move(some);
  }
  const ir::FunctionDescription* main = model.main();
  const ir::Function* function =
      main != nullptr ? model.program.Find(main->name) : model.program.main();
  if (function == nullptr) return InvalidInput("the model has no function to calibrate");
  for (const auto& value : function->inputs()) {
    if (!value->type.is_tensor()) continue;  // a state starts at zero
    Input input{value->name, value->type.dtype(), value->type.shape(), false};
    const ir::Feature* feature = main != nullptr ? main->FindInput(value->name) : nullptr;
    input.image = feature != nullptr && feature->image() != nullptr;
    folder->inputs_.push_back(std::move(input));
  }
  return folder;
}

Result<exec::Tensor> CalibrationFolder::FromArray(const NpyArray& array, const Input& input) const {
  if (!Fits(array.shape, input.shape)) {
    return InvalidInput("the array has the shape {}, the input '{}' takes {}",
                        ir::ShapeToString(array.shape), input.name, ir::ShapeToString(input.shape));
  }
  const DType wanted = exec::StorageDType(input.dtype);
  if (IsFloat(wanted) != IsFloat(array.dtype) && !IsFloat(wanted)) {
    return InvalidInput("the array is {}, the input '{}' takes {}", DTypeName(array.dtype),
                        input.name, DTypeName(input.dtype));
  }
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data));
  if (array.dtype == wanted) return exec::Tensor::FromLiteral(literal);
  const auto values = literal.AsDoubles();
  if (!values) return InvalidInput("the array is {}", DTypeName(array.dtype));
  if (IsFloat(wanted)) {
    const std::vector<float> floats(values->begin(), values->end());
    return exec::Tensor::FromLiteral(ir::Literal::Fp32s(floats, array.shape));
  }
  const std::vector<int64_t> whole(values->begin(), values->end());
  ANEMONE_ASSIGN(
      const ir::Literal converted,
      ir::Literal::FromBytes(ir::Type::Tensor(wanted, array.shape), ir::PackInts(whole, wanted)));
  return exec::Tensor::FromLiteral(converted);
}

Result<std::map<std::string, exec::Tensor>> CalibrationFolder::Sample(int64_t index) const {
  const std::string& path = files_[static_cast<size_t>(index)];
  std::map<std::string, exec::Tensor> sample;
  if (Extension(path) == ".npz") {
    ANEMONE_ASSIGN(const auto arrays, ReadNpz(path).At(path));
    for (const Input& input : inputs_) {
      const auto found =
          std::ranges::find(arrays, input.name, [](const auto& entry) { return entry.first; });
      if (found == arrays.end())
        return InvalidInput("it has no array for the input '{}'", input.name).At(path);
      ANEMONE_ASSIGN(sample[input.name], FromArray(found->second, input).At(path));
    }
    return sample;
  }
  if (inputs_.size() != 1) {
    return InvalidInput("the model has {} inputs, the file holds one", inputs_.size())
        .Advise("use .npz files with an array for each input")
        .At(path);
  }
  const Input& input = inputs_[0];
  if (Extension(path) == ".npy") {
    ANEMONE_ASSIGN(const NpyArray array, ReadNpy(path).At(path));
    ANEMONE_ASSIGN(sample[input.name], FromArray(array, input).At(path));
    return sample;
  }
  const ir::Shape& shape = input.shape;
  if (shape.size() != 4 || shape[0] != 1 || shape[1] != 3 || shape[2] < 1 || shape[3] < 1) {
    return InvalidInput("an image cannot be the input '{}' of shape {}", input.name,
                        ir::ShapeToString(shape))
        .Advise("use .npy files")
        .At(path);
  }
  lab::Preprocess how = preprocess_;
  if (input.image) {
    how.mean = {0, 0, 0};
    how.deviation = {1.0f / 255, 1.0f / 255, 1.0f / 255};
  }
  ANEMONE_ASSIGN(sample[input.name], lab::PrepareImage(path, shape, how).At(path));
  return sample;
}

}  // namespace anemone::facade
