#include "facade/tensor_files.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "anemone/options.h"
#include "base/atomic_file.h"
#include "base/npy.h"
#include "ir/feature_shapes.h"
#include "media/image.h"
#include "media/normalize.h"
#include "media/png_encode.h"
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

// What an image file is to become.
struct ImageTarget {
  ir::Shape shape;  // [1, 3 or 1, height, width]
  // Null: a plain tensor, normalized as networks for ImageNet want it.
  const ir::ImageFeature* feature = nullptr;
  bool keeps_size = false;  // the file's own size, where the feature allows it
};

// Pixels, in the feature's channels.
exec::Tensor FillPixels(const media::Image& image, ir::ImageFeature::ColorSpace color_space,
                        exec::Tensor tensor) {
  const size_t count = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  float* to = tensor.As<float>();
  using ColorSpace = ir::ImageFeature::ColorSpace;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* pixel = image.pixels.data() + 3 * i;
    switch (color_space) {
      case ColorSpace::kRgb:
        for (size_t c = 0; c < 3; ++c) to[c * count + i] = pixel[c];
        break;
      case ColorSpace::kBgr:
        for (size_t c = 0; c < 3; ++c) to[c * count + i] = pixel[2 - c];
        break;
      case ColorSpace::kGrayscale:
      case ColorSpace::kGrayscaleFp16:
        to[i] = media::Luma(pixel[0], pixel[1], pixel[2]);
        break;
    }
  }
  return tensor;
}

Result<exec::Tensor> FitImage(media::Image image, const ir::Feature* feature, ImageTarget target) {
  ir::Shape& shape = target.shape;
  const bool fits = shape.size() == 4 && shape[0] == 1 && (shape[1] == 3 || target.feature);
  if (!fits) {
    return Usage("an image fits an input of [1, 3, height, width], but this one is {}",
                 ir::ShapeToString(shape))
        .Advise("give a .npy file");
  }
  if (target.keeps_size) {
    const ir::Shape own{shape[0], shape[1], image.height, image.width};
    if (ir::CheckFeatureShape(*feature, own).ok()) shape = own;
  }
  ANEMONE_TRY(media::CheckImageSize(shape[3], shape[2]));
  if (image.width != shape[3] || image.height != shape[2]) {
    ANEMONE_ASSIGN(image, media::Resize(image, static_cast<int>(shape[3]),
                                        static_cast<int>(shape[2]), media::Filter::kBilinear));
  }
  if (target.feature != nullptr) {
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(DType::kFp32, shape));
    return FillPixels(image, target.feature->color_space, std::move(tensor));
  }
  const std::vector<float> values =
      media::Normalize(image, kImageNetMean, kImageNetDeviation, media::PixelLayout::kNchw);
  return exec::Tensor::Copy({DType::kFp32, shape, values.data()});
}

}  // namespace

Result<exec::Tensor> ArrayInput(const NpyArray& array, const ir::Type& type) {
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data));
  const DType wanted = exec::StorageDType(type.dtype());
  if (array.dtype == wanted) return exec::Tensor::FromLiteral(literal);
  if (wanted == DType::kFp32 || wanted == DType::kInt32)
    return exec::ConvertExactly(literal, wanted);
  return Usage("the file holds {}, but the input takes {}", DTypeName(array.dtype),
               type.ToString());
}

namespace {

Result<exec::Tensor> ReadArrayTensor(const std::string& path, const ir::Type& type) {
  ANEMONE_ASSIGN(const NpyArray array, ReadNpy(path));
  return ArrayInput(array, type);
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
    auto tensor = ArrayInput(array, (*input)->type);
    if (!tensor.ok()) return std::move(tensor).At("array " + name).error();
    inputs[name] = std::move(tensor).value();
  }
  return {};
}

}  // namespace

Result<exec::Tensor> ImageInput(media::Image image, const ir::Model& model,
                                const ir::Function& function, const ir::Value& input,
                                const std::map<std::string, ir::Shape>& chosen) {
  const ir::Feature* feature = ir::FindInputFeature(model, function, input.name);
  ImageTarget target;
  ANEMONE_ASSIGN(target.shape, ir::DefaultInputShape(model, function, input));
  target.feature = feature == nullptr ? nullptr : feature->image();
  target.keeps_size =
      target.feature != nullptr && !input.type.is_static() && !chosen.contains(input.name);
  return FitImage(std::move(image), feature, std::move(target));
}

