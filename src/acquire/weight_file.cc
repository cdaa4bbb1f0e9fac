#include "acquire/weight_file.h"

#include <algorithm>
#include <cstring>

#include "acquire/torch_file.h"
#include "base/mapped_file.h"
#include "base/npy.h"
#include "base/zip_reader.h"

namespace anemone::acquire {
namespace {

bool BeginsWith(const Bytes& file, std::string_view head) {
  return file.size() >= head.size() && std::memcmp(file.data(), head.data(), head.size()) == 0;
}

// An .npz holds only arrays; PyTorch's archive has a data.pkl.
bool IsNpz(const Bytes& file) {
  constexpr std::string_view kNpy = ".npy";
  // The first local header holds the first entry's name: length at 26, text at 30.
  if (file.size() < 30) return false;
  const size_t length = size_t(file.data()[26]) | size_t(file.data()[27]) << 8;
  if (file.size() - 30 < length || length < kNpy.size()) return false;
  return std::memcmp(file.data() + 30 + length - kNpy.size(), kNpy.data(), kNpy.size()) == 0;
}

Result<std::vector<NamedTensor>> ReadArrays(const Bytes& file) {
  ANEMONE_ASSIGN(auto arrays, ParseNpz(file));
  std::vector<NamedTensor> tensors;
  for (auto& [name, array] : arrays) {
    tensors.push_back({name, array.dtype, std::move(array.shape), std::move(array.data)});
  }
  return tensors;
}

}  // namespace

WeightFile::WeightFile(std::string format, std::vector<NamedTensor> tensors)
    : format_(std::move(format)), tensors_(std::move(tensors)) {
  std::sort(tensors_.begin(), tensors_.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
}

Result<WeightFile> WeightFile::Open(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  if (IsLegacyTorchFile(file)) {
    ANEMONE_ASSIGN(auto tensors, ParseTorchFile(file).At(path));
    return WeightFile("pytorch", std::move(tensors));
  }
  if (BeginsWith(file, "PK\x03\x04")) {
    const bool npz = IsNpz(file);
    ANEMONE_ASSIGN(auto tensors, (npz ? ReadArrays(file) : ParseTorchFile(file)).At(path));
    return WeightFile(npz ? "npz" : "pytorch", std::move(tensors));
  }
  // The first byte of safetensors is a length, and may be anything: the header after it decides.
  const bool safetensors = file.size() > 8 && file.data()[8] == std::byte{'{'};
  if (BeginsWith(file, "\x80") && !safetensors) {
    return Status(ParseTorchFile(file).error()).At(path).error();
  }
  if (BeginsWith(file, "\x89HDF")) {
    return Unsupported("HDF5 weight files (Keras) are not supported")
        .At(path)
        .Advise("convert the model to ONNX, or save its weights as safetensors or .npz");
  }
  ANEMONE_ASSIGN(const SafeTensors safe, SafeTensors::Open(path));
  return WeightFile("safetensors", safe.tensors());
}

const NamedTensor* WeightFile::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const NamedTensor& tensor, std::string_view n) { return tensor.name < n; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace anemone::acquire
