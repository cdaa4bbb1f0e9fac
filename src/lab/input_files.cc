#include "lab/input_files.h"

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/npy.h"
#include "exec/backend.h"

namespace anemone::lab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImages[] = {".png", ".jpg", ".jpeg"};

std::string Extension(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return extension;
}
bool IsNpzFile(const std::string& path) { return Extension(path) == ".npz"; }
bool IsInputFile(const std::string& path) {
  return IsImageFile(path) || IsNpyFile(path) || IsNpzFile(path);
}

// The files that a text file names.
Result<std::vector<std::string>> ReadList(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  const fs::path folder = fs::path(path).parent_path();
  const std::string_view text = bytes.text();
  std::vector<std::string> files;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    if (!IsInputFile(line))
      return InvalidInput("line {} does not name a .png, .jpg, .npy or .npz file", number).At(path);
    files.push_back((folder / line).string());
  }
  return files;
}

Result<std::vector<std::string>> ReadFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::string file = it->path().string();
    if (IsInputFile(file)) files.push_back(std::move(file));
  }
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return NotFound("the folder does not exist")
        .At(path)
        .Advise("give a folder of images, .npy or .npz files, or a .txt file that lists some");
  }
  if (error) return IoError("cannot read the folder: {}", error.message()).At(path);
  std::ranges::sort(files);
  return files;
}

bool Fits(const ir::Shape& got, const ir::Shape& wanted) {
  if (got.size() != wanted.size()) return false;
  for (size_t i = 0; i < got.size(); ++i)
    if (wanted[i] != ir::kDynamic && got[i] != wanted[i]) return false;
  return true;
}

Result<exec::Tensor> FromArray(const NpyArray& array, const std::string& name,
                               const ir::Type& type) {
  if (!Fits(array.shape, type.shape())) {
    return InvalidInput("the array has the shape {}, the input '{}' takes {}",
                        ir::ShapeToString(array.shape), name, ir::ShapeToString(type.shape()));
  }
  const DType wanted = exec::StorageDType(type.dtype());
  if (IsFloat(wanted) != IsFloat(array.dtype) && !IsFloat(wanted)) {
    return InvalidInput("the array is {}, the input '{}' takes {}", DTypeName(array.dtype), name,
                        DTypeName(type.dtype()));
  }
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data));
  if (array.dtype == wanted) return exec::Tensor::FromLiteral(literal);
  return exec::ConvertExactly(literal, wanted);
}

}  // namespace

bool IsImageFile(const std::string& path) {
  return std::ranges::find(kImages, Extension(path)) != std::end(kImages);
}

bool IsNpyFile(const std::string& path) { return Extension(path) == ".npy"; }

Result<InputFiles> InputFiles::Open(const std::string& path, const ir::Function& function,
                                    const ir::FunctionDescription* described,
                                    const Preprocess& preprocess) {
  InputFiles opened;
  std::error_code error;
  opened.listed_ = Extension(path) == ".txt" && !fs::is_directory(path, error);
  ANEMONE_ASSIGN(opened.files_, opened.listed_ ? ReadList(path) : ReadFolder(path));
  opened.preprocess_ = preprocess;
  for (const auto& value : function.inputs()) {
    if (!value->type.is_tensor()) continue;  // a state starts at zero
    const ir::Feature* feature = described != nullptr ? described->FindInput(value->name) : nullptr;
    const bool image = feature != nullptr && feature->image() != nullptr;
    opened.inputs_.push_back({value->name, value->type, image});
  }
  return opened;
}

Result<InputFiles> InputFiles::Open(const std::string& path, const ir::Model& model,
                                    const Preprocess& preprocess, int64_t limit) {
  const ir::FunctionDescription* main = model.main();
  const ir::Function* function =
      main != nullptr ? model.program.Find(main->name) : model.program.main();
  if (function == nullptr) return InvalidInput("the model has no function to calibrate");
  ANEMONE_ASSIGN(InputFiles opened, Open(path, *function, main, preprocess));
  if (opened.files_.empty()) {
    return InvalidInput("'{}' holds no calibration inputs", path)
        .Advise("put .png, .jpg, .npy or .npz files there");
  }
  const size_t all = opened.files_.size();
  const auto most = static_cast<size_t>(limit);
  if (limit > 0 && most < all) {
    std::vector<std::string> some;
    for (size_t i = 0; i < most; ++i) some.push_back(opened.files_[i * all / most]);
    opened.files_ = std::move(some);
  }
  return opened;
}

Result<std::map<std::string, exec::Tensor>> InputFiles::Read(const std::string& path) const {
  std::map<std::string, exec::Tensor> sample;
  if (IsNpzFile(path)) {
    ANEMONE_ASSIGN(const auto arrays, ReadNpz(path).At(path));
    for (const Input& input : inputs_) {
      const auto found =
          std::ranges::find(arrays, input.name, [](const auto& entry) { return entry.first; });
      if (found == arrays.end())
        return InvalidInput("it has no array for the input '{}'", input.name).At(path);
      ANEMONE_ASSIGN(sample[input.name], FromArray(found->second, input.name, input.type).At(path));
    }
    return sample;
  }
  if (inputs_.size() != 1) {
    return InvalidInput("the model has {} inputs, the file holds one", inputs_.size())
        .Advise("use .npz files with an array for each input")
        .At(path);
  }
  const Input& input = inputs_[0];
  if (IsNpyFile(path)) {
    ANEMONE_ASSIGN(const NpyArray array, ReadNpy(path).At(path));
    ANEMONE_ASSIGN(sample[input.name], FromArray(array, input.name, input.type).At(path));
    return sample;
  }
  const ir::Shape& shape = input.type.shape();
  if (shape.size() != 4 || shape[0] != 1 || shape[1] != 3 || shape[2] < 1 || shape[3] < 1) {
    return InvalidInput("an image cannot be the input '{}' of shape {}", input.name,
                        ir::ShapeToString(shape))
        .Advise("use .npy files")
        .At(path);
  }
  Preprocess how = preprocess_;
  if (input.image) {
    how.mean = {0, 0, 0};
    how.deviation = {1.0f / 255, 1.0f / 255, 1.0f / 255};
  }
  ANEMONE_ASSIGN(sample[input.name], PrepareImage(path, shape, how).At(path));
  return sample;
}

}  // namespace anemone::lab