namespace {

Result<exec::Tensor> ReadImageInput(const std::string& path, const ir::Model& model,
                                    const ir::Function& function, const ir::Value& input,
                                    const std::map<std::string, ir::Shape>& chosen) {
  ANEMONE_ASSIGN(media::Image image, media::ReadImage(path));
  return ImageInput(std::move(image), model, function, input, chosen);
}

// The pixels of an image output; nullopt for what has no PNG: other shapes, half-precision gray.
std::optional<std::vector<uint8_t>> PixelsOf(const exec::Tensor& tensor,
                                             const ir::ImageFeature& image) {
  using ColorSpace = ir::ImageFeature::ColorSpace;
  const ir::Shape& shape = tensor.shape();
  const bool color = image.color_space == ColorSpace::kRgb || image.color_space == ColorSpace::kBgr;
  if (tensor.dtype() != DType::kFp32 || shape.size() != 4 || shape[0] != 1 ||
      shape[1] != (color ? 3 : 1) || image.color_space == ColorSpace::kGrayscaleFp16 ||
      !media::CheckImageSize(shape[3], shape[2]).ok()) {
    return std::nullopt;
  }
  const auto channels = static_cast<size_t>(shape[1]);
  const auto count = static_cast<size_t>(shape[2] * shape[3]);
  std::vector<uint8_t> pixels(channels * count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      const size_t from = image.color_space == ColorSpace::kBgr ? 2 - c : c;
      const float value = tensor.As<float>()[from * count + i];
      // Not a number becomes 0.
      const float clamped = value > 0 ? std::min(value, 255.0F) : 0;
      pixels[i * channels + c] = static_cast<uint8_t>(std::nearbyint(clamped));
    }
  }
  return pixels;
}

Status WriteFile(const std::string& path, std::span<const std::byte> bytes) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(bytes));
  return file.Commit();
}

}  // namespace

Result<std::map<std::string, exec::Tensor>> ReadInputs(
    const ir::Model& model, const ir::Function& function, const std::vector<std::string>& bindings,
    const std::map<std::string, ir::Shape>& chosen) {
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
    auto tensor = IsImageFile(path) ? ReadImageInput(path, model, function, **input, chosen)
                                    : ReadArrayTensor(path, (*input)->type);
    if (!tensor.ok()) return std::move(tensor).At("input " + name).error();
    inputs[name] = std::move(tensor).value();
  }
  for (const auto& [name, shape] : chosen) {
    const auto found = inputs.find(name);
    if (found != inputs.end() && found->second.shape() != shape) {
      return Usage("the file holds {}, but the shape {} was chosen",
                   ir::ShapeToString(found->second.shape()), ir::ShapeToString(shape))
          .At("input " + name);
    }
  }
  return inputs;
}

Status WriteOutputs(const std::map<std::string, exec::Tensor>& outputs,
                    const ir::FunctionDescription* description, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(directory);
  for (const auto& [name, tensor] : outputs) {
    std::string file_name = name;
    for (char& c : file_name) {
      if (c == '/' || c == '\\' || c == '\0') c = '_';
    }
    const std::string path = (std::filesystem::path(directory) / file_name).string();
    ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
    ANEMONE_ASSIGN(const auto bytes, EncodeNpy({tensor.dtype(), tensor.shape(), literal.bytes()}));
    ANEMONE_TRY(WriteFile(path + ".npy", std::span<const std::byte>(bytes)));
    const ir::Feature* feature = description == nullptr ? nullptr : description->FindOutput(name);
    if (feature == nullptr || feature->image() == nullptr) continue;
    const auto pixels = PixelsOf(tensor, *feature->image());
    if (!pixels) continue;
    const ir::Shape& shape = tensor.shape();
    ANEMONE_ASSIGN(const auto png,
                   media::EncodePng(*pixels, static_cast<int>(shape[3]), static_cast<int>(shape[2]),
                                    static_cast<int>(shape[1])));
    ANEMONE_TRY(WriteFile(path + ".png", png));
  }
  return {};
}

}  // namespace anemone::facade
